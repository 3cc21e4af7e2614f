"""A sweep whose trials are trained by others ends in the same bits, whoever is killed on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from engine.configs import SweepConfig
from engine.store.runs import Run
from engine.sweep import fan_out
from engine.sweep.fan_out import train_part
from engine.sweep.live_parts import part_name, take_live_rows, todo
from engine.sweep.runner import run_sweep
from tests.sweep.test_runner import NewSweep, assert_same_trials, stop_after, table


def spread(run: Run, config: SweepConfig, part: Callable[..., Any] = train_part) -> str:
    """Run a sweep to its end, its trials in parts."""
    for _ in range(5):
        outcome = run_sweep(run, config, workers=1, spread=True)
        if outcome != "spread":
            return outcome
        for fold, seed in todo(run):
            part(run, config, fold, seed, workers=1)
    raise AssertionError("the sweep does not end")


def assert_same_sweep(one: Run, other: Run) -> None:
    assert_same_trials(table(one), table(other))
    pd.testing.assert_frame_equal(*(pd.read_parquet(run.path / "metrics.parquet") for run in (one, other)))
    found = [json.loads((run.path / "summary.json").read_text()) for run in (one, other)]
    for summary in found:
        summary.pop("declared")  # which of the two had read the test set before
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "settings",
    [
        {"seeds": 2, "ratios": (1.0,)},
        {"seeds": 7, "ratios": (1.0,), "looks": (6, 7), "stop_at_claim": True, "steps": 4},
    ],
    ids=["small network", "planned looks"],
)
def test_a_spread_sweep_is_a_sweep_run_here_bit_for_bit(new_sweep: NewSweep, settings: dict[str, Any]) -> None:
    here, config = new_sweep(**settings)
    assert run_sweep(here, config, workers=1) == "finished"
    apart, config = new_sweep(**settings)
    assert spread(apart, config) == "finished"
    assert_same_sweep(here, apart)


def test_a_spread_sweep_of_folds_is_a_sweep_run_here(new_sweep: NewSweep, folds: list[dict[str, str]]) -> None:
    settings = {"seeds": 1, "ratios": (1.0,), "folds": folds}
    here, config = new_sweep(**settings)
    assert run_sweep(here, config, workers=1) == "finished"
    apart, config = new_sweep(**settings)
    assert run_sweep(apart, config, workers=1, spread=True) == "spread"
    assert todo(apart) == [(0, 0), (1, 0)]
    assert spread(apart, config) == "finished"
    assert_same_sweep(here, apart)


def test_a_part_that_was_killed_repeats_nothing(new_sweep: NewSweep) -> None:
    here, config = new_sweep(seeds=1, ratios=(1.0,))
    assert run_sweep(here, config, workers=1) == "finished"
    apart, config = new_sweep(seeds=1, ratios=(1.0,))
    assert run_sweep(apart, config, workers=1, spread=True) == "spread"
    assert train_part(apart, config, 0, 0, should_stop=stop_after(2), workers=1) == "stopped"
    file = apart.path / "groups" / f"{part_name(0, 0)}.parquet"
    first = pd.read_parquet(file)
    assert 0 < len(first) < len(table(here))
    assert train_part(apart, config, 0, 0, workers=1) == "finished"
    assert pd.read_parquet(file)["seconds"].tolist()[: len(first)] == first["seconds"].tolist()
    assert spread(apart, config) == "finished"
    assert_same_sweep(here, apart)


def test_a_missing_and_a_damaged_part_are_trained_again(new_sweep: NewSweep) -> None:
    here, config = new_sweep(seeds=2, ratios=(1.0,))
    assert run_sweep(here, config, workers=1) == "finished"
    apart, config = new_sweep(seeds=2, ratios=(1.0,))
    assert run_sweep(apart, config, workers=1, spread=True) == "spread"
    assert train_part(apart, config, 0, 0, workers=1) == "finished"
    (apart.path / "groups" / f"{part_name(0, 0)}.parquet").write_bytes(b"PAR1 torn")
    assert run_sweep(apart, config, workers=1, spread=True) == "spread"
    assert todo(apart) == [(0, 0), (0, 1)]
    assert run_sweep(apart, config, workers=1) == "finished"  # whoever is left trains them all
    assert_same_sweep(here, apart)


def test_a_sweep_that_began_here_goes_on_spread_and_parts_write_nothing_else(new_sweep: NewSweep) -> None:
    here, config = new_sweep(seeds=2, ratios=(1.0,))
    assert run_sweep(here, config, workers=1) == "finished"
    apart, config = new_sweep(seeds=2, ratios=(1.0,))
    assert run_sweep(apart, config, should_stop=stop_after(2), workers=1) == "stopped"
    kept = table(apart)["seconds"].tolist()

    def part(run: Run, *arguments: Any, **options: Any) -> None:
        before = {path: path.read_bytes() for path in run.path.iterdir() if path.is_file()}
        assert fan_out.train_part(run, *arguments, **options) == "finished"
        assert before == {path: path.read_bytes() for path in run.path.iterdir() if path.is_file()}

    assert spread(apart, config, part) == "finished"
    assert table(apart)["seconds"].tolist()[: len(kept)] == kept
    assert_same_sweep(here, apart)


def test_live_rows_are_taken_once(new_sweep: NewSweep) -> None:
    run, config = new_sweep(seeds=2, ratios=(1.0,))
    assert take_live_rows(run) == 0
    assert run_sweep(run, config, workers=1, spread=True) == "spread"
    train_part(run, config, 0, 0, workers=1)
    first = take_live_rows(run)
    assert first == len(run.read_metrics()[0]) > 0
    assert take_live_rows(run) == 0
    train_part(run, config, 0, 1, workers=1)
    live = run.path / "groups" / f"{part_name(0, 1)}.jsonl"
    whole = live.read_text()
    live.write_text(whole[:-9])  # a line that is still being written
    assert take_live_rows(run) == first - 1
    live.write_text(whole)
    assert take_live_rows(run) == 1
    assert spread(run, config) == "finished"
    assert len(run.read_metrics()[0]) == len(table(run))
