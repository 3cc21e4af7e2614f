"""The floor of a score: the same number for real images against other real ones, at the same counts.

Scores depend on how many images are compared, and no two sets of real images agree perfectly either. So the reals are
cut into random halves again and again. Each time the first half is compared with the second (the floor) and with as
many synthetic images (the value). Patients are never cut in two, and all three sets have the same classes.

What the numbers of the halves scatter by is their interval. A half of a sample scatters around the whole as the whole
does around the truth (the delete-half jackknife of Shao and Wu 1989), which also holds for scores that resampling with
repeats would distort, since images do not come twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t

SPLITS = 10
MOST = 2048
"""Images in a half: more cost much and change little."""


@dataclass(frozen=True)
class Halves:
    """Rows of two halves of the reals and of the synthetic images to compare with the first, all [n]."""

    first: np.ndarray
    second: np.ndarray
    synthetic: np.ndarray

    @property
    def n(self) -> int:
        return len(self.first)


@dataclass(frozen=True)
class Spread:
    """Mean over the halves with the range that holds 95 % of them, were they normally distributed."""

    mean: float
    low: float
    high: float


def random_halves(
    labels: np.ndarray, groups: np.ndarray, synthetic_labels: np.ndarray, seed: int, splits: int = SPLITS
) -> list[Halves]:
    """Halves of reals with labels [N] and groups [N], each with a draw of at most half of the pool's images [M].

    Of each class there are equally many in the three sets, as many as the scarcest allows. Empty sets, where a class
    is too small or one patient has everything, are the caller's to refuse.
    """
    draw = np.random.default_rng(seed)
    halves = []
    for _ in range(splits):
        first = _half_of_groups(labels, groups, draw)
        pools = [np.flatnonzero(first), np.flatnonzero(~first)]
        picked: list[list[np.ndarray]] = [[], [], []]
        for label in np.unique(labels):
            of_class = [draw.permutation(pool[labels[pool] == label]) for pool in pools]
            of_class.append(draw.permutation(np.flatnonzero(synthetic_labels == label)))
            of_class[2] = of_class[2][: len(of_class[2]) // 2]
            count = min(map(len, of_class))
            for rows, chosen in zip(picked, of_class, strict=True):
                rows.append(chosen[:count])
        halves.append(Halves(*_no_more_than_most([np.concatenate(rows) for rows in picked], draw)))
    return halves


def spread(values: list[float]) -> Spread:
    """Mean and 95 % range of the values of all halves."""
    mean, deviation = float(np.mean(values)), float(np.std(values, ddof=1))
    reach = float(t.ppf(0.975, len(values) - 1)) * deviation
    return Spread(mean, mean - reach, mean + reach)


def distinct_groups(groups: np.ndarray) -> np.ndarray:
    """Group names [N] in which every image without one is a group of its own."""
    return np.array([group or f"/{row}" for row, group in enumerate(groups)])  # no group's name begins with a slash


def _half_of_groups(labels: np.ndarray, groups: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Mask [N] of a random half of the images, of whole groups, and of each class about half."""
    _, firsts, numbers, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    chosen = np.zeros(len(sizes), bool)
    for label in np.unique(labels[firsts]):
        order = draw.permutation(np.flatnonzero(labels[firsts] == label))
        before = np.cumsum(sizes[order]) - sizes[order]  # images of the groups in front of each
        half = sizes[order].sum() / 2
        chosen[order[before + sizes[order] / 2 <= half]] = True  # a group that straddles goes where more of it fits
    return chosen[numbers]


def _no_more_than_most(sets: list[np.ndarray], draw: np.random.Generator) -> list[np.ndarray]:
    """The same places of all sets, whose classes correspond."""
    if len(sets[0]) <= MOST:
        return sets
    places = np.sort(draw.permutation(len(sets[0]))[:MOST])
    return [rows[places] for rows in sets]
