"""Statistics of a sweep: pure functions of arrays, cross-checked in the tests against scipy.

Differences are fractions of accuracy (0.02 = two points), positive when the first arm is better.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import stats

RESAMPLES = 9999
EXACT_UP_TO = 12
QUICK_LOOK_BELOW = 6
"""With fewer paired seeds no two-sided sign-flip p can be below 0.05."""
ALPHA = 0.05


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float


def bootstrap_interval(values: np.ndarray) -> Interval:
    """Mean of values `[N]` with its BCa bootstrap interval (Efron 1987); values all equal give a point."""
    mean = float(np.mean(values))
    if len(values) < 2 or np.ptp(values) < 1e-12:
        return Interval(mean, mean, mean)
    for method in ("BCa", "percentile"):  # BCa is undefined for some near-constant data
        with np.errstate(all="ignore"):
            found = stats.bootstrap((values,), np.mean, method=method, n_resamples=RESAMPLES, rng=0)
        low, high = found.confidence_interval
        if math.isfinite(low) and math.isfinite(high):
            break
    return Interval(mean, float(low), float(high))


def sign_flip_p(differences: np.ndarray) -> float:
    """Two-sided p of paired differences `[N]` under random signs: exact up to 12 of them, else 20,000 draws."""
    n = len(differences)
    if n <= EXACT_UP_TO:
        signs = np.array(list(product((1.0, -1.0), repeat=n)))
    else:
        signs = np.random.default_rng(0).choice([1.0, -1.0], size=(19_999, n))
        signs = np.concatenate((np.ones((1, n)), signs))  # what was observed is one of the draws
    observed = abs(differences.mean())
    return float((np.abs(signs @ differences) / n >= observed - 1e-12).mean())


def smallest_sign_flip_p(n: int) -> float:
    """The smallest two-sided p that `n` paired seeds can give: 0.25 (3), 0.0625 (5), 0.031 (6), 0.0078 (8)."""
    return min(1.0, 2.0 ** (1 - n))


def holm(p_values: list[float]) -> list[float]:
    """Holm's step-down correction (1979), in the given order."""
    m = len(p_values)
    corrected, highest = [0.0] * m, 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        highest = max(highest, min(1.0, (m - rank) * p_values[index]))
        corrected[index] = highest
    return corrected


def wilson_interval(share: float, n: int) -> Interval:
    """95 % interval of a share observed on `n` images (Wilson 1927)."""
    z = stats.norm.ppf(0.975)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(share, centre - half, centre + half)


def cluster_bootstrap(values: np.ndarray, groups: np.ndarray, resamples: int = RESAMPLES) -> Interval:
    """Mean of per-image values `[N]` with a percentile interval over test images, whole groups drawn together."""
    _, cluster = np.unique(groups, return_inverse=True)
    sums = np.bincount(cluster, weights=values)
    sizes = np.bincount(cluster)
    n = len(sizes)
    counts = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=resamples)
    low, high = np.quantile((counts @ sums) / (counts @ sizes), (0.025, 0.975))
    return Interval(float(values.mean()), float(low), float(high))


def detectable(n_test: int, seeds: int, ratios: int) -> dict[str, float]:
    """What a sweep can show at best, known before it starts.

    `half_width`: Wilson half-width at 85 % accuracy on so many test images; `smallest_p` of so many seeds, and
    `smallest_p_holm` after Holm's correction over the ratios, which must be below 0.05 for any claim.
    """
    interval = wilson_interval(0.85, n_test)
    p = smallest_sign_flip_p(seeds)
    return {
        "half_width": (interval.high - interval.low) / 2,
        "at": 0.85,
        "n_test": n_test,
        "smallest_p": p,
        "smallest_p_holm": min(1.0, p * ratios),
    }


def seeds_to_claim(ratios: int) -> int:
    """The fewest paired seeds with which Holm's correction over so many ratios leaves room for a claim."""
    return next(n for n in range(2, 64) if smallest_sign_flip_p(n) * ratios < ALPHA)


def seeds_needed(mean: float, spread: float, ratios: int) -> int | None:
    """Paired seeds that show a mean difference of this size and spread with 80 % power (normal approximation).

    None when 1,000 seeds would not do.
    """
    if abs(mean) < 1e-12:
        return None
    z = stats.norm.ppf(1 - ALPHA / (2 * ratios)) + stats.norm.ppf(0.8)
    needed = max(seeds_to_claim(ratios), math.ceil((z * spread / mean) ** 2))
    return needed if needed <= 1000 else None
