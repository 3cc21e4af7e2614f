"""`doctor --home` finds what crashes left, mends it, and touches nothing that is alive."""

from __future__ import annotations

import os
import time
from collections import Counter

import pytest

from engine.datasets.dataset import Dataset
from engine.jobs import submit
from engine.jobs.home_repair import OLD_SECONDS, repair_home
from engine.store import index
from engine.store.home import Home
from engine.store.locks import FileLock
from engine.store.runs import Alarm, State, list_runs
from tests.fabricated import make_dataset, make_everything, make_training


def counted(home: Home, dry_run: bool = False) -> Counter[tuple[str, bool]]:
    return Counter((found.what, found.mended) for found in repair_home(home, dry_run))


def test_a_sound_home_stays_as_it_is(home: Home) -> None:
    make_everything(home, quality=True)
    assert repair_home(home) == []


def test_what_crashes_left_is_mended_and_the_rest_is_named(home: Home) -> None:
    make_everything(home)
    pool, (train, other) = list_runs(home, "pool")[0], list_runs(home, "train")
    # Half-made and half-deleted, old and young, of living runs and of dead ones.
    long_ago = time.time() - 2 * OLD_SECONDS
    for folder in (
        home.runs / ".gone.deleted",
        home.datasets / ".gone.01ab23cd.deleted",
        home.datasets / ".new.01ab23cd",
    ):
        (folder / "images").mkdir(parents=True)
        os.utime(folder, (long_ago, long_ago))
    (home.datasets / ".young.01ab23cd").mkdir()
    (train.path / ".status.json.01ab23cd").touch()
    alive = make_training(home, "bleed", State.RUNNING)
    (alive.path / ".status.json.01ab23cd").touch()
    lock = FileLock(alive.lock_path)
    assert lock.acquire()
    # A run that calls itself running, an index that knows what is gone, damage, images that are missing.
    stale = make_training(home, "normal", State.RUNNING)
    assert len(index.entries(home)) == 6
    (other.path / "status.json").write_text("")
    next((pool.path / "images").rglob("*.png")).unlink()
    next((Dataset.open(home, "phantom").path / "images").rglob("*.png")).unlink()

    unmended = {("run", False): 1, ("images", False): 1, ("result", False): 1}
    expected = Counter({("leftover", True): 4, ("state", True): 1, **unmended})
    assert counted(home, dry_run=True) == expected
    assert (train.path / ".status.json.01ab23cd").exists() and stale.status().state is State.RUNNING
    assert counted(home) == expected
    assert stale.status().state is State.INTERRUPTED and alive.state() is State.RUNNING
    assert (alive.path / ".status.json.01ab23cd").exists() and (home.datasets / ".young.01ab23cd").exists()
    assert counted(home) == Counter(unmended)
    lock.release()


def test_an_index_that_differs_is_made_again(home: Home) -> None:
    make_everything(home)
    run = list_runs(home)[0]
    with index._engine(home).begin() as connection:
        connection.exec_driver_sql("UPDATE runs SET kind = 'telepathy'")
    assert counted(home) == Counter({("index", True): 1})
    assert index.entries(home)[0].kind == run.kind
    home.database.write_bytes(b"not a database" * 100)
    assert counted(home) == Counter({("index", True): 1})
    assert counted(home) == Counter()


def test_alarms_and_results_outlive_a_resume(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    make_dataset(home)
    run = make_training(home, "bleed", State.FAILED, alarms=(Alarm(name="odd", sentence="Odd.", time=1.0),))
    run.update(result={"scores": None}, error="The disk is full.")
    monkeypatch.setattr(submit, "_start_supervisor", lambda run, lock: None)
    submit.resume(run)
    status = run.status()
    assert [alarm.name for alarm in status.alarms] == ["odd"]
    assert status.result == {"scores": None} and (status.error, status.state) == ("", State.QUEUED)
