"""Which real images a generator was trained on, drawn anew: whole patients swapped between training and held-out part.

A pool that owes nothing to which patients were trained on lies just as near to any other choice of them. So what a
statistic comes to under the choice as it was is compared with what it comes to under others (a permutation test, exact
whatever the pool's smoothness or the alikeness of a patient's images). The choices keep the number of patients of each
class on either side. It asks that the split was drawn at random over patients; where no patient is known, an image
stands for one, and images of one patient that are not known as such make the test too sure.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import comb, nan, prod

import numpy as np

SWAPS = 499
"""Choices drawn beside the one as it was: p is known to 1 in 500."""

FEWEST_HELD_OUT = 5
"""Held-out patients below which nothing is said of the split."""

FEWEST_CHOICES = 200
"""Different choices below which p could not be small."""


@dataclass(frozen=True)
class Units:
    """The patients of N real images; each is of one part and counts with the class that most of its images have."""

    of_image: np.ndarray
    """int64 [N], the patient's number 0 to U - 1."""
    trained: np.ndarray
    """bool [U]"""
    classes: np.ndarray
    """object [U]"""
    known: bool
    """Whether every image's patient is known."""

    @staticmethod
    def of(groups: np.ndarray, classes: np.ndarray, trained: np.ndarray) -> Units:
        """From names of patients [N], '' where unknown, classes [N] and the part of each image (bool [N]).

        A patient in both parts, which is a leak, is one patient in each.
        """
        names = [
            (group, seen) if group else (row, seen)
            for row, (group, seen) in enumerate(zip(groups, trained, strict=True))
        ]
        number: dict[tuple[object, object], int] = {}
        of_image = np.array([number.setdefault(name, len(number)) for name in names], np.int64)
        votes = [Counter[str]() for _ in number]
        for unit, name in zip(of_image, classes, strict=True):
            votes[unit][str(name)] += 1
        majority = np.array([vote.most_common(1)[0][0] for vote in votes], object)
        return Units(of_image, np.array([bool(seen) for _, seen in number], bool), majority, all(map(bool, groups)))

    @property
    def held_out(self) -> int:
        return int((~self.trained).sum())

    @property
    def words(self) -> str:
        """What is swapped."""
        return "patients" if self.known else "images (their patients are not all known)"

    def enough(self) -> bool:
        """Whether there are patients enough to swap."""
        counts = [(self.classes == name, ~self.trained) for name in np.unique(self.classes)]
        choices = prod(comb(int(those.sum()), int((those & out).sum())) for those, out in counts)
        return self.held_out >= FEWEST_HELD_OUT and choices >= FEWEST_CHOICES

    def choices(self, seed: int) -> np.ndarray:
        """The part of every image, bool [1 + SWAPS, N]: as it was, then drawn anew."""
        random = np.random.default_rng(seed)
        drawn = np.repeat(self.trained[None], 1 + SWAPS, 0)
        for name in np.unique(self.classes):
            those = np.flatnonzero(self.classes == name)
            for choice in drawn[1:]:
                choice[those] = random.permutation(choice[those])
        return drawn[:, self.of_image]


@dataclass(frozen=True)
class Permuted:
    """A statistic with what it comes to when patients are swapped."""

    value: float
    expected: float
    """What is known to be expected, else the median over the swaps."""
    low: float
    high: float
    """`value` less the 95 % range of the swaps around what is expected: it leaves out `expected` where p < 0.05."""

    @staticmethod
    def alone(value: float) -> Permuted:
        """Where patients cannot be swapped, and it is not known what to expect."""
        return Permuted(value, nan, nan, nan)

    @staticmethod
    def of(values: np.ndarray, expected: float | None = None) -> Permuted:
        """From the values [1 + SWAPS], the first as it was; `expected` where theory says it."""
        value, swapped = float(values[0]), values[1:]
        expected = float(np.median(swapped)) if expected is None else expected
        # (1 + SWAPS) / 40 from either end: as many as leave a p of 2.5 % on that side
        ordered = np.sort(values)
        rank = len(values) // 40
        low, high = ordered[rank], ordered[-1 - rank]
        return Permuted(value, expected, value - (float(high) - expected), value + (expected - float(low)))


def ranks_low(values: np.ndarray) -> np.ndarray:
    """Share of all choices with a value as low or lower, [n] of [n]: a one-sided p for each choice."""
    return np.searchsorted(np.sort(values), values, "right") / len(values)
