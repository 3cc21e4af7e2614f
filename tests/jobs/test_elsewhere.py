"""A run on a cluster whose supervisor is gone: alive while its worker or the scheduler says so, and treated as such."""

from __future__ import annotations

import pytest

from engine.cluster import slurm
from engine.cluster.job import Job
from engine.cluster.liveness import WORK
from engine.cluster.states import JobState
from engine.jobs import submit as jobs
from engine.jobs.elsewhere import _Supervision, supervise_elsewhere
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.locks import FileLock
from engine.store.runs import Run, State, create_run
from tests.fabricated.clusters import break_cluster, make_cluster
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


def test_what_goes_wrong_beside_a_living_job_does_not_end_its_run(orphan: Run) -> None:
    """Such as a cluster.toml that somebody is editing when the supervisor is started again."""
    break_cluster(orphan.home)
    with FileLock(orphan.lock_path) as lock:
        with FileLock(orphan.path / WORK):
            supervise_elsewhere(orphan, lock)
            assert orphan.status().state is State.RUNNING
            assert "its job goes on" in orphan.log_path.read_text()
        with pytest.raises(ErsatzError, match=r"cluster\.toml is not valid"):
            supervise_elsewhere(orphan, lock)


def test_a_site_that_forbids_an_early_start_costs_time_alone(orphan: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise slurm.Refused("Access/permission denied")

    monkeypatch.setattr(slurm, "start_now", refuse)
    with FileLock(orphan.lock_path) as lock:
        _Supervision(orphan, lock)._mirror([JobState("7", orphan.id, "PENDING", "BeginTime")])
    assert orphan.status().state is State.QUEUED
    assert "since it was started again" in Job.of(orphan).words
