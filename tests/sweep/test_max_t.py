"""Several ratios at once: agreement with known statistics, and p and interval that never contradict each other."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from engine.sweep.max_t import Judged, alone, critical_value, crossed, together
from engine.sweep.statistics import two_way_interval


def drawn(
    seed: int, ratios: int = 4, seeds: int = 8, patients: int = 60, common: float = 0.7, shift: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Differences `[R, S]` and influences `[R, S, G]`; `common` is the part of the luck that the ratios share."""
    rng = np.random.default_rng(seed)

    def noise(*shape: int) -> np.ndarray:
        own, shared = rng.standard_normal((ratios, *shape)), rng.standard_normal((1, *shape))
        return np.sqrt(common) * shared + np.sqrt(1 - common) * own

    images = 0.2 * noise(seeds, 1) + noise(1, patients) + 0.5 * noise(seeds, patients)
    values = images.mean(2)
    return values + shift, (images - values[..., None]) / patients


def ends(judged: Judged) -> tuple[float, float]:
    return judged.low, judged.high


def test_by_itself_a_difference_has_the_two_way_interval_and_its_t() -> None:
    values, parts = drawn(1)
    found = crossed(values, parts)
    for row, judged in enumerate(alone(found)):
        expected = two_way_interval(values[row], parts[row])
        assert ends(judged) == pytest.approx((expected.low, expected.high))
        error = np.sqrt(expected.seed_variance + expected.image_variance)
        assert judged.p == pytest.approx(2 * stats.t.sf(abs(expected.mean) / error, found.freedom[row]))


def test_with_the_luck_of_seeds_alone_it_is_the_paired_t_test() -> None:
    values = np.random.default_rng(2).normal(0.5, 1, (1, 8))
    (judged,) = alone(crossed(values, np.zeros((1, 8, 50))))
    expected = stats.ttest_1samp(values[0], 0)
    assert judged.p == pytest.approx(expected.pvalue)
    assert ends(judged) == pytest.approx(tuple(expected.confidence_interval()))


def test_one_ratio_pays_nothing_and_neither_do_equal_ones() -> None:
    values, parts = drawn(3, ratios=1)
    assert together(crossed(values, parts)) == alone(crossed(values, parts))
    same = crossed(np.repeat(values, 4, axis=0), np.repeat(parts, 4, axis=0))
    for corrected, single in zip(together(same), alone(same), strict=True):
        assert ends(corrected) == pytest.approx(ends(single), rel=0.02)
        assert single.p <= corrected.p == pytest.approx(single.p, abs=0.005)


@pytest.mark.parametrize("ratios", [2, 5])
def test_independent_ones_pay_sidaks_price(ratios: int) -> None:
    sidak = stats.norm.isf((1 - 0.95 ** (1 / ratios)) / 2)
    assert critical_value(np.eye(ratios)) == pytest.approx(sidak, abs=0.015)


def test_the_more_they_share_the_smaller_is_the_price() -> None:
    shared = [critical_value(np.full((5, 5), rho) + (1 - rho) * np.eye(5)) for rho in (0.0, 0.5, 0.9, 1.0)]
    assert shared == sorted(shared, reverse=True)
    assert shared[-1] == pytest.approx(1.96, abs=0.015)


def test_p_is_below_five_percent_exactly_where_the_interval_excludes_zero() -> None:
    """For thousands of shifts, so fine about the edge that a quantile that is off by one draw would show."""
    told = []
    values, parts = drawn(4)
    of_null = crossed(values, parts)
    edge = np.abs([judged.high - judged.low for judged in together(of_null)]).max() / 2
    for shift in np.concatenate((np.linspace(-2 * edge, 2 * edge, 60), np.linspace(0.999, 1.001, 40) * edge)):
        for judged in (*together(crossed(values + shift, parts)), *alone(crossed(values + shift, parts))):
            assert (judged.p < 0.05) == (judged.low > 0 or judged.high < 0)
            told.append(judged.p < 0.05)
    assert 0.2 < np.mean(told) < 0.8


def test_neither_the_order_of_ratios_nor_that_of_seeds_and_patients_matters() -> None:
    values, parts = drawn(5, shift=0.2)
    expected = together(crossed(values, parts))
    turned = together(crossed(values[::-1], parts[::-1]))[::-1]
    for one, other in zip(expected, turned, strict=True):
        assert one.p == pytest.approx(other.p, abs=0.003)
        assert ends(one) == pytest.approx(ends(other), abs=0.01)
    rng = np.random.default_rng(0)
    seeds, patients = rng.permutation(8), rng.permutation(60)
    shuffled = together(crossed(values[:, seeds], parts[:, seeds][..., patients]))
    assert [judged.p for judged in shuffled] == pytest.approx([judged.p for judged in expected], abs=1e-4)


def test_the_family_errs_in_five_percent() -> None:
    claims = [min(judged.p for judged in together(crossed(*drawn(seed, common=0.3)))) < 0.05 for seed in range(200)]
    assert sum(claims) <= stats.binom.ppf(0.995, 200, 0.05)


def test_what_did_not_differ_is_a_point_and_too_few_seeds_are_unknown() -> None:
    values, parts = drawn(6, ratios=3)
    values[0], parts[0] = 0.0, 0.0
    still, *others = together(crossed(values, parts))
    assert (still.p, still.low, still.high) == (1.0, 0.0, 0.0)
    assert all(judged.low < judged.high for judged in others)
    assert all(np.isnan(judged.p) for judged in together(crossed(values[:, :1], parts[:, :1])))
    assert all(np.isnan(judged.high) for judged in together(crossed(values, parts[..., :1])))
