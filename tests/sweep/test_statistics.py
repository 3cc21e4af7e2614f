"""Statistics against scipy and against the numbers that the design notes state."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.stats import permutation_test

from engine.sweep.statistics import (
    bootstrap_interval,
    cluster_bootstrap,
    detectable,
    holm,
    seeds_needed,
    sign_flip_p,
    smallest_sign_flip_p,
    wilson_interval,
)


@pytest.mark.parametrize("n", [3, 5, 8, 12])
def test_sign_flip_is_scipys_exact_paired_permutation(n: int) -> None:
    for seed in range(4):
        differences = np.random.default_rng(seed).normal(0.3, 1, n)
        exact = permutation_test(
            (differences,), np.mean, permutation_type="samples", alternative="two-sided", n_resamples=np.inf
        )
        assert sign_flip_p(differences) == pytest.approx(exact.pvalue)


def test_sign_flip_draws_come_close_to_the_exact_value() -> None:
    differences = np.random.default_rng(0).normal(0.4, 1, 13)
    exact = permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert sign_flip_p(differences) == pytest.approx(exact, abs=0.012)  # 4 standard errors of 20,000 draws at 0.2


def test_the_smallest_p_of_few_seeds() -> None:
    for n, p in ((3, 0.25), (5, 0.0625), (6, 0.03125), (8, 0.0078125)):
        assert smallest_sign_flip_p(n) == sign_flip_p(np.full(n, 0.01)) == p
    assert sign_flip_p(np.zeros(8)) == 1


def test_bootstrap_interval_is_scipys_and_survives_degenerate_data() -> None:
    values = np.random.default_rng(1).gamma(2, 1, 8)
    found = bootstrap_interval(values)
    low, high = stats.bootstrap((values,), np.mean, method="BCa", rng=0).confidence_interval
    assert (found.low, found.high) == (low, high)
    assert found.low < found.mean < found.high

    constant = bootstrap_interval(np.full(8, -0.02))
    assert constant.low == constant.mean == constant.high == pytest.approx(-0.02)
    single = bootstrap_interval(np.array([0.3]))
    assert (single.low, single.high) == (0.3, 0.3)
    nearly = bootstrap_interval(np.array([0, 0, 0, 0, 0, 0, 0, 0.1]))
    assert nearly.low <= nearly.mean <= nearly.high


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([0.04]) == [0.04]


@pytest.mark.parametrize(("n", "points"), [(50, 9.9), (100, 7.0), (200, 4.9), (500, 3.1)])
def test_wilson_is_scipys_and_gives_the_stated_widths(n: int, points: float) -> None:
    assert detectable(n, 8, 4)["half_width"] * 100 == pytest.approx(points, abs=0.05)
    right = round(0.85 * n)
    expected = stats.binomtest(right, n).proportion_ci(method="wilson")
    found = wilson_interval(right / n, n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_detectable_says_what_so_many_seeds_and_ratios_can_claim() -> None:
    assert detectable(100, 8, 4)["smallest_p_holm"] == pytest.approx(4 / 128)
    assert detectable(100, 6, 4)["smallest_p_holm"] == pytest.approx(4 / 32)


def test_patients_drawn_together_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(40), 5)
    values = np.repeat(rng.random(40) < 0.8, 5).astype(float)  # all images of a patient agree
    apart = cluster_bootstrap(values, np.arange(200))
    together = cluster_bootstrap(values, patients)
    ratio = (together.high - together.low) / (apart.high - apart.low)
    assert ratio == pytest.approx(np.sqrt(5), rel=0.15)
    image_share = stats.norm.interval(0.95, values.mean(), values.std() / np.sqrt(200))
    assert (apart.low, apart.high) == pytest.approx(image_share, abs=0.01)


def test_seeds_needed_grow_with_spread_and_end_at_none() -> None:
    few, many = seeds_needed(0.02, 0.01, 4), seeds_needed(0.02, 0.04, 4)
    assert few is not None
    assert many is not None
    assert 8 <= few < many
    assert seeds_needed(0.0001, 0.04, 4) is None
    assert seeds_needed(0.0, 0.0, 4) is None
