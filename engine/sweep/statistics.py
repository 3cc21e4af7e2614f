"""Statistics of a sweep: pure functions of arrays, cross-checked in the tests against scipy.

Differences are fractions of accuracy (0.02 = two points), positive when the first arm is better.

Two kinds of luck are in every difference: that of the seeds (initial weights, order, which synthetic images) and that
of the test images. A claim has to stand against both: eight seeds on one test set agree about that test set only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special, stats

RESAMPLES = 9999
QUICK_LOOK_BELOW = 6
"""A rule of the protocol, not a consequence of the test: what a handful of seeds vary by is too poorly known."""
BCA_FROM = 10
"""With fewer seeds a BCa interval is too narrow, and Student's t is taken."""
ALPHA = 0.05
DRAWN_AT_ONCE = 4_000_000
"""Counts of a cluster bootstrap in memory at once: 64 MB with their copy."""


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class TwoWayInterval(Interval):
    """A mean with an interval for both noises, and the variances of the mean that either causes alone."""

    seed_variance: float
    image_variance: float


def bootstrap_interval(values: np.ndarray) -> Interval:
    """Mean of values `[N]` with its BCa bootstrap interval (Efron 1987); values all equal give a point.

    As `scipy.stats.bootstrap`, with resamples that are drawn once: pages and simulations need hundreds of intervals.
    """
    values = np.asarray(values, float)
    n, mean = len(values), float(np.mean(values))
    if n < 2 or np.ptp(values) < 1e-12:
        return Interval(mean, mean, mean)
    means = _resamples(n) @ values / n
    tie = 1e-9 * np.ptp(values)
    below = ((means < mean - tie).mean() + (means < mean + tie).mean()) / 2
    pulls = mean - (values.sum() - values) / (n - 1)  # what leaving one value out takes from the mean
    acceleration = (pulls**3).sum() / (6 * (pulls**2).sum() ** 1.5)
    offset = special.ndtri(below)
    z = offset + special.ndtri(np.array((0.025, 0.975)))
    shares = special.ndtr(offset + z / (1 - acceleration * z))
    if not np.isfinite(shares).all():  # BCa is undefined for some near-constant data
        shares = np.array((0.025, 0.975))
    low, high = np.quantile(means, shares)
    return Interval(mean, float(low), float(high))


def seed_interval(values: np.ndarray) -> Interval:
    """Mean of one value a seed `[N]` with a 95 % interval for their luck: Student's t, from 10 seeds on BCa."""
    n, mean = len(values), float(np.mean(values))
    if n >= BCA_FROM or n < 2 or np.ptp(values) < 1e-12:
        return bootstrap_interval(values)
    half = float(special.stdtrit(n - 1, 1 - ALPHA / 2)) * float(np.std(values, ddof=1)) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half)


@lru_cache(maxsize=8)
def _resamples(n: int) -> np.ndarray:
    """How often each of `n` values is drawn in each resample, `[RESAMPLES, n]`."""
    return np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), RESAMPLES).astype(float)


def wilson_interval(share: float, n: float) -> Interval:
    """95 % interval of a share observed on `n` images, or on images worth so many (Wilson 1927)."""
    z = stats.norm.ppf(0.975)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(share, centre - half, centre + half)


def cluster_bootstrap(values: np.ndarray, groups: np.ndarray, resamples: int = RESAMPLES) -> Interval:
    """Mean of per-image values `[N]` with a percentile interval over test images, whole groups drawn together."""
    return cluster_bootstraps(values[None], groups, resamples)[0]


def cluster_bootstraps(values: np.ndarray, groups: np.ndarray, resamples: int = RESAMPLES) -> list[Interval]:
    """`cluster_bootstrap` of each row `[M, N]`, all from the same draws."""
    _, cluster = np.unique(groups, return_inverse=True)
    sizes = np.bincount(cluster)
    sums = np.stack([np.bincount(cluster, weights=row) for row in values])
    n, rng, means = len(sizes), np.random.default_rng(0), []
    at_once = max(1, DRAWN_AT_ONCE // n)
    for first in range(0, resamples, at_once):
        counts = rng.multinomial(n, np.full(n, 1 / n), size=min(at_once, resamples - first))
        means.append((counts @ sums.T) / (counts @ sizes)[:, None])
    low, high = np.quantile(np.concatenate(means), (0.025, 0.975), axis=0)
    return [Interval(float(row.mean()), float(a), float(b)) for row, a, b in zip(values, low, high, strict=True)]


def two_way_interval(means: np.ndarray, parts: np.ndarray) -> TwoWayInterval:
    """Mean over seeds `[S]` with a 95 % interval for the luck of the seeds and of the test patients together.

    `parts` `[S, G]` are the influences of G test patients on each seed's value (see `influence.py`), so that
    `means + G * parts` are pseudo-values: of a difference of accuracies with one image a patient, -1, 0 or 1. Seeds
    are to test images what readers are to cases in a reader study, and the interval is that of such studies:
    a crossed analysis of variance of the pseudo-values (Dorfman, Berbaum and Metz 1992), both factors random, with a
    t quantile at the degrees of freedom of `freedom_of`.

    Not defined (NaN) for one seed or one patient. Several at once: `max_t.py`.
    """
    n_seeds, n_patients = parts.shape
    mean = float(means.mean())
    if n_seeds < 2 or n_patients < 2:
        return TwoWayInterval(mean, math.nan, math.nan, math.nan, math.nan)
    of_patients = parts.mean(0) * n_patients
    rest = (parts - parts.mean(0)) * n_patients  # each seed's sum over the patients is 0: its mean is in `means`
    # Mean squares over S * G: each is a variance of the overall mean.
    seeds = float(means.var(ddof=1)) / n_seeds
    patients = float((of_patients**2).sum()) / (n_patients - 1) / n_patients
    both = float((rest**2).sum()) / ((n_seeds - 1) * (n_patients - 1)) / (n_seeds * n_patients)
    of_images, freedom = luck_of_patients(np.array((seeds, patients, both)), n_seeds, n_patients)
    images = float(of_images)
    variance = seeds + images
    if not variance > 0:
        return TwoWayInterval(mean, mean, mean, seeds, images)
    half = float(special.stdtrit(float(freedom), 1 - ALPHA / 2)) * math.sqrt(variance)
    return TwoWayInterval(mean, mean - half, mean + half, seeds, images)


def luck_of_patients(
    parts: np.ndarray, n_seeds: int, n_patients: int, alpha: float = ALPHA
) -> tuple[np.ndarray, np.ndarray]:
    """What the luck of the test patients adds to the variance, and the degrees of freedom of the whole, from the mean
    squares seeds, patients and both `[3, ...]`.

    It is patients - both, cut off at 0. Where the two are nearly equal, next to nothing is known of their difference:
    the degrees of freedom then fall below 1, and intervals become wider than anything that can be. Patients alone is on
    average at least as large as the luck, and much is known of it; where the interval of 1 - `alpha` is narrower with
    it, it stands in.
    """
    seeds, patients, both = parts
    images = np.maximum(patients - both, 0.0)
    freedom = freedom_of(parts, n_seeds, n_patients)
    at_most = freedom_of(np.stack([seeds, patients, np.zeros_like(both)]), n_seeds, n_patients)
    known = np.isfinite(freedom) & np.isfinite(at_most)
    quantile, of_most = (special.stdtrit(np.where(known, each, 1.0), 1 - alpha / 2) for each in (freedom, at_most))
    narrower = known & (of_most * np.sqrt(seeds + patients) < quantile * np.sqrt(seeds + images))
    return np.where(narrower, patients, images), np.where(narrower, at_most, freedom)


def freedom_of(parts: np.ndarray, n_seeds: int, n_patients: int) -> np.ndarray:
    """Satterthwaite's degrees of freedom of seeds + patients - both, the last two cut off at 0, from these `[3, ...]`.

    All three mean squares count, each with its own (Satterthwaite 1946; Hillis 2007 leaves the patients' out). Infinite
    where nothing varied.
    """
    seeds, patients, both = parts
    variance = seeds + np.maximum(patients - both, 0.0)
    images = np.where(patients > both, patients**2 / (n_patients - 1), 0.0)
    noise = np.where(patients > both, both**2 / ((n_seeds - 1) * (n_patients - 1)), 0.0)
    error = seeds**2 / (n_seeds - 1) + images + noise
    return np.divide(variance**2, error, out=np.full(np.shape(variance), np.inf), where=error > 0)
