"""The difference of two sweeps: against scipy's tests, and how often its intervals hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from engine.sweep.two_sweeps import OneSweep, apart


def sweep(right: np.ndarray, first_seed: int = 0) -> OneSweep:
    """Of answers `[S, G]`, by their accuracy."""
    means = right.mean(1)
    parts = (right - means[:, None]) / right.shape[1]
    return OneSweep(dict(enumerate(means, first_seed)), dict(enumerate(parts, first_seed)))


def test_without_luck_of_the_images_it_is_students_and_welchs_t() -> None:
    draw = np.random.default_rng(0)
    levels = draw.random((2, 5))
    one, other = (sweep(np.repeat(level[:, None], 40, axis=1)) for level in levels)
    paired, expected = apart(one, other, True), stats.ttest_rel(levels[1], levels[0]).confidence_interval(0.95)
    assert paired.how == "paired"
    assert (paired.interval.low, paired.interval.high) == pytest.approx((expected.low, expected.high))
    later = sweep(np.repeat(levels[1][:3, None], 40, axis=1), first_seed=100)
    welch = apart(one, later, True)
    expected = stats.ttest_ind(levels[1][:3], levels[0], equal_var=False).confidence_interval(0.95)
    assert welch.how == "same images"
    assert (welch.interval.low, welch.interval.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("how", ["paired", "same images", "apart"])
def test_intervals_of_3_seeds_hold_the_truth(how: str) -> None:
    """Seeds and patients with luck of their own; a normal at 3 seeds would hold it in some 80 %."""
    draw, held, rounds = np.random.default_rng(1), 0, 500
    for _ in range(rounds):
        ease = draw.normal(0, 1, (2, 1, 60))
        if how != "apart":
            ease[1] = ease[0]
        luck = draw.normal(0, 0.4, (2, 3, 1))
        if how == "paired":
            luck = luck * 0.7 + draw.normal(0, 0.3, (1, 3, 1))
        one, other = (draw.random((2, 3, 60)) < 1 / (1 + np.exp(-1 - ease - luck))).astype(float)
        found = apart(sweep(one), sweep(other, 0 if how == "paired" else 10), same_images=how != "apart")
        assert found.how == how
        held += found.interval.low <= 0 <= found.interval.high
    assert 0.92 <= held / rounds <= 0.99


def test_what_cannot_be_known_has_no_interval() -> None:
    many, single = sweep(np.eye(4)), sweep(np.eye(4)[:1])
    assert np.isnan(apart(many, single, True).interval.low)
    strange = apart(many, many, same_images=False, comparable=False)
    assert np.isnan(strange.interval.low) and strange.how == "" and strange.interval.mean == 0
