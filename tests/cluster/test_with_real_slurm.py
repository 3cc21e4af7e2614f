"""The functions against a real SLURM: what the recorded answers of the other tests are worth."""

from __future__ import annotations

import functools
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.cluster import slurm
from engine.cluster.checking import check_cluster
from engine.cluster.nodes import partitions
from engine.cluster.settings import ClusterSettings, Request, write_settings
from engine.cluster.slurm import JobState, Refused
from engine.cluster.words import waits_for
from engine.store.home import Home
from engine.version import __version__
from tests.cluster.one_node_slurm import PATIENCE, Slurm

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("slurm")]

REQUEST = Request(partition="main", cpus=1, memory_gib=0.25, hours=0.1)
SLEEP = functools.partial(os.system, "exec sleep 600")


def asked(**changes: object) -> Request:
    return Request(**{**REQUEST.plain(), **changes})


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, slurm.jobs(REQUEST, max_age=0)
        time.sleep(0.1)


def job(number: str) -> JobState | None:
    return slurm.jobs(REQUEST, max_age=0).get(number)


def runs(number: str) -> bool:
    return getattr(job(number), "state", "") == "RUNNING"


def starts(number: str) -> bool:
    """Whether a job runs that was requeued; told to."""
    if not runs(number):
        slurm.start_now(REQUEST, number)
    return runs(number)


def test_an_array_runs_and_ends(tmp_path: Path) -> None:
    tasks = [functools.partial(os.system, f"hostname > {tmp_path}/{i}") for i in range(3)]
    ids = slurm.submit(asked(throttle=2), tasks, name="array", folder=tmp_path / "slurm")
    assert [number.partition("_")[2] for number in ids] == ["0", "1", "2"]
    until(lambda: not any(map(job, ids)))
    assert [slurm.ended(REQUEST, number).state for number in ids] == ["COMPLETED"] * 3  # type: ignore[union-attr]
    assert all((tmp_path / str(i)).read_text() for i in range(3))


def test_a_job_is_cancelled_started_again_and_explained(slurm: Slurm, tmp_path: Path) -> None:
    from engine.cluster import slurm as scheduler

    ids = [scheduler.submit(asked(cpus=3), [SLEEP], name=f"j{i}", folder=tmp_path / str(i))[0] for i in range(3)]
    until(lambda: runs(ids[0]) and runs(ids[1]) and getattr(job(ids[2]), "reason", "") == "Resources")
    waiting = job(ids[2])
    assert waiting is not None
    assert waits_for(waiting, REQUEST).startswith("waits for free CPU cores and memory of partition main")
    slurm.command("scontrol", "requeue", ids[0])
    until(lambda: bool((found := job(ids[0])) and found.is_requeued))
    scheduler.cancel(REQUEST, [ids[1], ids[2]])
    until(lambda: starts(ids[0]) and job(ids[1]) is None)
    ending = scheduler.ended(REQUEST, ids[1])
    assert ending is not None and ending.was_cancelled
    assert scheduler.ended(REQUEST, ids[0]) is None
    scheduler.cancel(REQUEST, ids)  # of which two are over
    scheduler.start_now(REQUEST, ids[1])


def test_jobs_that_could_not_work_are_told_apart(slurm: Slurm, tmp_path: Path) -> None:
    from engine.cluster import slurm as scheduler

    (no_python,) = scheduler.submit(asked(python="/nowhere/python"), [SLEEP], name="a", folder=tmp_path / "a")
    behind = {"dependency": f"afterok:{no_python}", "kill-on-invalid-dep": "yes"}  # no user may ask for that
    request = REQUEST.model_copy(update={"extra": behind})
    (after,) = scheduler.submit(request, [SLEEP], name="b", folder=tmp_path / "b")
    (blind,) = scheduler.submit(asked(extra={"hold": ""}), [SLEEP], name="c", folder=tmp_path / "c")
    shutil.rmtree(tmp_path / "c")
    slurm.command("scontrol", "release", blind)
    until(lambda: not any(map(job, [no_python, after, blind])))
    endings = [scheduler.ended(REQUEST, number) for number in (no_python, after, blind)]
    assert all(ending is not None and ending.is_hopeless for ending in endings)
    told = [ending.sentence for ending in endings if ending is not None]
    assert "found no Python" in told[0] and "waited for another one" in told[1] and "not visible there" in told[2]


def test_a_job_that_is_cancelled_does_not_start_itself_again(slurm: Slurm, tmp_path: Path) -> None:
    from engine.cluster import slurm as scheduler

    def leave_and_return() -> None:
        import os
        import signal
        import time

        from engine.cluster.slurm import requeue_this_job

        def on_term(*_: object) -> None:
            requeue_this_job()
            print("left", flush=True)
            os._exit(0)

        signal.signal(signal.SIGTERM, on_term)
        print("ready", flush=True)
        if not os.environ.get("SLURM_RESTART_COUNT"):
            time.sleep(1)
            requeue_this_job()
        time.sleep(600)

    leave_and_return.__module__ = "__main__"  # pickled whole
    (number,) = scheduler.submit(REQUEST, [leave_and_return], name="a", folder=tmp_path / "a")
    until(lambda: slurm.job(number).get("Restarts") == "1")
    until(lambda: bool((found := job(number)) and found.is_requeued))
    until(lambda: starts(number))
    until(lambda: sum(path.read_text().count("ready") for path in (tmp_path / "a").glob("*.out")) == 2)
    scheduler.cancel(REQUEST, [number])
    until(lambda: job(number) is None)
    assert slurm.job(number)["JobState"] == "CANCELLED"


def test_refusals(tmp_path: Path) -> None:
    for changes in (
        {"partition": "x"},
        {"gpus": "tpu"},
        {"gpus": "gpu:a100"},
        {"constraint": "x"},
        {"memory_gib": 900},
    ):
        with pytest.raises(Refused):
            slurm.rehearse(asked(**changes), gpus=1)
        with pytest.raises(Refused):
            slurm.submit(asked(**changes), [SLEEP], name="a", folder=tmp_path / "slurm", gpus=1)
    assert not (tmp_path / "slurm").exists()
    slurm.rehearse(asked(gpus="gpu"), gpus=2)
    assert not slurm.jobs(REQUEST, max_age=0)
    assert [partition.name for partition in partitions()] == ["main", "urgent", "short"]


def test_the_check_goes_as_far_as_a_node(home: Home) -> None:
    settings = ClusterSettings(**{**REQUEST.plain(), "memory_gib": 2.0, "kinds": {"sweep": {"partition": "urgent"}}})
    write_settings(home, settings)
    findings = list(check_cluster(home, ["train", "sweep"], "engine.cli.doctor:examine_node"))
    assert [finding for finding in findings if finding.state == "fail"] == []
    node = next(finding for finding in findings if finding.name == "Node")
    assert node.found.endswith(f"sees the home, and has version {__version__} of this program")
    assert {"Node (sweep)", "Submitting (sweep)", "Partition (sweep)"} <= {finding.name for finding in findings}
    assert {"Accounting": "note", "Scheduler": "ok"}.items() <= {each.name: each.state for each in findings}.items()
    assert any(each.name.startswith("Training on n") for each in findings)
    assert not home.cache.joinpath("cluster-check").exists()
