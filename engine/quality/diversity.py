"""Do the synthetic images vary as much as the real ones? A generator that makes few kinds of images does not."""

from __future__ import annotations

import numpy as np

from engine.quality.fid_kid import require_features
from engine.quality.prdc import ROWS, squared_distances


def diversity_ratio(real: np.ndarray, synthetic: np.ndarray) -> float:
    """Mean distance between two synthetic images over that between two real ones, of features [N, D] and [M, D].

    1: the images vary alike; towards 0: mode collapse. Infinite when all reals are equal, nan when the others are too.
    Raises `ErsatzError` for features that are not finite or do not match.
    """
    require_features(real, synthetic)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.float64(mean_pairwise_distance(synthetic)) / mean_pairwise_distance(real))


def mean_pairwise_distance(x: np.ndarray) -> float:
    """Mean Euclidean distance over all pairs of different rows of x [N, D]."""
    total = 0.0
    for start in range(0, len(x), ROWS):
        distances = squared_distances(x[start : start + ROWS], x)
        own = np.arange(len(distances))
        distances[own, start + own] = 0.0  # rounding would leave some 1e-6 there
        total += np.sqrt(distances).sum()
    return total / (len(x) * (len(x) - 1))
