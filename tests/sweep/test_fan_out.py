"""A sweep whose trials are trained by others ends in the same bits, whoever is killed on the way."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from engine.configs import SweepConfig
from engine.store import disk
from engine.store.errors import ErsatzError, RunDeleted
from engine.store.home import REPOSITORY, Home
from engine.store.runs import Run
from engine.sweep import inputs, runner
from engine.sweep.fan_out import train_part
from engine.sweep.live_parts import part_name, take_live_rows, todo
from engine.sweep.runner import run_sweep
from engine.sweep.summary_model import SweepSummary
from tests.sweep.conftest import make_dataset
from tests.sweep.test_runner import NewSweep, assert_same_trials, stop_after, table
from tests.sweep.test_training import tiny_backbone

SMALL: dict[str, Any] = {"ratios": (1.0,), "arms": ("real", "real+synthetic"), "steps": 3}


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Settings of heads on cached features, by a backbone of a few weights in place of a pretrained one."""
    monkeypatch.setattr(inputs, "resolve_weights", lambda *_: Path("tiny.pth"))
    monkeypatch.setattr(inputs, "open_backbone", lambda *_: tiny_backbone())
    return {"classifier": "resnet18", "views": 2}


def spread(run: Run, config: SweepConfig, part: Callable[..., Any] = train_part) -> None:
    """Run a sweep to its end, its trials in parts, in another order than that of the plan."""
    for _ in range(5):
        outcome = run_sweep(run, config, workers=1, spread=True)
        if outcome == "finished":
            return
        assert outcome == "spread"
        for fold, seed in reversed(todo(run)):
            part(run, config, fold, seed, workers=1)
            take_live_rows(run)
    raise AssertionError("the sweep does not end")


def live(run: Run) -> list[dict[str, Any]]:
    return [{**row, "seconds": 0, "time": 0} for row in run.read_metrics()[0]]


def written(run: Run) -> dict[str, tuple[int, int]]:
    """Which files of the folder itself there are, and when they were written."""
    stats = {path.name: path.stat() for path in run.path.iterdir() if path.is_file()}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in stats.items()}


def assert_same_sweep(one: Run, other: Run) -> None:
    """The same files with the same content, but for times and for what other sweeps had read before."""
    assert_same_trials(table(one), table(other))
    pd.testing.assert_frame_equal(*(pd.read_parquet(run.path / "metrics.parquet") for run in (one, other)))
    found = [json.loads((run.path / "summary.json").read_text()) for run in (one, other)]
    for summary in found:
        summary.pop("declared")
    assert found[0] == found[1]
    assert live(one) == live(other)
    files = [{path.name: path for path in run.path.iterdir() if path.is_file()} for run in (one, other)]
    assert files[0].keys() == files[1].keys()
    for name in files[0]:
        if name.endswith(".csv"):
            assert files[0][name].read_bytes() == files[1][name].read_bytes(), name
    assert not any(todo(run) for run in (one, other))


def whole_here(new_sweep: NewSweep, **settings: Any) -> tuple[Run, Run, SweepConfig]:
    """A sweep that was run here, and another one to be spread."""
    here, config = new_sweep(**settings)
    assert run_sweep(here, config, workers=1) == "finished"
    return here, *new_sweep(**settings)


def test_two_folds_of_small_networks_and_an_external_set(
    new_sweep: NewSweep, folds: list[dict[str, str]], home: Home
) -> None:
    make_dataset(home, {"train": 4, "valid": 2, "test": 6}, "elsewhere", first=5_000)
    here, apart, config = whole_here(new_sweep, ratios=(1.0,), folds=folds[:2], external="elsewhere", steps=4)
    assert run_sweep(apart, config, workers=1, spread=True) == "spread"
    assert todo(apart) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert not (apart.path / "trials.parquet").exists()
    spread(apart, config)
    assert_same_sweep(here, apart)
    assert "external" in table(apart)


def test_heads_on_features_that_are_computed_once(
    new_sweep: NewSweep, frozen: dict[str, Any], folds: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, apart, config = whole_here(new_sweep, ratios=(1.0,), folds=folds[:2], **frozen)
    shutil.rmtree(apart.home.cache)
    assert run_sweep(apart, config, spread=True) == "spread"
    views = (apart.path / "views.csv").read_bytes()
    assert views == (here.path / "views.csv").read_bytes()

    with monkeypatch.context() as patch:
        patch.setattr(inputs, "open_backbone", lambda *_: replace(tiny_backbone(), module=None))  # computes nothing
        before = written(apart)
        for fold, seed in todo(apart)[1:]:
            assert train_part(apart, config, fold, seed) == "finished"
        assert written(apart) == before
    # The second fold is done, and the first is not: its views are written anew, and those of the second stay.
    assert run_sweep(apart, config, spread=True) == "spread"
    assert todo(apart) == [(0, 0)]
    assert (apart.path / "views.csv").read_bytes() == views
    spread(apart, config)
    assert_same_sweep(here, apart)


@pytest.mark.parametrize("claims", [False, True])
def test_planned_looks_are_spread_one_by_one(
    new_sweep: NewSweep, claims: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def claiming(*arguments: Any, **options: Any) -> SweepSummary:
        found = summarise(*arguments, **options)
        return found.model_copy(update={"verdict": replace(found.verdict, verdict="helps")}) if claims else found

    summarise = runner.summarise
    monkeypatch.setattr(runner, "summarise", claiming)
    here, apart, config = whole_here(new_sweep, **SMALL, seeds=7, looks=(6, 7), stop_at_claim=True)
    handed: list[tuple[int, int]] = []

    def part(run: Run, config: SweepConfig, fold: int, seed: int, **options: Any) -> None:
        handed.append((fold, seed))
        assert (run.path / "summary.json").exists() == (seed == 6)  # the first look was read before
        train_part(run, config, fold, seed, **options)

    spread(apart, config, part)
    assert sorted(handed) == [(0, seed) for seed in range(6 if claims else 7)]
    assert_same_sweep(here, apart)


def test_parts_that_are_missing_or_damaged_are_trained_by_whoever_is_left(new_sweep: NewSweep) -> None:
    here, apart, config = whole_here(new_sweep, **SMALL, seeds=3)
    assert run_sweep(apart, config, workers=1, spread=True) == "spread"
    for seed in (0, 1):
        assert train_part(apart, config, 0, seed, workers=1) == "finished"
    file = apart.path / "groups" / f"{part_name(0, 0)}.parquet"
    file.write_bytes(file.read_bytes()[:-9])
    assert run_sweep(apart, config, workers=1, spread=True) == "spread"
    assert todo(apart) == [(0, 0), (0, 2)]
    assert [alarm.name for alarm in apart.status().alarms] == [f"repaired {file.name}"]

    file.write_bytes(b"PAR1 torn")
    (apart.path / "groups" / f"{part_name(0, 0)}.jsonl").write_text("no rows\n")
    assert train_part(apart, config, 0, 0, workers=1) == "finished"
    assert len(list(file.parent.glob("*.damaged"))) == 2
    kept = pd.read_parquet(file)["seconds"].tolist()
    assert run_sweep(apart, config, workers=1) == "finished"
    assert table(apart)["seconds"].tolist()[:2] == kept
    assert_same_sweep(here, apart)


def test_a_sweep_that_began_here_goes_on_spread_and_the_other_way_round(new_sweep: NewSweep) -> None:
    here, apart, config = whole_here(new_sweep, ratios=(1.0,), steps=3)
    assert run_sweep(apart, config, should_stop=stop_after(2), workers=1) == "stopped"
    kept = table(apart)["seconds"].tolist()
    spread(apart, config)
    assert len(kept) == 2
    assert table(apart)["seconds"].tolist()[:2] == kept
    assert len(pd.read_parquet(apart.path / "groups" / f"{part_name(0, 0)}.parquet")) == 2  # the others of this seed
    assert_same_sweep(here, apart)

    back, config = new_sweep(ratios=(1.0,), steps=3)
    assert run_sweep(back, config, workers=1, spread=True) == "spread"
    assert train_part(back, config, 0, 1, should_stop=stop_after(3), workers=1) == "stopped"
    kept = pd.read_parquet(back.path / "groups" / f"{part_name(0, 1)}.parquet")["seconds"].tolist()
    assert run_sweep(back, config, workers=1) == "finished"
    assert table(back)["seconds"].tolist()[4:7] == kept
    assert_same_trials(table(here), table(back))


def test_what_is_no_part_of_the_sweep_is_refused(new_sweep: NewSweep) -> None:
    run, config = new_sweep(**SMALL)
    with pytest.raises(ErsatzError, match="no trials of fold 1 and seed 0"):
        train_part(run, config, 1, 0)
    with pytest.raises(ErsatzError, match="no trials of fold 0 and seed 2"):
        train_part(run, config, 0, 2)
    assert not (run.path / "groups").exists()


def test_a_deleted_run_is_not_made_again(new_sweep: NewSweep) -> None:
    run, config = new_sweep(**SMALL)

    def delete() -> bool:
        shutil.rmtree(run.path, ignore_errors=True)
        return False

    with pytest.raises(RunDeleted):
        train_part(run, config, 0, 0, should_stop=delete, workers=1)
    assert not run.path.exists()


PART = """
import sys
from engine.jobs.kinds import parse_config
from engine.store.home import Home
from engine.store.runs import Run
from engine.sweep.fan_out import train_part

run = Run(Home.from_environment(), sys.argv[1])
assert train_part(run, parse_config(run.config()), 0, int(sys.argv[2]), workers=1) == "finished"
"""


@pytest.mark.slow
def test_parts_of_two_processes_at_the_same_time(new_sweep: NewSweep) -> None:
    here, apart, config = whole_here(new_sweep, ratios=(1.0,))
    assert run_sweep(apart, config, workers=1, spread=True) == "spread"
    parts = [subprocess.Popen([sys.executable, "-c", PART, apart.id, seed], cwd=REPOSITORY) for seed in "01"]
    while any(part.poll() is None for part in parts):
        take_live_rows(apart)
    assert [part.returncode for part in parts] == [0, 0]
    take_live_rows(apart)
    assert len(live(apart)) == len(table(here))
    assert run_sweep(apart, config, workers=1, spread=True) == "finished"
    assert_same_sweep(here, apart)


class Killed(BaseException):
    """No `Exception`, so that nobody takes it for an error and goes on."""


@contextmanager
def killed_before(number: int) -> Iterator[None]:
    """End the body before a step that it takes on the disk; of a row that is being appended there is half of it."""
    steps = count()

    def end(step: str, path: Path, when: str) -> None:
        if when == "before" and next(steps) == number:
            if step == "append":
                with path.open("ab") as file:
                    file.write(b'{"arm": "real", "rat')
            raise Killed

    disk.fault = end
    try:
        yield
    finally:
        disk.fault = None


def killed_everywhere(run: Run, body: Callable[[], Any], check: Callable[[], None]) -> int:
    """Have the body killed before its first, second, ... step, each time from how the run is now, and check what then
    becomes of it; the number of steps.
    """
    kept = run.path.with_name("kept")
    shutil.copytree(run.path, kept)
    for number in count():
        shutil.rmtree(run.path)
        shutil.copytree(kept, run.path)
        try:
            with killed_before(number):
                body()
        except Killed:
            check()
        else:
            return number
    raise AssertionError("never")


def test_a_part_that_is_killed_anywhere_repeats_nothing_that_it_has_written(new_sweep: NewSweep) -> None:
    run, config = new_sweep(**SMALL, seeds=1)
    assert run_sweep(run, config, workers=1, spread=True) == "spread"
    file = run.path / "groups" / f"{part_name(0, 0)}.parquet"

    def goes_on() -> None:
        first = pd.read_parquet(file)["seconds"].tolist() if file.exists() else []
        assert train_part(run, config, 0, 0, workers=1) == "finished"
        again = pd.read_parquet(file)
        assert again["seconds"].tolist()[: len(first)] == first
        rows = [json.loads(line) for line in file.with_suffix(".jsonl").read_text().splitlines()]
        assert [row["seconds"] for row in rows] == again["seconds"].tolist()
        assert len(again) == 2

    assert killed_everywhere(run, lambda: train_part(run, config, 0, 0, workers=1), goes_on) > 8


def test_live_rows_are_neither_doubled_nor_lost_wherever_their_taker_is_killed(new_sweep: NewSweep) -> None:
    run, config = new_sweep(**SMALL, seeds=3)
    assert take_live_rows(run) == 0
    assert run_sweep(run, config, workers=1, spread=True) == "spread"
    assert train_part(run, config, 0, 0, workers=1) == "finished"
    assert take_live_rows(run) == 2
    assert take_live_rows(run) == 0
    for seed in (1, 2):
        assert train_part(run, config, 0, seed, workers=1) == "finished"

    def takes_the_rest() -> None:
        before = len(live(run))
        assert take_live_rows(run) == 6 - before
        assert take_live_rows(run) == 0
        rows = [json.loads(line) for line in run.metrics_path.read_text().splitlines()]
        assert len({(row["arm"], row["seed"]) for row in rows}) == len(rows) == 6

    assert killed_everywhere(run, lambda: take_live_rows(run), takes_the_rest) == 4  # rows


def test_a_worker_that_is_killed_while_it_takes_parts_in_begins_again(new_sweep: NewSweep) -> None:
    here, run, config = whole_here(new_sweep, **SMALL, seeds=2)
    assert run_sweep(run, config, should_stop=stop_after(1), workers=1) == "stopped"
    assert run_sweep(run, config, workers=1, spread=True) == "spread"
    for fold, seed in reversed(todo(run)):
        assert train_part(run, config, fold, seed, workers=1) == "finished"
        take_live_rows(run)
    kept = sorted(row["seconds"] for row in run.read_metrics()[0])
    assert live(run) != live(here)  # as they ended

    def begins_again() -> None:
        runner._read_trials(run, config, None)
        assert_same_trials(table(here), table(run))
        assert live(run) == live(here)
        assert sorted(row["seconds"] for row in run.read_metrics()[0]) == kept
        assert not todo(run)

    assert killed_everywhere(run, lambda: runner._read_trials(run, config, None), begins_again) > 8


def test_rows_behind_a_damaged_one_are_not_taken_again_and_again(new_sweep: NewSweep) -> None:
    run, config = new_sweep(**SMALL, seeds=2)
    assert run_sweep(run, config, workers=1, spread=True) == "spread"
    assert train_part(run, config, 0, 0, workers=1) == "finished"
    assert take_live_rows(run) == 2
    run.metrics_path.write_bytes(b"\0\0\n" + run.metrics_path.read_bytes())
    assert train_part(run, config, 0, 1, workers=1) == "finished"
    size = run.metrics_path.stat().st_size
    assert (take_live_rows(run), run.metrics_path.stat().st_size) == (0, size)
    assert run_sweep(run, config, workers=1, spread=True) == "finished"
    assert [row["seed"] for row in live(run)] == [0, 0, 1, 1]
    assert [alarm.name for alarm in run.status().alarms] == ["repaired metrics.jsonl"]


def test_a_part_of_which_half_a_row_is_written_waits_for_the_rest(new_sweep: NewSweep) -> None:
    run, config = new_sweep(**SMALL, seeds=1)
    assert train_part(run, config, 0, 0, workers=1) == "finished"
    file = run.path / "groups" / f"{part_name(0, 0)}.jsonl"
    content = file.read_text()
    file.write_text(content[:-9])
    assert take_live_rows(run) == 1
    file.write_text(content)
    assert take_live_rows(run) == 1
    assert take_live_rows(run) == 0
