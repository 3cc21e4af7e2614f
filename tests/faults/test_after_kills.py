"""What was lost or left by a kill at one single place, found by the matrix of all places."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from engine.configs import GeneratorReference, PoolConfig
from engine.gans.checkpoints import FORMAT, KEEP, save_snapshot, thin_out
from engine.gans.snapshots import list_snapshots
from engine.jobs import submit as jobs
from engine.jobs.slots import CPU, Slot
from engine.jobs.supervisor import _device
from engine.sampling.pool_making import make
from engine.sampling.pools import COLUMNS, Pool
from engine.store import disk
from engine.store.about import about, change_tags
from engine.store.errors import RunDeleted
from engine.store.home import Home
from engine.store.progress import Progress
from engine.store.runs import Run, create_run, list_runs
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
    run = create_run(home, {"kind": "pool", "name": "p", "dataset": "d"}, "pool")
    (run.path / "manifest.csv").write_text(",".join(COLUMNS) + "\nimages/a/1.png,a,1,,,,\n")

    def delete(step: str, path: Path, when: str) -> None:
        if (step, path.name, when) == ("rename", file, "before"):
            shutil.rmtree(run.path)

    monkeypatch.setattr(disk, "fault", delete)
    with pytest.raises(RunDeleted, match="was deleted while it was in use"):
        change(run)
    assert not run.path.exists()


def test_snapshots_are_thinned_out_after_a_kill_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def save(seen: int) -> None:
        save_snapshot(tmp_path, {"G_ema.w": torch.zeros(2)}, {"images_seen": seen, "format": FORMAT})

    for seen in range(KEEP):
        save(seen)
    kill_before(monkeypatch, "remove", "network-000000000.safetensors")
    with pytest.raises(Killed):
        save(KEEP)
    monkeypatch.setattr(disk, "fault", None)
    assert len(list_snapshots(tmp_path)) == KEEP + 1
    thin_out(tmp_path)
    assert len(list_snapshots(tmp_path)) == KEEP
    assert [path.name for path in (tmp_path / "generators").iterdir()] == ["network-000000000.safetensors"]


@pytest.mark.parametrize(
    ("said", "shown"),
    [("", "cuda:1"), ("cpu", "cuda:1"), ("cuda:0, cuda:2", "cuda:1"), ("CPU, 1 thread", "CPU, 1 thread")],
)
def test_what_a_run_was_made_on_outlives_a_new_start(said: str, shown: str, home: Home) -> None:
    run = create_run(home, {"kind": "sweep", "name": "s", "dataset": "d"}, "sweep")
    run.update(device=said)
    assert _device(run, Slot("cuda:1")) == shown
    assert _device(run, None) == ("CPU, 1 thread" if said.startswith("CPU") else "")
    assert CPU.name == "cpu"


def test_a_pool_that_was_whole_says_how_many_images_it_has(home: Home) -> None:
    """Its worker was killed between the manifest and its last word."""
    run = create_run(home, {"kind": "pool", "name": "p", "dataset": "d"}, "pool")
    (run.path / "manifest.csv").write_text(",".join(COLUMNS) + "\nimages/a/1.png,a,1,,,,\nimages/a/2.png,a,2,,,,\n")
    told: list[Progress] = []
    config = PoolConfig(name="p", dataset="d", generators=(GeneratorReference(run="g"),))
    assert make(run, config, told.append) == "finished"
    assert [(progress.done, progress.total, progress.unit) for progress in told] == [(2, 2, "images")]
