"""Do two sets of images cover each other? Precision, recall, density and coverage, by balls around neighbours.

A ball lies around each image of a set and reaches to its k-th nearest neighbour in that set; together they stand for
the region of feature space where the set's images lie.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.quality.fid_kid import require_features
from engine.store.errors import ErsatzError

ROWS = 512
"""Rows of distances in memory at once: 200 MB of them against 50,000 images."""


@dataclass(frozen=True)
class Prdc:
    """How much of either set lies in the balls of the other."""

    precision: float
    """Share of synthetic images inside a ball of a real one (arXiv 1904.06991): are they realistic?"""
    recall: float
    """Share of real images inside a ball of a synthetic one (arXiv 1904.06991): are all kinds made?"""
    density: float
    """Mean number of real balls around a synthetic image, over k (arXiv 2002.09797); 1 for two samples of one kind."""
    coverage: float
    """Share of real images whose ball holds a synthetic one (arXiv 2002.09797)."""


def prdc(real: np.ndarray, synthetic: np.ndarray, k: int) -> Prdc:
    """Precision, recall, density and coverage of features [N, D] of reals and [M, D] of synthetic images.

    All four depend on the counts, so that only numbers at the same N, M and k compare. Raises `ErsatzError` for
    features that are not finite or do not match, and for k or fewer images on either side.
    """
    require_features(real, synthetic)
    if min(len(real), len(synthetic)) <= k:
        raise ErsatzError(
            f"{min(len(real), len(synthetic))} images cannot have {k} neighbours each; more than {k} images on either "
            "side are expected. Give more images, or lower k."
        )
    real_radii, synthetic_radii = _radii(real, k), _radii(synthetic, k)
    precise = np.empty(len(synthetic), bool)
    balls = np.empty(len(synthetic), np.int64)
    recalled, covered = np.zeros(len(real), bool), np.zeros(len(real), bool)
    for start in range(0, len(synthetic), ROWS):
        rows = slice(start, start + ROWS)
        distances = squared_distances(synthetic[rows], real)
        inside = distances <= real_radii
        precise[rows], balls[rows] = inside.any(1), inside.sum(1)
        covered |= inside.any(0)
        recalled |= (distances <= synthetic_radii[rows, None]).any(0)
    return Prdc(float(precise.mean()), float(recalled.mean()), float(balls.mean() / k), float(covered.mean()))


def squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances [N, M] of the rows of x [N, D] and y [M, D], in float64."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    squares = np.square(x).sum(1)[:, None] + np.square(y).sum(1)
    return np.maximum(squares - 2 * x @ y.T, 0.0)  # rounding alone can bring it below


def _radii(x: np.ndarray, k: int) -> np.ndarray:
    """Squared distance [N] of each row of x [N, D] to its k-th nearest other row."""
    radii = np.empty(len(x))
    for start in range(0, len(x), ROWS):
        distances = squared_distances(x[start : start + ROWS], x)
        own = np.arange(len(distances))
        distances[own, start + own] = np.inf
        radii[start : start + ROWS] = np.partition(distances, k - 1, axis=1)[:, k - 1]
    return radii
