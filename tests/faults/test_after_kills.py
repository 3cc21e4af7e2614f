"""What was lost or left by a kill at one single place, found by the matrix of all places."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.configs.pools import parse_pool
from engine.jobs import submit as jobs
from engine.sampling.pool_making import make
from engine.sampling.pools import Pool
from engine.store import disk
from engine.store.about import about, change_tags
from engine.store.home import Home
from engine.store.progress import Progress
from engine.store.runs import Run, list_runs
from tests import fabricated
from tests.jobs.scene import make_dataset, training


class Killed(BaseException):
    """Stands in for the end of the process: no handler of errors sees it."""


def kill_before(monkeypatch: pytest.MonkeyPatch, step: str, name: str) -> None:
    def fault(now: str, path: Path, when: str) -> None:
        if (now, path.name, when) == (step, name, "before"):
            raise Killed

    monkeypatch.setattr(disk, "fault", fault)


def test_a_submission_killed_before_the_start_keeps_owner_and_cores(home: Home, monkeypatch) -> None:
    make_dataset(home)
    kill_before(monkeypatch, "lock", "lock")
    with pytest.raises(Killed):
        jobs.submit(home, training("quick"), owner="ada", beside=2)
    (run,) = list_runs(home)
    assert about(run).owner == "ada"
    assert run.status().beside == 2


def _tag(run: Run) -> None:
    change_tags(run, add=["a"])


def _exclude(run: Run) -> None:
    Pool.open(run).exclude(["images/a/1.png"], "blurred")


@pytest.mark.parametrize(("change", "file"), [(_tag, "about.json"), (_exclude, "manifest.csv")])
def test_a_change_of_a_run_that_is_deleted_meanwhile_says_so(
    change: Callable[[Run], None], file: str, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabricated.make_dataset(home)
    trainings = [fabricated.make_training(home, name) for name in fabricated.CLASSES]
    run = fabricated.make_pool_run(home, trainings, images=1)
    told: list[Progress] = []
    assert make(run, parse_pool(run.config()), told.append) == "finished"
    assert [(progress.done, progress.total, progress.unit) for progress in told] == [(2, 2, "images")]
