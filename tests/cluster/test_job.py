"""`job.json`, and whether a run on the cluster is alive."""

from __future__ import annotations

import pytest

from engine.cluster.job import JOB_FILE, Job
from engine.cluster.liveness import WORK, lives_on_cluster
from engine.cluster.settings import ClusterSettings, write_settings
from engine.cluster.states import JobState
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.locks import FileLock
from engine.store.runs import Run, create_run
from tests.cluster.fake_slurm import NO_CONTROLLER, FakeSlurm, fake_slurm

__all__ = ["fake_slurm"]


@pytest.fixture
def run(home: Home) -> Run:
    write_settings(home, ClusterSettings(partition="main"))
    return create_run(home, {"kind": "train"}, "a")


def line_of(name: str) -> str:
    return f"7|RUNNING|None|n1|2026-12-01T00:56:27|10:00|main|{name}\n"


def test_what_is_written_is_read_again(run: Run) -> None:
    assert Job.read(run) is None and Job.of(run) == Job()
    job = Job(ids=("9_0", "9_1"), parts=True, submitted=1.0)
    job.write(run)
    told = job.mirroring(JobState("9_1", run.id, "PENDING", "Resources"), "waits for a GPU", running=0, waiting=2)
    told.write(run)
    assert Job.read(run) == told
    assert (told.ids, told.parts, told.id, told.reason, told.waiting) == (job.ids, True, "9_1", "Resources", 2)


def test_nothing_is_written_where_nothing_is_new_or_nothing_is_left(run: Run) -> None:
    job = Job(ids=("9",))
    job.write(run)
    before = (run.path / JOB_FILE).stat().st_ino
    job.write(run)
    assert (run.path / JOB_FILE).stat().st_ino == before
    (run.path / JOB_FILE).write_text("{")
    with pytest.raises(ErsatzError, match=r"job\.json is not readable"):
        Job.read(run)
    job.write(run)
    assert Job.read(run) == job
    gone = Run(run.home, "gone")
    job.write(gone)
    assert not gone.path.exists()


def test_a_run_lives_by_its_job(run: Run, fake_slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.cluster.slurm.SILENCE_SECONDS", 0.0)
    monkeypatch.setattr("engine.cluster.liveness.MAX_AGE", 1e-9)
    fake_slurm.answers("squeue", line_of(run.id))
    assert lives_on_cluster(run)
    fake_slurm.answers("squeue", line_of("another"))
    assert not lives_on_cluster(run)


def test_a_run_lives_by_its_workers_lock(run: Run, fake_slurm: FakeSlurm) -> None:
    lock = FileLock(run.path / WORK)
    assert lock.acquire()
    assert lives_on_cluster(run)
    assert not fake_slurm.calls("squeue")  # the scheduler need not be asked
    lock.release()


def test_silence_does_not_end_a_run(run: Run, fake_slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.cluster.liveness.MAX_AGE", 1e-9)
    fake_slurm.answers("squeue", error=NO_CONTROLLER, code=1)
    assert not lives_on_cluster(run)  # it was never submitted
    Job(ids=("7",)).write(run)
    assert lives_on_cluster(run)
    fake_slurm.lacks("squeue")  # a machine from which no jobs are submitted looks at the same home
    assert lives_on_cluster(run)
