"""What is made of the scheduler's answers, as real programs of SLURM gave them."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from engine.cluster import slurm, tools
from engine.cluster.settings import Request
from engine.cluster.slurm import NoAnswer, Refused
from engine.cluster.states import Ending
from engine.cluster.words import waits_for
from engine.store.errors import ErsatzError
from tests.cluster.fake_slurm import NO_CONTROLLER, FakeSlurm, fake_slurm

__all__ = ["fake_slurm"]

MAIN = Request(partition="main", cpus=1, hours=0.5)
SQUEUE = """\
Welcome to the cluster
7|PENDING|BeginTime||2026-12-01T01:56:51|10:00|main|begin
9_[2-4,7%2]|PENDING|JobArrayTaskLimit||N/A|10:00|main|an|odd name
9_0|RUNNING|None|n1|2026-12-01T00:56:27|1:00|main|arr
12|COMPLETING|None|n1|2026-12-01T00:56:27|1:00|main|over
13|FAILED|NonZeroExitCode|n1|2026-12-01T00:56:27|1:00|main|failed
"""


def test_one_question_tells_of_all_jobs(fake_slurm: FakeSlurm) -> None:
    fake_slurm.answers("squeue", SQUEUE)
    found = slurm.jobs(MAIN, max_age=0)
    assert list(found) == ["7", "9_2", "9_3", "9_4", "9_7", "9_0", "12"]
    assert found["9_2"].name == "an|odd name" and found["9_2"].is_pending and found["9_2"].start is None
    assert found["7"].is_requeued and found["7"].start is not None and not found["9_2"].is_requeued
    assert (found["9_0"].node, found["9_0"].reason, found["9_0"].is_pending) == ("n1", "", False)
    assert fake_slurm.calls("squeue") == [f"--me --noheader --array --format={slurm.FIELDS}"]


def test_an_answer_is_kept_for_a_while(fake_slurm: FakeSlurm) -> None:
    fake_slurm.answers("squeue", SQUEUE)
    slurm.jobs(MAIN, max_age=0)
    fake_slurm.answers("squeue")
    assert slurm.jobs(MAIN, max_age=3600)
    assert not slurm.jobs(MAIN, max_age=0)


def test_silence_is_not_an_empty_queue(fake_slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_slurm.answers("squeue", error=NO_CONTROLLER, code=1)
    with pytest.raises(NoAnswer, match=r"does not answer .*Jobs go on"):
        slurm.jobs(MAIN, max_age=0)
    fake_slurm.answers("squeue", SQUEUE)
    with pytest.raises(NoAnswer):  # those that need no fresh answer do not wait for the next silence
        slurm.jobs(MAIN, max_age=2)
    assert slurm.jobs(MAIN, max_age=0)

    (fake_slurm.folder / "squeue").write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    monkeypatch.setattr(tools, "SECONDS", 0.2)
    with pytest.raises(NoAnswer, match="did not answer within"):
        slurm.jobs(MAIN, max_age=0)


def test_no_slurm_is_said(fake_slurm: FakeSlurm) -> None:
    fake_slurm.lacks("squeue", "sbatch")
    for asked in (lambda: slurm.jobs(MAIN, max_age=0), lambda: slurm.rehearse(MAIN), slurm.require_slurm):
        with pytest.raises(ErsatzError, match=r"There is no sbatch, squeue on this machine.*login node"):
            asked()


ENDINGS = [
    # what `scontrol --oneliner show job` printed of jobs that had ended, shortened to what is read
    (
        "JobId=40 JobName=c JobState=CANCELLED Reason=None Dependency=(null) ExitCode=0:15 NodeList=n1",
        Ending("1", "CANCELLED", 0, 15, "", "n1"),
        (True, False),
        "was cancelled on n1",
    ),
    (
        "JobId=43 JobName=b JobState=FAILED Reason=JobLaunchFailure ExitCode=0:53 ReqNodeList=(null) NodeList=n1",
        Ending("1", "FAILED", 0, 53, "JobLaunchFailure", "n1"),
        (False, True),
        "could not write into its run on n1",
    ),
    (
        "JobId=44 JobName=d JobState=CANCELLED Reason=DependencyNeverSatisfied ExitCode=0:0 NodeList=(null)",
        Ending("1", "CANCELLED", 0, 0, "DependencyNeverSatisfied", ""),
        (False, True),
        "waited for another one, which failed",
    ),
    (
        "JobId=45 JobName=t JobState=TIMEOUT Reason=TimeLimit ExitCode=0:9 NodeList=n1",
        Ending("1", "TIMEOUT", 0, 9, "TimeLimit", "n1"),
        (False, False),
        "reached its time limit on n1",
    ),
    (
        "JobId=46 JobName=p JobState=FAILED Reason=NonZeroExitCode ExitCode=127:0 NodeList=n1",
        Ending("1", "FAILED", 127, 0, "NonZeroExitCode", "n1"),
        (False, True),
        "found no Python on n1",
    ),
]


@pytest.mark.parametrize(("shown", "ending", "judged", "sentence"), ENDINGS)
def test_how_a_job_ended(
    shown: str, ending: Ending, judged: tuple[bool, bool], sentence: str, fake_slurm: FakeSlurm
) -> None:
    fake_slurm.answers("scontrol", shown + "\n")
    found = slurm.ended(MAIN, "1")
    assert found == ending
    assert (ending.was_cancelled, ending.is_hopeless) == judged
    assert sentence in ending.sentence


def test_an_accounting_remembers_longer(fake_slurm: FakeSlurm) -> None:
    fake_slurm.answers("scontrol", error="slurm_load_jobs error: Invalid job id specified", code=1)
    assert slurm.ended(MAIN, "1") is None  # there is none
    fake_slurm.answers("sacct", "CANCELLED by 1000|0:15|None|n1\n")
    assert slurm.ended(MAIN, "1") == Ending("1", "CANCELLED", 0, 15, "", "n1")
    fake_slurm.answers("sacct", "RUNNING|0:0|None|n1\n")
    assert slurm.ended(MAIN, "1") is None
    fake_slurm.lacks("sacct")
    assert slurm.ended(MAIN, "1") is None


def test_a_requeued_job_rests_before_it_starts_again(fake_slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch) -> None:
    slurm.start_now(MAIN, "30")
    slurm.start_now(MAIN, "30")
    assert not fake_slurm.calls("scontrol")
    monkeypatch.setattr(slurm, "REST_SECONDS", 0.0)
    slurm.start_now(MAIN, "30")
    assert fake_slurm.calls("scontrol") == ["update JobId=30 StartTime=now"]


def test_jobs_that_are_over_are_left_alone(fake_slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "REST_SECONDS", 0.0)
    fake_slurm.answers("scontrol", error="Job has already finished for job 31", code=1)
    slurm.start_now(MAIN, "31")
    fake_slurm.answers("scontrol", error="Access/permission denied for job 31", code=1)
    with pytest.raises(Refused, match="permission denied"):
        slurm.start_now(MAIN, "31")
    slurm.cancel(MAIN, [])
    slurm.cancel(MAIN, ["1", "2_3"])
    assert fake_slurm.calls("scancel") == ["1 2_3"]


@pytest.mark.parametrize(("state", "asked"), [("RUNNING", True), ("COMPLETING", False), ("CANCELLED", False)])
def test_a_job_that_is_cancelled_does_not_start_itself_again(
    state: str, asked: bool, fake_slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "18")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "9")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    fake_slurm.answers("scontrol", f"JobId=18 ArrayJobId=9 JobState={state} Reason=None\n")
    slurm.requeue_this_job()
    assert ("requeue 9_3" in fake_slurm.calls("scontrol")) is asked


REFUSALS = [
    (
        "sbatch: error: invalid partition specified: nosuch\nallocation failure: Invalid partition name specified",
        "no part",
    ),
    ("allocation failure: Requested node configuration is not available", "No node has as many cores"),
    ("sbatch: error: Invalid generic resource (gres) specification", "no GPUs named"),
    ("allocation failure: Invalid feature specification", "No node has the features"),
    ("allocation failure: Invalid account or account/partition combination specified", "The account 'lab' may not"),
    ("allocation failure: Invalid qos specification", "quality of service '' is not known"),
    ("allocation failure: Job violates accounting/QOS policy (job submit limit, user's size)", "as many jobs"),
    ("sbatch: error: Batch job submission failed: Invalid job array specification", "arrays of so many"),
    ("sbatch: unrecognized option '--nosuch'\nTry \"sbatch --help\" for more information", "nosuch"),
]


@pytest.mark.parametrize(("told", "sentence"), REFUSALS)
def test_refusals_are_said_in_words_and_leave_nothing(
    told: str, sentence: str, fake_slurm: FakeSlurm, tmp_path: Path
) -> None:
    fake_slurm.answers("sbatch", error=told, code=1)
    request = MAIN.model_copy(update={"account": "lab"})
    with pytest.raises(Refused, match=sentence):
        slurm.rehearse(request)
    with pytest.raises(Refused, match=sentence):
        slurm.submit(request, [functools.partial(print, 1)] * 2, name="run", folder=tmp_path / "run" / "slurm")
    assert not (tmp_path / "run" / "slurm").exists()


def test_a_silent_scheduler_may_have_taken_the_job(fake_slurm: FakeSlurm, tmp_path: Path) -> None:
    told = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"
    fake_slurm.answers("sbatch", error=told, code=1)
    with pytest.raises(NoAnswer, match="may have it"):
        slurm.submit(MAIN, [functools.partial(print, 1)], name="run", folder=tmp_path / "slurm")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"partition": "nosuch"}, "no partition 'nosuch' on this cluster, which has main, urgent, short"),
        ({"partition": "short"}, "Partition short lets jobs take 1 min, and hours is 0.5"),
        ({"cpus": 64}, "No node of partition main has more than 4 cores"),
    ],
)
def test_what_would_wait_for_ever_is_refused(changes: dict[str, object], sentence: str, fake_slurm: FakeSlurm) -> None:
    """SLURM accepts the last two, and never starts them."""
    with pytest.raises(Refused, match=sentence):
        slurm.rehearse(Request(**{**MAIN.plain(), **changes}))
    slurm.rehearse(Request(**{**MAIN.plain(), "partition": ""}))
    slurm.rehearse(Request(**{**MAIN.plain(), "partition": "short,main"}))


def test_what_is_asked_for(fake_slurm: FakeSlurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script that sbatch is given; submitit's own part of it is submitit's."""
    fake_slurm.answers("sbatch", "Submitted batch job 7\n")
    monkeypatch.setenv("ERSATZ_LOCKS", "leases")
    monkeypatch.setenv("SBATCH_PARTITION", "other")
    request = Request(
        partition="main",
        gpus="gpu:a100",
        cpus=3,
        memory_gib=1.5,
        hours=0.5,
        grace_seconds=60,
        throttle=2,
        setup=("module load cuda",),
        python="/opt/python3/bin/python",
        extra={"exclusive": "", "nice": "5"},
    )
    ids = slurm.submit(
        request,
        [functools.partial(print, i) for i in range(3)],
        name="run",
        folder=tmp_path / "slurm",
        gpus=2,
    )
    assert ids == ["7_0", "7_1", "7_2"]
    lines = (tmp_path / "slurm" / "7_submission.sh").read_text().splitlines()
    for line in (
        "#SBATCH --partition=main",
        "#SBATCH --gres=gpu:a100:2",
        "#SBATCH --cpus-per-task=3",
        "#SBATCH --mem=1536M",
        "#SBATCH --time=30",
        "#SBATCH --signal=USR2@60",
        "#SBATCH --array=0-2%2",
        "#SBATCH --job-name=run",
        "#SBATCH --requeue",
        "#SBATCH --open-mode=append",
        "#SBATCH --exclusive",
        "#SBATCH --nice=5",
        "export ERSATZ_LOCKS=leases",
        "module load cuda",
    ):
        assert line in lines
    command = next(line for line in lines if line.startswith("srun"))
    assert "--cpus-per-task=3 /opt/python3/bin/python -P -u -m submitit.core._submit" in command
    assert any(line.startswith("export PYTHONPATH=") for line in lines)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("Resources", "waits for a GPU of partition main"),
        ("Priority", "waits for its turn: others come first"),
        ("BeginTime", "since it was started again"),
        ("Dependency", "waits for another job"),
        ("JobHeldAdmin", "held by an administrator"),
        ("ReqNodeNotAvail, UnavailableNodes:n1", "down, drained or reserved"),
        ("QOSMaxJobsPerUserLimit", "a limit of its quality of service is reached (QOSMaxJobsPerUserLimit)"),
        ("AssocGrpGRES", "a limit of its account is reached (AssocGrpGRES)"),
        ("PartitionTimeLimit", "can never start"),
        ("SomethingNew", "the scheduler says: SomethingNew"),
    ],
)
def test_why_a_job_waits(reason: str, words: str) -> None:
    state = slurm.JobState("1", "run", "PENDING", reason, partition="main", start=1e9)
    assert words in waits_for(state, Request(gpus="gpu"))
    assert waits_for(slurm.JobState("1", "run", "RUNNING"), Request()) == ""
