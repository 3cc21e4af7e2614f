"""The smallest difference of two classifiers that a test set of a given size can show, before any is trained."""

from __future__ import annotations

import math
from functools import lru_cache

from scipy import stats

ALPHA = 0.05
"""Two-sided level of the comparison."""
POWER = 0.8
ASSUMED_ACCURACY = 0.85
"""Accuracy of the weaker classifier, so that another can be better by 15 points at most."""
DISAGREEMENT = 0.1
"""Share of test images on which just one of the two is right, or the difference itself where that is larger. These are
the assumptions of `engine.sweep.power`, which adds what several seeds contribute."""
FEWEST_SIGNIFICANT = 6
"""Images on which just one is right that can reach p < 0.05 if it is always the same one: 2 / 2^6 = 0.03."""


@lru_cache(maxsize=256)
def smallest_difference(n_test: int) -> float | None:
    """The difference of accuracy that McNemar's paired test on `n_test` independent images finds with 80 % power.

    Solved from n = (z_a sqrt(psi) + z_b sqrt(psi - d^2))^2 / d^2 for d, where psi is the share of images on which the
    two disagree (Connor, Biometrics 43:207, 1987, equation 3). None when no difference could be shown: fewer than 6
    images, or more than the weaker classifier's errors needed.
    """
    if n_test < FEWEST_SIGNIFICANT:
        return None
    z_alpha, z_beta = stats.norm.ppf(1 - ALPHA / 2), stats.norm.ppf(POWER)

    def needed(difference: float) -> float:
        disagree = max(DISAGREEMENT, difference)
        spread = z_alpha * math.sqrt(disagree) + z_beta * math.sqrt(disagree - difference**2)
        return float((spread / difference) ** 2)

    low, high = 1e-6, 1 - ASSUMED_ACCURACY
    if needed(high) > n_test:
        return None
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (low, middle) if needed(middle) <= n_test else (middle, high)
    return high
