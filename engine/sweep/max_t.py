"""Differences at several ratios together: one null, one p, one interval for each of them and for their mean.

The differences at the ratios of an arm share their seeds, their test images and most of their synthetic images, so
that they are far from independent: a correction that takes them for such (Bonferroni, Holm) gives power away. The
distribution of the largest |t| under the null is had from their estimated covariance instead (single-step max-t:
Westfall and Young 1993; Hothorn, Bretz and Westfall 2008).

The covariance is that of a crossed design with both factors random, seeds and test patients (see
`statistics.two_way_interval`): seeds + patients - both. Each |t| has its own degrees of freedom; a normal of the same
tail probability stands for it, so that p and interval come from one quantile and never contradict each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special

from engine.sweep.statistics import ALPHA

DRAWS = 100_000
"""Draws of the largest |z|: the standard error of a p of 0.05 is 0.0007."""


@dataclass(frozen=True)
class Crossed:
    """Mean differences `[R]`, and what chance does to them."""

    means: np.ndarray
    seeds: np.ndarray
    images: np.ndarray
    """Covariances `[R, R]` of the means by the luck of the seeds, and by that of the test patients."""
    freedom: np.ndarray
    """Degrees of freedom `[R]` (Satterthwaite, as Hillis 2007)."""

    @property
    def errors(self) -> np.ndarray:
        """Standard errors `[R]`."""
        return np.sqrt(np.diag(self.seeds) + np.diag(self.images))


@dataclass(frozen=True)
class Judged:
    """A two-sided p and a 95 % interval."""

    p: float
    low: float
    high: float


def crossed(values: np.ndarray, parts: np.ndarray) -> Crossed:
    """From the differences of S seeds `[R, S]` and the influences `[R, S, G]` of G test patients on them.

    NaN with one seed or one patient, for then one kind of luck is unknown.
    """
    n_seeds, n_patients = parts.shape[1:]
    means = values.mean(1)
    if n_seeds < 2 or n_patients < 2:
        unknown = np.full((len(means), len(means)), math.nan)
        return Crossed(means, unknown, unknown, np.full(len(means), math.nan))
    of_seeds = values - means[:, None]
    of_patients = parts.mean(1) * n_patients
    rest = ((parts - parts.mean(1, keepdims=True)) * n_patients).reshape(len(means), -1)
    seeds = of_seeds @ of_seeds.T / (n_seeds - 1) / n_seeds
    patients = of_patients @ of_patients.T / (n_patients - 1) / n_patients
    both = rest @ rest.T / ((n_seeds - 1) * (n_patients - 1)) / (n_seeds * n_patients)
    images = _positive(patients - both, np.maximum(np.diag(patients - both), 0.0))
    a, b = np.diag(seeds), np.diag(images)
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = (a + b) ** 2 / (a**2 / (n_seeds - 1) + b**2 / (n_patients - 1))
    return Crossed(means, seeds, images, np.where(a + b > 0, freedom, math.inf))


def alone(found: Crossed) -> list[Judged]:
    """Each difference by itself, as if it were the only one: for one that was declared."""
    return [
        _judged(mean, error, freedom, 2 * float(special.stdtr(freedom, -abs(mean) / error)) if error > 0 else math.nan)
        for mean, error, freedom in zip(found.means, found.errors, found.freedom, strict=True)
    ]


def together(found: Crossed) -> list[Judged]:
    """All of them at once: the probability that any |t| is as large, and intervals that hold together with 95 %."""
    errors = found.errors
    sound = np.isfinite(errors) & (errors > 0)
    if sound.sum() < 2:
        return alone(found)
    covariance = (found.seeds + found.images)[np.ix_(sound, sound)]
    largest = _largest(covariance / np.outer(errors[sound], errors[sound]))
    tail_of_all = min(float(special.ndtr(-_critical(largest))), ALPHA / 2)
    judged = []
    for mean, error, freedom in zip(found.means, errors, found.freedom, strict=True):
        if not error > 0:
            judged.append(_judged(mean, error, freedom, math.nan))
            continue
        tail = float(special.stdtr(freedom, -abs(mean) / error))
        p = float((largest >= -special.ndtri(tail)).mean()) if tail > 0 else 0.0
        judged.append(_judged(mean, error, freedom, max(p, 2 * tail), tail_of_all))
    return judged


def critical_value(correlation: np.ndarray) -> float:
    """The |z| that the largest of normals with this correlation `[R, R]` exceeds with a probability of 5 %."""
    return _critical(_largest(correlation))


def _critical(largest: np.ndarray) -> float:
    """The draw beyond which fewer than 5 % lie: p is below 0.05 exactly where |z| is larger."""
    place = len(largest) - round(ALPHA * len(largest))
    return float(np.partition(largest, place)[place])


def _judged(mean: float, error: float, freedom: float, p: float, tail: float = ALPHA / 2) -> Judged:
    """`tail`: probability beyond either end of the interval."""
    if not math.isfinite(error):
        return Judged(math.nan, math.nan, math.nan)
    if error == 0:  # no seed and no patient differed: a point
        return Judged(0.0 if mean else 1.0, float(mean), float(mean))
    half = -float(special.stdtrit(freedom, tail)) * error
    return Judged(p, float(mean - half), float(mean + half))


def _largest(correlation: np.ndarray) -> np.ndarray:
    """The largest |z| `[DRAWS]` of normals with this correlation, always of the same draws."""
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.clip(values, 0, None))
    return np.abs(root @ _normals(len(correlation))).max(0)


@lru_cache(maxsize=4)
def _normals(n: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((n, DRAWS))


def _positive(matrix: np.ndarray, diagonal: np.ndarray) -> np.ndarray:
    """The nearest covariance with this diagonal: negative eigenvalues, which estimates have, are cut off."""
    values, vectors = np.linalg.eigh(matrix)
    if values.min() >= 0:
        return matrix
    cut = (vectors * np.clip(values, 0, None)) @ vectors.T
    own = np.diag(cut)
    scale = np.sqrt(np.divide(diagonal, own, out=np.zeros_like(own), where=own > 0))
    return cut * np.outer(scale, scale)
