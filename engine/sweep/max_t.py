"""Differences at several ratios together: one null, one p, one interval for each of them and for their mean.

The differences at the ratios of an arm share their seeds, their test images and most of their synthetic images, so
that they are far from independent: a correction that takes them for such (Bonferroni, Holm) gives power away. The
distribution of the largest |t| under the null is had from their estimated covariance instead (single-step max-t:
Westfall and Young 1993; Hothorn, Bretz and Westfall 2008).

The covariance is that of a crossed design with both factors random, seeds and test patients (see
`statistics.two_way_interval`): seeds + patients - both. A normal of the same tail probability stands for each |t|, so
that p and interval come from one quantile and never contradict each other. The degrees of freedom are the smallest of
the family: from few seeds they are estimated with a wide error, and far in the tail, where the largest of several lies,
too many of them cost more than for one difference alone (benchmarks/error_rates.py; contrasts of unequal variances:
Hasler and Hothorn 2008).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import optimize, special, stats

from engine.sweep.statistics import ALPHA, luck_of_patients

DIRECTIONS = 1024
"""Directions in which the largest |z| is looked for: a p of 0.05 is known to 0.0004."""


@dataclass(frozen=True)
class Crossed:
    """Mean differences `[R]`, and what chance does to them."""

    means: np.ndarray
    seeds: np.ndarray
    images: np.ndarray
    """Covariances `[R, R]` of the means by the luck of the seeds, and by that of the test patients."""
    freedom: np.ndarray
    """Degrees of freedom `[R]` (Satterthwaite)."""

    @property
    def errors(self) -> np.ndarray:
        """Standard errors `[R]`."""
        return np.sqrt(np.diag(self.seeds) + np.diag(self.images))


@dataclass(frozen=True)
class Judged:
    """A two-sided p and an interval: one of 95 %, or what the alpha of a look leaves."""

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
    squares = np.stack([np.diag(each) for each in (seeds, patients, both)])
    # of several differences one goes as far into the tail as a share of alpha does
    of_each, freedom = luck_of_patients(squares, n_seeds, n_patients, ALPHA / len(means))
    images = _positive(patients - both, np.maximum(np.diag(patients - both), 0.0))
    np.fill_diagonal(images, np.maximum(of_each, np.diag(images)))
    return Crossed(means, seeds, images, freedom)


def with_luck_of_generators(of_seeds: Crossed, of_generators: Crossed, generators: int) -> Crossed:
    """The luck of generators added to that of seeds and patients, from the same differences by seed and by generator.

    The means over the seeds of a generator vary by its luck and by that of its seeds. There are few of them, so that
    they may agree by chance alone: a difference varies no less than when the generators are taken as they are, and its
    degrees of freedom are one less than there are generators, whatever else varies (Satterthwaite's, from so uncertain
    a mean square, are too many). How differences at several ratios go together is taken from the seeds, which are more.
    """
    errors = of_seeds.errors
    larger = np.fmax(errors, of_generators.errors)
    scale = np.divide(larger, errors, out=np.ones_like(errors), where=errors > 0)
    whole = (of_seeds.seeds + of_seeds.images) * np.outer(scale, scale)
    np.fill_diagonal(whole, larger**2)
    return Crossed(
        of_seeds.means, whole - of_seeds.images, of_seeds.images, np.fmin(of_seeds.freedom, generators - 1.0)
    )


def alone(found: Crossed, alpha: float = ALPHA) -> list[Judged]:
    """Each difference by itself, as if it were the only one: for one that was declared."""
    return [
        _judged(mean, error, freedom, _tail(mean, error, freedom), alpha / 2)
        for mean, error, freedom in zip(found.means, found.errors, found.freedom, strict=True)
    ]


def together(found: Crossed, alpha: float = ALPHA) -> list[Judged]:
    """All of them at once: the probability that any |t| is as large, and intervals of 1 - alpha that hold together."""
    errors = found.errors
    sound = np.isfinite(errors) & (errors > 0)
    if sound.sum() < 2:
        return alone(found, alpha)
    covariance = (found.seeds + found.images)[np.ix_(sound, sound)]
    largest = Largest(covariance / np.outer(errors[sound], errors[sound]))
    tail_of_all = min(float(special.ndtr(-largest.critical(alpha))), alpha / 2)
    freedom = float(found.freedom[sound].min())
    judged = []
    for mean, error in zip(found.means, errors, strict=True):
        if not error > 0:
            judged.append(_judged(mean, error, freedom, math.nan, alpha / 2))
            continue
        tail = float(special.stdtr(freedom, -abs(mean) / error))
        p = largest.beyond(-float(special.ndtri(tail))) if tail > 0 else 0.0
        judged.append(_judged(mean, error, freedom, max(p, 2 * tail), tail_of_all))
    return judged


def critical_value(correlation: np.ndarray, alpha: float = ALPHA) -> float:
    """The |z| that the largest of normals with this correlation `[R, R]` exceeds with the probability `alpha`."""
    return Largest(correlation).critical(alpha)


class Largest:
    """The distribution of the largest |z| of normals with a correlation `[R, R]`.

    A normal vector is a direction times a length whose square is chi-square (Deak 1980): in each of the directions the
    length's part is exact, and only the directions, a Sobol sequence, are drawn.
    """

    def __init__(self, correlation: np.ndarray) -> None:
        values, vectors = np.linalg.eigh(correlation)
        kept = values > 1e-9 * values.max()
        self.rank = int(kept.sum())
        root = vectors[:, kept] * np.sqrt(values[kept])
        self._stretch = np.square(np.abs(root @ _directions(self.rank)).max(0))

    def beyond(self, z: float) -> float:
        """The probability of a larger one."""
        return float(special.chdtrc(self.rank, z * z / self._stretch).mean())

    def critical(self, alpha: float = ALPHA) -> float:
        """The |z| beyond which `alpha` lies: by secants in the scale of one normal, where the tail is straight."""
        single = -float(special.ndtri(alpha / 2))
        if self.rank == 1:
            return single

        def lacks(z: float) -> float:
            return -float(special.ndtri(self.beyond(z) / 2)) - single

        return float(optimize.newton(lacks, x0=single, x1=single + 0.2, tol=1e-13, rtol=1e-14))


def _tail(mean: float, error: float, freedom: float) -> float:
    """The two-sided p of one difference; unknown where there is no error to hold it against."""
    return 2 * float(special.stdtr(freedom, -abs(mean) / error)) if error > 0 else math.nan


def _judged(mean: float, error: float, freedom: float, p: float, tail: float) -> Judged:
    """`tail`: probability beyond either end of the interval."""
    if not math.isfinite(error):
        return Judged(math.nan, math.nan, math.nan)
    if error == 0:  # no seed and no patient differed: a point
        return Judged(0.0 if mean else 1.0, float(mean), float(mean))
    half = -float(special.stdtrit(freedom, tail)) * error
    return Judged(p, float(mean - half), float(mean + half))


@lru_cache(maxsize=8)
def _directions(rank: int) -> np.ndarray:
    """Unit vectors `[rank, DIRECTIONS]`, always the same ones."""
    if rank == 1:
        return np.ones((1, 1))
    places = stats.qmc.Sobol(rank, seed=0).random(DIRECTIONS).T
    normals = special.ndtri(places)
    return np.asarray(normals / np.linalg.norm(normals, axis=0))


def _positive(matrix: np.ndarray, diagonal: np.ndarray) -> np.ndarray:
    """The nearest covariance with this diagonal: negative eigenvalues, which estimates have, are cut off."""
    values, vectors = np.linalg.eigh(matrix)
    if values.min() >= 0:
        return matrix
    cut = (vectors * np.clip(values, 0, None)) @ vectors.T
    own = np.diag(cut)
    scale = np.sqrt(np.divide(diagonal, own, out=np.zeros_like(own), where=own > 0))
    return cut * np.outer(scale, scale)
