"""Statistics against scipy and against the numbers that the design notes state."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from engine.sweep.statistics import (
    TwoWayInterval,
    bootstrap_interval,
    cluster_bootstrap,
    cluster_bootstraps,
    freedom_of,
    luck_of_patients,
    seed_interval,
    two_way_interval,
    wilson_interval,
)


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


def test_few_seeds_have_students_interval_and_many_the_bootstrap() -> None:
    values = np.random.default_rng(1).normal(0.02, 0.01, 12)
    few = stats.ttest_1samp(values[:9], 0).confidence_interval()
    assert (seed_interval(values[:9]).low, seed_interval(values[:9]).high) == pytest.approx((few.low, few.high))
    assert seed_interval(values[:10]) == bootstrap_interval(values[:10])
    assert seed_interval(values[:1]).low == seed_interval(values[:1]).high == values[0]
    assert seed_interval(np.full(8, 0.5)).low == 0.5


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


def interval_of(values: np.ndarray) -> TwoWayInterval:
    means = values.mean(1)
    return two_way_interval(means, (values - means[:, None]) / values.shape[1])


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


def test_what_next_to_nothing_is_known_of_makes_no_interval_that_cannot_be() -> None:
    """Patients and both nearly equal, as on 30 head scans: the interval of +2.8 points was -197 to +203."""
    squares = np.array((0.0001, 0.00101, 0.001))
    assert freedom_of(squares, 6, 30) < 1
    images, freedom = luck_of_patients(squares, 6, 30)
    assert images == squares[1]
    assert 5 <= freedom <= 34
    images, freedom = luck_of_patients(np.array((0.0001, 0.01, 0.001)), 6, 30)
    assert images == pytest.approx(0.009)
    assert freedom == pytest.approx(freedom_of(np.array((0.0001, 0.01, 0.001)), 6, 30))
    images, _ = luck_of_patients(np.array((0.0001, 0.0005, 0.001)), 6, 30)
    assert images == 0, "patients that add no luck are not given any"


def test_the_two_way_interval_agrees_with_a_bootstrap_over_both() -> None:
    """Seeds and patients drawn together: the bootstrap counts the rest three times (Owen 2007), so little is left."""
    rng = np.random.default_rng(2)
    values = two_noises(rng, 30, 200, 1.0, 2.0)
    seeds = rng.multinomial(30, np.full(30, 1 / 30), 4000) / 30
    patients = rng.multinomial(200, np.full(200, 1 / 200), 4000) / 200
    spread = ((seeds @ values) * patients).sum(1).std()
    found = interval_of(values)
    assert np.sqrt(found.seed_variance + found.image_variance) == pytest.approx(spread, rel=0.05)


def test_too_few_have_no_interval_and_no_difference_is_a_point() -> None:
    values = np.random.default_rng(3).normal(0, 1, (8, 40))
    assert np.isnan(interval_of(values[:1]).low)
    assert np.isnan(interval_of(values[:, :1]).high)
    same = interval_of(np.zeros((8, 40)))
    assert (same.low, same.high) == (0, 0)
