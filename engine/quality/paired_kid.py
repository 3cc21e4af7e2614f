"""Is the KID of one snapshot lower than that of another? Differences on the same real images and the same latent seeds.

Snapshots of a training are asked for the same seeds and held against the same real images, so that most of the luck in
two KIDs is common to both and falls out of their difference: a paired test sees what two intervals side by side do not.

KID is a two-sample U-statistic. To first order its luck is the sum of what every real image and every sampled image
moves it by (its Hajek projection, or infinitesimal jackknife: Serfling 1980, chapter 5; for the MMD, Gretton et al.
2012, section 3, and for the difference of two MMDs to one set of reals, Bounliphone et al. 2016, arXiv 1511.04581).
Images of one patient are luck of one kind and are summed. Both sets are random, so that the variance of a difference is
that of the patients plus that of the seeds; both contain the luck of the pairs, which makes the sum a little too large.

The snapshot with the lowest KID is chosen by the numbers, and any pair could have been the one that is told. p values
and intervals therefore hold for all pairs of snapshots together (single-step max-t, as in `engine/sweep/max_t.py`):
Tukey's comparisons with the estimated covariance, of which those with the best (Hsu 1981) are a part.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import special

from engine.quality.fid_kid import kernel_means

ALPHA = 0.05
DRAWS = 50_000
"""Draws of the largest |z|: the standard error of a p of 0.05 is 0.001."""


@dataclass(frozen=True)
class Moved:
    """What moves the KID of one snapshot: each patient `[G]`, in the order of their names, and each seed `[M]`."""

    patients: np.ndarray
    seeds: np.ndarray


@dataclass(frozen=True)
class Difference:
    """KID of one snapshot minus that of another, with a corrected two-sided p and a corrected 95 % interval."""

    value: float
    low: float
    high: float
    p: float


def moved_by(reals: np.ndarray, fakes: np.ndarray, groups: np.ndarray) -> Moved:
    """Influences on the KID of features [N, D] of reals and [M, D] of a snapshot's images; both sum to 0.

    `groups` [N]: the patient of each real image, another name for each image whose patient is unknown.
    """
    within_reals, within_fakes, of_reals, of_fakes = kernel_means(reals, fakes)
    by_real = 2 * (_centred(within_reals) - _centred(of_reals)) / len(reals)
    by_fake = 2 * (_centred(within_fakes) - _centred(of_fakes)) / len(fakes)
    _, patient = np.unique(groups, return_inverse=True)
    return Moved(np.bincount(patient, weights=by_real), by_fake)


def differences(kids: Mapping[str, float], moved: Mapping[str, Moved]) -> dict[tuple[str, str], Difference]:
    """KID of the first minus that of the second of every two snapshots, each pair in both orders.

    NaN but for the difference itself where there is one patient or one seed, for then its luck is unknown.
    """
    names = list(kids)
    patients = np.column_stack([moved[name].patients for name in names])
    seeds = np.column_stack([moved[name].seeds for name in names])
    of_patients, of_seeds = _covariance(patients), _covariance(seeds)
    covariance = of_patients + of_seeds
    pairs = list(combinations(range(len(names)), 2))
    errors = [math.sqrt(max(_of_difference(covariance, pair), 0.0)) for pair in pairs]
    # What differs by rounding alone is the same snapshot twice.
    smallest = 1e-9 * math.sqrt(max(float(np.diag(covariance).max()), 0.0)) if len(names) else 0.0
    sound = [at for at, error in enumerate(errors) if error > smallest]
    largest = _largest(covariance, [pairs[at] for at in sound], [errors[at] for at in sound]) if sound else None
    found: dict[tuple[str, str], Difference] = {}
    for at, (i, j) in enumerate(pairs):
        value = kids[names[i]] - kids[names[j]]
        if at not in set(sound) or largest is None:
            unknown = not math.isfinite(errors[at])
            made = Difference(value, math.nan, math.nan, math.nan) if unknown else Difference(value, value, value, 1.0)
        else:
            parts = _of_difference(of_patients, (i, j)), _of_difference(of_seeds, (i, j))
            made = _judged(value, errors[at], _freedom(parts, (len(patients), len(seeds))), largest)
        found[names[i], names[j]] = made
        found[names[j], names[i]] = Difference(-made.value, -made.high, -made.low, made.p)
    return found


def _judged(value: float, error: float, freedom: float, largest: np.ndarray) -> Difference:
    """Each |t| has its own degrees of freedom; a normal of the same tail probability stands for it."""
    tail = float(special.stdtr(freedom, -abs(value) / error))
    p = float((largest >= -special.ndtri(tail)).mean()) if tail > 0 else 0.0
    place = len(largest) - round(ALPHA * len(largest))
    critical = float(np.partition(largest, place)[place])
    tail_of_all = min(float(special.ndtr(-critical)), ALPHA / 2)
    half = -float(special.stdtrit(freedom, tail_of_all)) * error
    return Difference(value, value - half, value + half, max(p, 2 * tail))


def _freedom(parts: tuple[float, float], counts: tuple[int, int]) -> float:
    """Degrees of freedom of a sum of two variances (Satterthwaite 1946)."""
    below = sum(part**2 / (count - 1) for part, count in zip(parts, counts, strict=True))
    return sum(parts) ** 2 / below if below > 0 else math.inf


def _largest(covariance: np.ndarray, pairs: list[tuple[int, int]], errors: list[float]) -> np.ndarray:
    """The largest |z| `[DRAWS]` over the pairs, of normals with this covariance, always of the same draws."""
    values, vectors = np.linalg.eigh(covariance)
    draws = np.random.default_rng(0).standard_normal((len(covariance), DRAWS))
    z = (vectors * np.sqrt(np.clip(values, 0, None))) @ draws
    largest = np.zeros(DRAWS)
    for (i, j), error in zip(pairs, errors, strict=True):
        np.maximum(largest, np.abs(z[i] - z[j]) / error, out=largest)
    return largest


def _covariance(parts: np.ndarray) -> np.ndarray:
    """Covariance `[K, K]` of K KIDs by influences `[units, K]`; NaN for a single unit."""
    units = len(parts)
    if units < 2:
        return np.full((parts.shape[1], parts.shape[1]), np.nan)
    return units / (units - 1) * parts.T @ parts


def _of_difference(covariance: np.ndarray, pair: tuple[int, int]) -> float:
    i, j = pair
    return float(covariance[i, i] + covariance[j, j] - 2 * covariance[i, j])


def _centred(values: np.ndarray) -> np.ndarray:
    return values - values.mean()
