"""The SLURM of the tests does what tests of the program rely on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from engine.store.home import REPOSITORY
from tests.cluster import one_node_slurm
from tests.cluster.one_node_slurm import Slurm

pytestmark = pytest.mark.slow

# Writes each signal that it gets to its output, and ends at SIGTERM
LISTENING = f"""exec {sys.executable} -uc '
import os, signal, sys, time
def listen(number, frame):
    print(signal.Signals(number).name)
    if number == signal.SIGTERM:
        sys.exit()
for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
    signal.signal(number, listen)
print("start", os.environ.get("SLURM_RESTART_COUNT", "0"), os.environ["SLURMD_NODENAME"])
while True:
    time.sleep(0.1)
'"""


def test_a_job_runs_and_sees_its_gpu(slurm: Slurm) -> None:
    job = slurm.submit("echo $SLURMD_NODENAME $CUDA_VISIBLE_DEVICES", "--gres=gpu:1", "--nodelist=n2")
    slurm.wait_for_state(job, "COMPLETED")
    assert slurm.output(job) == "n2 0\n"


def test_a_failing_job_says_how_it_ended(slurm: Slurm) -> None:
    job = slurm.submit("exit 3")
    slurm.wait_for_state(job, "FAILED")
    assert slurm.job(job)["ExitCode"] == "3:0"


def test_an_array_runs_as_many_tasks_at_once_as_its_throttle(slurm: Slurm) -> None:
    array = slurm.submit(f"until [ -e {slurm.folder}/go ]; do sleep 0.1; done", "--array=0-5%2")
    try:
        slurm.wait_until(lambda: _queue(slurm).count("RUNNING") == 2, "two tasks running")
        assert _queue(slurm, "%r").count("JobArrayTaskLimit") == 1  # the rest is one line
        assert _queue(slurm, "%i").count(f"{array}_[2-5%2]") == 1
        (slurm.folder / "go").touch()
        slurm.wait_until(lambda: _queue(slurm) == [], "an empty queue")
    finally:
        (slurm.folder / "go").unlink(missing_ok=True)
    assert sorted(file.name for file in slurm.folder.glob(f"{array}_*.out")) == [f"{array}_{i}.out" for i in range(6)]


def test_a_cancelled_job_is_told_before_it_is_killed(slurm: Slurm) -> None:
    job = slurm.submit(LISTENING)
    slurm.wait_until(lambda: "start" in slurm.output(job), "its start")
    slurm.command("scancel", job)
    slurm.wait_for_state(job, "CANCELLED")
    slurm.wait_until(lambda: "SIGTERM" in slurm.output(job), "the signal")


def test_a_job_is_warned_before_its_time_limit_and_ended_after(slurm: Slurm) -> None:
    warned = slurm.submit(LISTENING, "--time=1", "--signal=B:USR1@60")
    ended = slurm.submit(LISTENING)
    for job in (warned, ended):
        slurm.wait_until(lambda job=job: "start" in slurm.output(job), "its start")
    # SLURM looks at the times of jobs every thirty seconds; limits are in minutes, but an end may be moved
    slurm.command("scontrol", "update", f"JobId={ended}", "EndTime=now+1")
    slurm.wait_for_state(ended, "TIMEOUT")
    slurm.wait_until(lambda: "SIGTERM" in slurm.output(ended), "the end")
    slurm.wait_until(lambda: "SIGUSR1" in slurm.output(warned), "the warning")
    assert slurm.job(warned)["JobState"] == "RUNNING"
    assert "SIGTERM" not in slurm.output(warned)


def test_a_requeued_job_runs_again_under_its_number(slurm: Slurm) -> None:
    job = slurm.submit(LISTENING)
    slurm.wait_until(lambda: "start 0" in slurm.output(job), "its start")
    slurm.command("scontrol", "requeue", job)
    slurm.wait_until(lambda: "start 1" in slurm.output(job), "its second start")
    assert slurm.job(job)["Restarts"] == "1"


def test_an_urgent_job_puts_others_back_into_the_queue(slurm: Slurm) -> None:
    jobs = [slurm.submit(LISTENING, "--cpus-per-task=4") for _ in range(2)]
    for job in jobs:
        slurm.wait_until(lambda job=job: "start 0" in slurm.output(job), "its start")
    urgent = slurm.submit("true", "--partition=urgent", "--cpus-per-task=4")
    slurm.wait_for_state(urgent, "COMPLETED")
    restarts = [slurm.job(job)["Restarts"] for job in jobs]
    assert sorted(restarts) == ["0", "1"]
    (victim,) = [job for job, n in zip(jobs, restarts, strict=True) if n == "1"]
    slurm.wait_until(lambda: "start 1" in slurm.output(victim), "its second start")
    assert "SIGTERM" in slurm.output(victim)


def test_a_job_that_must_wait_says_why(slurm: Slurm) -> None:
    for _ in range(2):
        slurm.submit("sleep 60", "--gres=gpu:2")
    waiting = slurm.submit("true", "--gres=gpu:1")
    slurm.wait_until(lambda: slurm.job(waiting)["Reason"] == "Resources", "waiting for a GPU")
    limited = slurm.submit("true", "--partition=short", "--time=5")
    slurm.wait_until(lambda: slurm.job(limited)["Reason"] == "PartitionTimeLimit", "more time than there is")


def test_more_than_any_node_has_is_refused(slurm: Slurm) -> None:
    refused = slurm.command("sbatch", "--gres=gpu:3", "--wrap", "true", check=False)
    assert refused.returncode != 0
    assert "Requested node configuration is not available" in refused.stderr


def test_there_is_no_accounting(slurm: Slurm) -> None:
    refused = slurm.command("sacct", check=False)
    assert (refused.returncode, refused.stderr.strip()) == (1, "Slurm accounting storage is disabled")


def test_the_jobs_of_a_dead_node_run_again_on_the_other(slurm: Slurm) -> None:
    job = slurm.submit(LISTENING)
    slurm.wait_until(lambda: "start 0" in slurm.output(job), "its start")
    node = slurm.job(job)["NodeList"]
    (other,) = {"n1", "n2"} - {node}
    slurm.take_down(node)
    slurm.wait_until(lambda: f"start 1 {other}" in slurm.output(job), "its start on the other node")
    assert slurm.node_states() == {node: "down", other: "mixed"}
    slurm.bring_up(node)
    assert slurm.node_states()[node] == "idle"


def test_a_node_is_a_machine_of_its_own(slurm: Slurm) -> None:
    if not slurm.own_machines:
        pytest.skip("no namespaces may be made here")
    job = slurm.submit(f"hostname; kill -0 {os.getpid()} || echo unseen", "--nodelist=n1")
    slurm.wait_for_state(job, "COMPLETED")
    assert slurm.output(job).splitlines()[0] == "n1"
    assert slurm.output(job).splitlines()[-1] == "unseen"


def test_nothing_is_left_when_the_tests_are_killed(tmp_path_factory: pytest.TempPathFactory) -> None:
    if reason := one_node_slurm.missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("killed")
    started = subprocess.Popen(
        [sys.executable, "-m", "tests.cluster.one_node_slurm", str(folder)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert started.stdout is not None
        assert started.stdout.readline() == f"export SLURM_CONF={folder}/slurm.conf\n"
        script = f"setsid sleep 1000 & touch {folder}/started; sleep 1000"
        subprocess.run(
            ["sbatch", "--output=/dev/null", "--wrap", script],
            env=os.environ | {"SLURM_CONF": f"{folder}/slurm.conf"},
            check=True,
            capture_output=True,
        )
        while not (folder / "started").exists():
            time.sleep(0.1)
        assert len(_processes_of(folder)) >= 4  # the scheduler, the node, the job and what it started
    finally:
        started.kill()
        started.wait()
    psutil.wait_procs(_processes_of(folder), timeout=30)
    assert _processes_of(folder) == []


def test_a_folder_too_long_for_sockets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="too long for SLURM's sockets; 76 bytes are expected at most"):
        Slurm(tmp_path / ("f" * 76)).start()


def _processes_of(folder: Path) -> list[psutil.Process]:
    """Those that have this SLURM in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("SLURM_CONF") == f"{folder}/slurm.conf" and process.is_running():
                found.append(process)
        except psutil.Error:
            continue
    return found


def _queue(slurm: Slurm, form: str = "%T") -> list[str]:
    return slurm.command("squeue", "--noheader", f"--format={form}").stdout.split()
