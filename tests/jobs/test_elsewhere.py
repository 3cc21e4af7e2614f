"""A run on a cluster whose supervisor is gone: alive while its worker or the scheduler says so, and treated as such."""

from __future__ import annotations

import pytest

from engine.cluster.job import Job
from engine.cluster.liveness import WORK
from engine.jobs import submit as jobs
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.locks import FileLock
from engine.store.runs import Run, State, create_run
from tests.fabricated.clusters import make_cluster
from tests.jobs.scene import training


@pytest.fixture
def orphan(home: Home) -> Run:
    """A training on the cluster that calls itself running; SLURM is not asked, since no programs of it are found."""
    make_cluster(home)
    run = create_run(home, training("quick").plain(), "a run", place="slurm")
    run.update(state=State.RUNNING, started=1.0)
    return run


def test_a_worker_on_a_node_keeps_its_run_alive(orphan: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert orphan.state() is State.INTERRUPTED
    with FileLock(orphan.path / WORK):
        assert orphan.state() is State.RUNNING
        with pytest.raises(ErsatzError, match="still alive"):
            jobs.delete(orphan)
        with pytest.raises(ErsatzError, match="already in progress"):
            jobs.resume(orphan, place="here")
    assert orphan.state() is State.INTERRUPTED
    jobs.delete(orphan)
    assert not orphan.path.exists()


def test_a_scheduler_that_cannot_be_asked_is_no_sign_of_death(orphan: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    Job(ids=("123",)).write(orphan)
    assert orphan.state() is State.RUNNING
