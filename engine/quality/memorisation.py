"""Measures of memorisation, as functions of distances between features: does a generator repeat its training images?

Each is read beside what held-out real images give, which no generator saw. They are screens: a clean one is no proof
of privacy, and what a feature extractor does not see, none of them finds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

Z = float(norm.ppf(0.975))


@dataclass(frozen=True)
class Share:
    """A share between 0 and 1 with its 95 % interval."""

    value: float
    low: float
    high: float


def share(of: np.ndarray, n: float | None = None) -> Share:
    """Mean of numbers [N] between 0 and 1 with Wilson's interval; `n`: how many independent ones they are worth."""
    n = len(of) if n is None else n
    value = float(np.mean(of))
    centre = (value + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * np.sqrt(value * (1 - value) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
    return Share(value, max(0.0, min(value, centre - half)), min(1.0, max(value, centre + half)))


def authentic(distances: np.ndarray, neighbours: np.ndarray, own_distances: np.ndarray) -> np.ndarray:
    """Which images are no nearer to a training image than that one is to another: bool [N] (arXiv 2102.08921).

    `distances` [N] to the nearest training image, which is row `neighbours` [N]; `own_distances` [M] of every training
    image to its nearest other one, copies among them left out before. AuthPct is the share of these images. Clean ones
    do not have 100 %: two images that are each other's nearest are found in any set. Held-out reals show what to expect
    (0.5 to 0.8 for head CTs, chest films and skin photographs).
    """
    return distances >= own_distances[neighbours]


def copying_z(distances: np.ndarray, held_out: np.ndarray) -> float:
    """C_T (arXiv 2004.05675): z of the Mann-Whitney statistic of distances to the nearest training image.

    `distances` [N] of synthetic images against those [M] of held-out reals, in one cell, ties counted half. About 0
    where both lie equally near; below 0 where the synthetic ones lie nearer, which copies do and smooth images do too:
    what is expected of such a pool `swap_test` finds. It grows with the numbers of images.
    """
    n, m = len(distances), len(held_out)
    ordered = np.sort(held_out)
    below = np.searchsorted(ordered, distances, "left") + np.searchsorted(ordered, distances, "right")
    u = below.sum() / 2  # pairs in which the synthetic one is farther
    return float((u - n * m / 2) / np.sqrt(n * m * (n + m + 1) / 12))


def copy_ratio(distances: np.ndarray, units: np.ndarray | None = None) -> np.ndarray:
    """Distance to the nearest training image over the mean distance to the next k, for distances [N, 1 + k] ascending.

    Far below 1 where an image has one training image of its own; 1 where it is equal to more than k of them. With
    `units` [N, 1 + k], the patients of those training images, the next ones are those of other patients than the
    nearest: else several alike images of one patient would hide that one of them was copied.
    """
    others = np.ones((len(distances), distances.shape[1] - 1)) if units is None else units[:, 1:] != units[:, :1]
    count = others.sum(1)
    mean = np.divide((distances[:, 1:] * others).sum(1), count, out=np.zeros(len(distances)), where=count > 0)
    return np.divide(distances[:, 0], mean, out=np.ones(len(distances)), where=mean > 0)
