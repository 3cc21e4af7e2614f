"""Which images of a pool look like copies, measured by how near held-out real images lie to the training images.

All distances are in units of a typical one: the median distance of the held-out images of the same class to their
nearest training image. Training images have neighbours nearer than this too, and distinct patients of one kind hardly
any at half of it, in pixels (chest films of 28 px, head CTs and skin photographs of 64 px: among distinct pictures the
smallest were 0.6 to 0.65; below 0.5 lay only the sets' own near copies and neighbouring slices of one scan).

copy        equal to a training image; or nearer in pixels than half the typical distance; or nearer in features and in
            pixels than all but the share `flag_quantile` of held-out images
near-copy   nearer than those in pixels alone; or in features alone, with a copy ratio as low as in that share of them
repeat      equal to, or in pixels within half the typical distance of, another image of the pool that comes first

Of clean images about as many are flagged as of the held-out ones, which is reported beside. With n held-out images a
quantile is known to 1 in n + 1 only. Held-out images that are copies themselves do not set the quantiles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

FLAGS = ("copy", "near-copy", "repeat")
SAME_PICTURE = 0.5
"""Of the typical distance in pixels; see above."""

FEWEST = 8
"""Fewest held-out images of a class for a typical distance of its own; else that of all classes is used."""


@dataclass(frozen=True)
class Nearness:
    """How near each of N images lies to its nearest training image, or to its nearest other image."""

    classes: np.ndarray
    """Names [N]."""
    features: np.ndarray
    """Distance of features [N]."""
    pixels: np.ndarray
    """Distance of pixels [N]; it need not be to the same image."""
    ratio: np.ndarray
    """Copy ratio of the features [N]."""


@dataclass(frozen=True)
class Limits:
    """What counts as near: `Limits.of` the held-out images."""

    typical: dict[str, tuple[float, float]]
    """Median distance in features and in pixels by class, and of all under ''."""
    features: float
    """In units of the typical distance."""
    pixels: float
    """In units of the typical distance."""
    ratio: float
    copies: int
    """Held-out images that are themselves copies of training images, by their pixels."""

    @staticmethod
    def of(held_out: Nearness, quantile: float) -> Limits:
        """The limits that at least the share `quantile` of the held-out images reaches, and no more than needed."""
        typical = {"": _medians(held_out, np.ones(len(held_out.classes), bool))}
        for name in np.unique(held_out.classes):
            those = held_out.classes == name
            if those.sum() >= FEWEST:
                typical[str(name)] = _medians(held_out, those)
        open_ended = Limits(typical, np.inf, np.inf, np.inf, 0)
        features, pixels = open_ended.scaled(held_out)
        distinct = pixels > SAME_PICTURE

        def limit(values: np.ndarray) -> float:
            return float(np.quantile(values[distinct], quantile, method="inverted_cdf")) if distinct.any() else 0.0

        copies = int((~distinct).sum())
        return Limits(typical, limit(features), limit(pixels), limit(held_out.ratio), copies)

    def typical_of(self, name: str) -> tuple[float, float]:
        return self.typical.get(name, self.typical[""])

    def scaled(self, near: Nearness) -> tuple[np.ndarray, np.ndarray]:
        """Distances in features and in pixels [N] in units of the typical one of their class."""
        units = np.array([self.typical_of(name) for name in near.classes])
        return near.features / units[:, 0], near.pixels / units[:, 1]


def flag_copies(near: Nearness, limits: Limits) -> np.ndarray:
    """'copy', 'near-copy' or '' of each image, object [N]."""
    features, pixels = limits.scaled(near)
    by_features, by_pixels = features <= limits.features, pixels <= limits.pixels
    flags = np.full(len(features), "", object)
    flags[by_pixels | (by_features & (near.ratio <= limits.ratio))] = "near-copy"
    flags[(by_features & by_pixels) | (pixels <= SAME_PICTURE)] = "copy"
    return flags


def repeats(
    classes: np.ndarray, distances: np.ndarray, twins: np.ndarray, hashes: np.ndarray, limits: Limits
) -> np.ndarray:
    """Which images of a pool repeat one that comes before them: bool [N].

    `distances` [N] in pixels to the most alike other image of the pool, row `twins` [N]; `hashes` [N] of the stored
    pixels. Of images that are near copies of each other in a chain, all but the first repeat.
    """
    n = len(twins)
    _, codes = np.unique(hashes, return_inverse=True)
    typical = np.array([limits.typical_of(name)[1] for name in classes])
    alike = np.flatnonzero(distances <= SAME_PICTURE * typical)
    ends = np.concatenate((alike, np.arange(n))), np.concatenate((twins[alike], n + codes))
    size = n + int(codes.max()) + 1
    _, sets = connected_components(coo_array((np.ones(len(ends[0]), np.int8), ends), shape=(size, size)), False)
    again = np.ones(n, bool)
    again[np.unique(sets[:n], return_index=True)[1]] = False
    return again


def _medians(near: Nearness, those: np.ndarray) -> tuple[float, float]:
    """Of distances in features and in pixels; 1 where it is 0 and no unit."""
    features, pixels = (float(np.median(values[those])) for values in (near.features, near.pixels))
    return features or 1.0, pixels or 1.0
