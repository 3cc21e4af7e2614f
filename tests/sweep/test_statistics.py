"""Statistics against scipy and against the numbers that the design notes state."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.stats import permutation_test

from engine.sweep.statistics import (
    TwoWayInterval,
    bootstrap_interval,
    cluster_bootstrap,
    cluster_bootstraps,
    holm,
    sign_flip_p,
    sign_flip_ps,
    smallest_sign_flip_p,
    two_way_interval,
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


def test_sign_flips_of_many_rows_are_those_of_each() -> None:
    rows = np.random.default_rng(0).normal(0.5, 1, (5, 8))
    assert sign_flip_ps(rows) == pytest.approx([sign_flip_p(row) for row in rows])


@pytest.mark.parametrize("n", [5, 8, 30])
def test_bootstrap_interval_is_scipys_and_survives_degenerate_data(n: int) -> None:
    values = np.random.default_rng(n).gamma(2, 1, n)
    found = bootstrap_interval(values)
    expected = stats.bootstrap((values,), np.mean, method="BCa", n_resamples=50_000, rng=0).confidence_interval
    drawn = 0.03 * (expected.high - expected.low)  # the luck of 9,999 resamples in the tails
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=drawn)
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


@pytest.mark.parametrize("n", [50, 100, 200, 500])
def test_wilson_is_scipys(n: int) -> None:
    right = round(0.85 * n)
    expected = stats.binomtest(right, n).proportion_ci(method="wilson")
    found = wilson_interval(right / n, n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_patients_drawn_together_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(40), 5)
    values = np.repeat(rng.random(40) < 0.8, 5).astype(float)  # all images of a patient agree
    apart = cluster_bootstrap(values, np.arange(200))
    together = cluster_bootstrap(values, patients)
    ratio = (together.high - together.low) / (apart.high - apart.low)
    assert ratio == pytest.approx(np.sqrt(5), rel=0.15)
    both = cluster_bootstraps(np.stack((values, 1 - values)), patients)
    assert both[0] == together
    assert both[1].low == pytest.approx(1 - together.high)
    image_share = stats.norm.interval(0.95, values.mean(), values.std() / np.sqrt(200))
    assert (apart.low, apart.high) == pytest.approx(image_share, abs=0.01)


def two_noises(rng: np.random.Generator, seeds: int, patients: int, of_seed: float, of_patient: float) -> np.ndarray:
    """Differences `[seeds, patients]` of mean 0 with luck of the seeds, luck of the patients, and the rest."""
    return (
        rng.normal(0, of_seed, (seeds, 1))
        + rng.normal(0, of_patient, (1, patients))
        + rng.normal(0, 1, (seeds, patients))
    )


def interval_of(values: np.ndarray, family: int = 1) -> TwoWayInterval:
    means = values.mean(1)
    return two_way_interval(means, (values - means[:, None]) / values.shape[1], family)


@pytest.mark.parametrize(("of_seed", "of_patient"), [(0.0, 0.0), (0.3, 0.0), (0.0, 1.5), (0.2, 1.0)])
def test_the_two_way_interval_holds_the_truth_whichever_noise_is_the_larger(of_seed: float, of_patient: float) -> None:
    rng, draws = np.random.default_rng(5), 1000
    found = [interval_of(two_noises(rng, 8, 60, of_seed, of_patient)) for _ in range(draws)]
    holding = sum(interval.low <= 0 <= interval.high for interval in found)
    assert holding >= stats.binom.ppf(0.001, draws, 0.95)
    assert np.mean([f.image_variance for f in found]) == pytest.approx(of_patient**2 / 60, rel=0.1, abs=0.0015)
    assert np.mean([f.seed_variance for f in found]) == pytest.approx(of_seed**2 / 8 + 1 / 480, rel=0.1)


def test_seeds_alone_do_not_hold_the_truth_about_other_test_images() -> None:
    """What the second noise is for: 8 seeds agree about the test set that they share."""
    rng = np.random.default_rng(6)
    values = [two_noises(rng, 8, 60, 0.0, 1.5) for _ in range(200)]
    alone = [stats.ttest_1samp(v.mean(1), 0).confidence_interval() for v in values]
    assert sum(interval.low <= 0 <= interval.high for interval in alone) < 120
    assert sum(interval.low <= 0 <= interval.high for interval in map(interval_of, values)) >= 180


def test_without_one_noise_the_two_way_interval_is_the_t_interval_of_the_other() -> None:
    rng = np.random.default_rng(1)
    by_seed = np.repeat(rng.normal(0.1, 1, (8, 1)), 50, axis=1)
    expected = stats.ttest_1samp(by_seed[:, 0], 0).confidence_interval()
    found = interval_of(by_seed)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    by_patient = np.repeat(rng.normal(0.1, 1, (1, 50)), 8, axis=0)
    expected = stats.ttest_1samp(by_patient[0], 0).confidence_interval()
    found = interval_of(by_patient)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_the_two_way_interval_agrees_with_a_bootstrap_over_both() -> None:
    """Seeds and patients drawn together: the bootstrap counts the rest three times (Owen 2007), so little is left."""
    rng = np.random.default_rng(2)
    values = two_noises(rng, 30, 200, 1.0, 2.0)
    seeds = rng.multinomial(30, np.full(30, 1 / 30), 4000) / 30
    patients = rng.multinomial(200, np.full(200, 1 / 200), 4000) / 200
    spread = ((seeds @ values) * patients).sum(1).std()
    found = interval_of(values)
    assert np.sqrt(found.seed_variance + found.image_variance) == pytest.approx(spread, rel=0.05)


def test_a_family_of_intervals_is_wider_and_too_few_have_none() -> None:
    values = np.random.default_rng(3).normal(0, 1, (8, 40))
    one, four = interval_of(values), interval_of(values, family=4)
    assert four.low < one.low < one.mean < one.high < four.high
    assert np.isnan(interval_of(values[:1]).low)
    assert np.isnan(interval_of(values[:, :1]).high)
    same = interval_of(np.zeros((8, 40)))
    assert (same.low, same.high) == (0, 0)
