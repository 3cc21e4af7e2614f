"""Privacy as an attack: does the pool tell which patients its generator was trained on?

Membership inference with the images alone and without the generator (the full black box of Chen et al., GAN-Leaks,
arXiv 1909.03935; first asked of generative models by Hayes et al., LOGAN, arXiv 1705.07663). A real image's score is

    log(distance to other real images) - log(distance to the nearest synthetic image)

in the space of the features: high where synthetic images are dense and real ones are not, which is how a generator that
overfitted there shows (the density ratio of van Breugel et al., DOMIAS, arXiv 2302.12580; the first distance calibrates
for how ordinary an image is). The other real images are those of other patients of both parts, the same for a trained
image and for a held-out one, so that without memory the scores of both are exchangeable. A patient's score is the
highest of their images, since being recognised by one is enough.

The result is told as an AUC and, since an average hides that a few may be recognised with certainty, as the true
positive rate at a false positive rate of 1 % (Carlini et al., arXiv 2112.03570).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, nan

import numpy as np
from scipy.optimize import brentq
from scipy.stats import beta, binom, norm, rankdata

from engine.quality.memorisation import Share
from engine.quality.nearest import Neighbours
from engine.quality.patient_swaps import Units

FALSE_POSITIVES = 0.01
"""The false positive rate at which the true positive rate is told."""

REFERENCE = 5
"""Nearest real images of other patients whose mean distance calibrates a score."""

Z = float(norm.ppf(0.975))


@dataclass(frozen=True)
class Attack:
    """How well the pool tells trained from held-out patients."""

    auc: Share
    true_positives: Share
    """At a false positive rate of 1 %; nan where the held-out patients are too few for it."""
    members: int
    non_members: int

    @property
    def tells(self) -> bool:
        """Whether the attack does better than chance, on average or for a few: an interval lies above it."""
        return self.auc.low > 0.5 or self.true_positives.low > FALSE_POSITIVES


def attack(to_pool: np.ndarray, reals: Neighbours, units: Units) -> Attack:
    """The attack on M real images: their distances [M] to the nearest image of the pool, and their neighbours among
    each other [M, k]."""
    scores = membership_scores(to_pool, reference_distances(reals, units), units)
    members, others = scores[units.trained], scores[~units.trained]
    return Attack(
        area(members, others), true_positive_rate(members, others, FALSE_POSITIVES), len(members), len(others)
    )


def reference_distances(reals: Neighbours, units: Units, k: int = REFERENCE) -> np.ndarray:
    """Mean distance [M] of real images to the k nearest of other patients (to fewer where no more are among those)."""
    other = units.of_image[reals.rows] != units.of_image[:, None]
    taken = other & (np.cumsum(other, 1) <= k)
    taken[:, -1] |= ~taken.any(1)
    return np.average(reals.distances, axis=1, weights=taken)


def membership_scores(to_pool: np.ndarray, to_reals: np.ndarray, units: Units) -> np.ndarray:
    """The score of every patient [U]: the highest of their images'."""
    tiny = np.finfo(np.float32).tiny
    scores = np.log(np.maximum(to_reals, tiny)) - np.log(np.maximum(to_pool, tiny))
    of_unit = np.full(len(units.trained), -np.inf)
    np.maximum.at(of_unit, units.of_image, scores)
    return of_unit


def area(members: np.ndarray, others: np.ndarray) -> Share:
    """The area under the ROC curve, ties counted half, with the 95 % interval of Newcombe (2006, method 5).

    It inverts a score test with the variance of Hanley and McNeil (1982) at mean sample sizes, which at one half is
    the exact one of Mann and Whitney's statistic; it stays an interval at 0 and 1, where the usual ones have no width.
    """
    m, n = len(members), len(others)
    ranks = rankdata(np.concatenate((members, others)))
    value = float((ranks[:m].sum() - m * (m + 1) / 2) / (m * n))
    more = (m + n) / 2 - 1

    def excess(theta: float, side: int) -> float:
        variance = theta * (1 - theta) * (1 + more * (1 - theta) / (2 - theta) + more * theta / (1 + theta)) / (m * n)
        return side * (value - theta) - Z * float(np.sqrt(variance))

    low = float(brentq(excess, 0.0, value, (1,))) if value > 0 else 0.0
    high = float(brentq(excess, value, 1.0, (-1,))) if value < 1 else 1.0
    return Share(value, low, high)


def true_positive_rate(members: np.ndarray, others: np.ndarray, rate: float) -> Share:
    """The share of members above a threshold that the share `rate` of non-members passes, with a 95 % interval.

    nan with fewer than 1 / rate non-members, whose scores then say nothing of so small a share. The interval is
    conservative: exact for the threshold (order statistics) and for the share above it (Clopper and Pearson), each at
    97.5 %. Its lower end is 0 below some 370 non-members at 1 %, since none of them need lie above the threshold.
    """
    n = len(others)
    if n < 1 / rate:
        return Share(nan, nan, nan)
    ordered = np.sort(others)[::-1]
    value = float((members > ordered[floor(rate * n)]).mean())
    # Non-members above the true threshold are binomial: between `fewest` and `most` of them with 97.5 %.
    fewest, most = (int(binom.ppf(tail, n, rate)) for tail in (0.0125, 0.9875))
    surely = int((members > ordered[fewest - 1]).sum()) if fewest else 0
    at_most = int((members >= ordered[min(most, n - 1)]).sum())
    m = len(members)
    low = float(beta.ppf(0.0125, surely, m - surely + 1)) if surely else 0.0
    high = float(beta.ppf(0.9875, at_most + 1, m - at_most)) if at_most < m else 1.0
    return Share(value, min(low, value), max(high, value))
