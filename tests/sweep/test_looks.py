"""Planned looks: bounds as published, alpha kept however the information grows, and the right look in the sentence."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine.configs import SweepConfig
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import Run, State
from engine.sweep.comparisons import Comparison
from engine.sweep.extension import _exploratory, extended, require_same
from engine.sweep.look_results import LookResult, standing
from engine.sweep.looks import Boundary, information_fractions, next_boundary, planned_looks
from engine.sweep.max_t import alone, crossed, together
from engine.sweep.runner import run_sweep
from engine.sweep.summary_model import SweepSummary
from engine.sweep.verdict import PHANTOM, Verdict
from engine.sweep.verdict_words import percent
from tests.sweep.test_max_t import drawn

NewSweep = Callable[..., tuple[Run, SweepConfig]]


def boundaries(fractions: list[float], spending: Any = "obrien-fleming") -> list[Boundary]:
    found: list[Boundary] = []
    for look in range(1, len(fractions) + 1):
        found.append(next_boundary(found, fractions[:look], spending))
    return found


@pytest.mark.parametrize(
    ("spending", "looks", "bounds"),
    [  # as the packages gsDesign and ldbounds give them, two-sided at 5 %
        ("obrien-fleming", 2, [2.963, 1.969]),
        ("obrien-fleming", 3, [3.710, 2.511, 1.993]),
        ("pocock", 2, [2.157, 2.201]),
        ("pocock", 3, [2.279, 2.295, 2.296]),
    ],
)
def test_bounds_are_the_published_ones(spending: str, looks: int, bounds: list[float]) -> None:
    found = boundaries([look / looks for look in range(1, looks + 1)], spending)
    assert [look.bound for look in found] == pytest.approx(bounds, abs=0.001)
    assert found[-1].spent == pytest.approx(0.05)


@pytest.mark.parametrize("fractions", [[0.35, 0.7, 1.0], [0.9, 0.97, 1.0], [0.9999, 1.0]])
def test_alpha_is_five_percent_however_much_later_looks_add(fractions: list[float]) -> None:
    """A million walks with this information: 5 % of them pass a bound at some look."""
    steps = np.sqrt(np.diff([0.0, *fractions]))
    walks = np.random.default_rng(1).standard_normal((1_000_000, len(fractions))) @ np.triu(
        np.tile(steps, (len(steps), 1)).T
    )
    passed = np.abs(walks / np.sqrt(fractions)) > [look.bound for look in boundaries(fractions)]
    assert passed.any(1).mean() == pytest.approx(0.05, abs=0.0008)


def comparison(seeds: float, images: float) -> Comparison:
    nan = math.nan
    return Comparison(
        "real+synthetic",
        0.5,
        "real",
        "accuracy",
        0.0,
        nan,
        nan,
        nan,
        nan,
        8,
        0.0,
        seed_variance=seeds,
        image_variance=images,
    )


def test_information_grows_with_repetitions_only_as_far_as_they_are_what_varies() -> None:
    of_seeds, of_images = comparison(1e-4, 0.0), comparison(0.0, 1e-4)
    assert information_fractions([of_seeds], 8, (8, 16, 24), 24) == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert information_fractions([of_images], 8, (8, 16, 24), 24) == pytest.approx([1.0, 1.0, 1.0], abs=3e-4)
    assert information_fractions([of_seeds, of_images], 8, (8,), 24) == pytest.approx([1 / 3])
    half = information_fractions([comparison(1e-4, 1e-4)], 8, (8, 16), 16)
    assert half == pytest.approx([1.5 / 2, 1.0])
    assert information_fractions([], 8, (8, 16), 16) == [0.5, 1.0]


@pytest.mark.parametrize("alpha", [0.03, 0.0123, 0.0002])
def test_p_is_below_a_looks_alpha_exactly_where_its_interval_excludes_zero(alpha: float) -> None:
    values, parts = drawn(4)
    edge = max(judged.high - judged.low for judged in together(crossed(values, parts), alpha)) / 2
    told = []
    for shift in np.linspace(0, 2 * edge, 40):
        found = crossed(values + shift, parts)
        for judged in (*together(found, alpha), *alone(found, alpha)):
            assert (judged.p < alpha) == (judged.low > 0 or judged.high < 0)
            told.append(judged.p < alpha)
    assert 0.2 < np.mean(told) < 0.8


def test_a_claim_stands_whatever_later_looks_find() -> None:
    def look(verdict: Any, number: int) -> LookResult:
        found = Verdict(verdict, f"Look {number}.")
        return LookResult(number=number, of=2, seeds=8 * number, fraction=1, spent=0.02, alpha=0.02, verdict=found)

    now = Verdict("no evidence", "Nothing.")
    kept = standing([look("helps", 1)], now, "look 2 of 2 at 16 repetitions (nominal 4.5 %)")
    assert (kept.verdict, kept.sentence) == (
        "helps",
        "Look 1. That stands; look 2 of 2 at 16 repetitions (nominal 4.5 %): no evidence.",
    )
    assert standing([look("no evidence", 1)], now, "look 2") == now


def test_looks_say_where_a_sweep_ends_and_impossible_ones_are_refused() -> None:
    base = {"name": "s", "dataset": "d", "pool": "p"}
    planned = SweepConfig.build({**base, "looks": (8, 16, 24)})
    assert (planned.seeds, planned_looks(planned), planned_looks(planned.at(16))) == (24, (8, 16, 24), (8, 16))
    assert planned_looks(SweepConfig.build(base)) == (8,)
    for looks, told in (((8, 16), "seeds is 10"), ((16, 8), "growing"), ((3, 8), "from 6 on")):
        with pytest.raises(ErsatzError, match=told):
            SweepConfig.build({**base, "looks": looks, "seeds": 10})


def test_a_sweep_with_looks_ends_like_one_never_stopped_and_repetitions_added_claim_nothing(
    home: Home, new_sweep: NewSweep
) -> None:
    arms = ("real", "real+duplicates", "real+synthetic")
    settings = {"looks": (6, 7), "seeds": 7, "steps": 3, "ratios": (1.0,), "validations": 1, "arms": arms}
    run, config = new_sweep(**settings)
    left = iter([False] * 20)  # 18 trials are one look
    assert run_sweep(run, config, should_stop=lambda: next(left, True), workers=1) == "stopped"
    looked = SweepSummary.read(run.path / "summary.json")
    assert [look.seeds for look in looked.looks] == [6]
    assert run_sweep(run, config, workers=1) == "finished"
    whole, _ = new_sweep(**settings)
    assert run_sweep(whole, config, workers=1) == "finished"
    summary = SweepSummary.read(run.path / "summary.json")
    read_later = SweepSummary.read(whole.path / "summary.json")
    assert "after 1 other sweep had read" in read_later.declared  # which is all that differs
    assert summary == read_later.model_copy(update={"declared": summary.declared})
    assert [(look.seeds, look.number, look.of) for look in summary.looks] == [(6, 1, 2), (7, 2, 2)]
    alpha = summary.looks[-1].alpha
    assert {row.alpha for row in summary.comparisons} == {alpha} != {0.05}
    assert f"look 2 of 2 at 7 repetitions (nominal {percent(alpha)})" in summary.verdict.sentence

    with pytest.raises(ErsatzError, match="a sweep that has finished is expected"):
        extended(run, 9)
    run.update(state=State.FINISHED)
    with pytest.raises(ErsatzError, match="has 7 repetitions; a larger number"):
        extended(run, 7)
    more = extended(run, 8)
    with pytest.raises(ErsatzError, match=r"steps is 4, and was 3 .* the same is expected"):
        require_same(home, more.model_copy(update={"steps": 4}))
    later, _ = new_sweep(**more.model_dump(exclude={"name", "dataset", "pool"}))
    assert run_sweep(later, more, workers=1) == "finished"
    found = SweepSummary.read(later.path / "summary.json")
    assert found.seeds == 8
    assert found.verdict.verdict == summary.verdict.verdict
    assert found.verdict.sentence.startswith(summary.verdict.sentence)
    assert "not planned: exploratory" in found.verdict.sentence
    assert [look.planned for look in found.looks] == [True, True, False]
    first, second = (pd.read_parquet(each.path / "trials.parquet") for each in (run, later))
    assert np.array_equal(np.stack(first["scores"]), np.stack(second["scores"].iloc[: len(first)]))


@pytest.mark.parametrize("phantom", ["", PHANTOM])
def test_what_was_added_without_a_plan_never_says_that_images_help(phantom: str) -> None:
    first = Verdict("no evidence", "Nothing.")
    now = Verdict("helps", f"{phantom}Synthetic images help: by 3 points.")
    told = _exploratory(first, now, 24)
    assert (told.verdict, "help" in told.sentence) == ("no evidence", False)
    assert told.sentence.startswith("Nothing. Repetitions were added after a look that was not planned: exploratory")
    assert told.sentence.endswith("With 24 repetitions: by 3 points.")
