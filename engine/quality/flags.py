"""Which images of a pool look like copies: nearer to one training image than so smooth a pool lies to any by chance.

A smooth picture lies near to many real ones, seen or not, and a distance alone would accuse it. So what counts is how
much nearer the nearest training image is than the next ones of other patients (the *ratio*, in pixels and in features),
and what counts as much nearer is found by a **swap**: the same pool searched among held-out real images instead, of
which it cannot hold a copy, and the held-out images searched among the training images. A ratio hardly depends on how
many images are searched, so that the smaller held-out part serves.

copy        equal to a training image; or its pixel ratio is at most `MUCH_NEARER` (and as low as hardly any in the
            swap); or nearer in pixels than half the typical distance of held-out images and of this pool to unseen
            ones, and nearer than any image of it to any unseen one: these are *sure*; or both ratios are as low as in
            the share `flag_quantile` of the swaps
near-copy   one of the two ratios is
repeat      equal to, or in pixels within half the smaller typical distance of, another image of the pool that comes
            first

Of clean images about twice the quantile are flagged as near copies, which is told beside. With n held-out images a
quantile is known to 1 in n + 1 only. Held-out images that are copies themselves do not set the limits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

FLAGS = ("copy", "near-copy", "repeat")
SAME_PICTURE = 0.5
"""Of the typical distance in pixels. Distinct patients of one kind lie hardly ever at half of it."""

MUCH_NEARER = 0.5
"""Pixel ratio of a copy."""

FEWEST = 8
"""Fewest images of a class for a typical distance of its own; else that of all classes is used."""


@dataclass(frozen=True)
class Nearness:
    """How near each of N images lies to its nearest image of a base."""

    classes: np.ndarray
    """Names [N]."""
    pixels: np.ndarray
    """Distance of pixels [N]."""
    ratio: np.ndarray
    """Copy ratio of the features [N], not necessarily to the same image."""
    pixel_ratio: np.ndarray
    """Ratio of the pixels [N]."""

    def some(self, those: np.ndarray) -> Nearness:
        return Nearness(*(getattr(self, field)[those] for field in self.__dataclass_fields__))


@dataclass(frozen=True)
class Limits:
    """What counts as near: `Limits.of` the swaps."""

    typical: dict[str, float]
    """Median distance in pixels of held-out images to training images by class, and of all under ''; where this pool
    lies nearer than that to unseen images, that median instead."""
    pixels: float
    """In units of the typical distance."""
    ratio: float
    pixel_ratio: float
    copies: int
    """Held-out images that are themselves copies of training images, by their pixels."""
    swapped: bool
    """Whether the pool was searched among unseen images too."""

    @staticmethod
    def of(held_out: Nearness, unseen: Nearness | None, quantile: float, share: float = 1.0) -> Limits:
        """The limits that at least the share `quantile` of either swap reaches, and no more than needed.

        `held_out` images among the training images, and the pool among `unseen` images (None where these are too few);
        `share`: how many unseen images there are for each training image.
        """
        typical = _typical(held_out)
        distinct = held_out.some(distinct_of(held_out))
        limits = [_quantiles(distinct, quantile)]
        pixels = SAME_PICTURE
        if unseen is not None:
            limits.append(_quantiles(unseen, quantile))
            own = _typical(unseen)
            typical = {name: min(typical.get(name, typical[""]), own.get(name, own[""])) for name in {*typical, *own}}
            # A larger set has a nearer image: the quantile of the smaller one is taken as many times lower.
            nearer = quantile * min(1.0, share)
            pixels = min(pixels, _quantile(_scaled(unseen, typical), nearer))
        ratio, pixel_ratio = (min(column) for column in zip(*limits, strict=True))
        return Limits(
            typical, pixels, ratio, pixel_ratio, len(held_out.pixels) - len(distinct.pixels), bool(limits[1:])
        )

    def typical_of(self, name: str) -> float:
        return self.typical.get(name, self.typical[""])

    def scaled(self, near: Nearness) -> np.ndarray:
        """Distances in pixels [N] in units of the typical one of their class."""
        return _scaled(near, self.typical)


def distinct_of(held_out: Nearness) -> np.ndarray:
    """Which held-out images are no copies of training images, by their pixels: bool [N]."""
    return _scaled(held_out, _typical(held_out)) > SAME_PICTURE


def flag_copies(near: Nearness, limits: Limits) -> np.ndarray:
    """'copy', 'near-copy' or '' of each image, object [N]."""
    by_pixels, by_features = _by_pixels(near, limits), near.ratio <= limits.ratio
    flags = np.full(len(by_pixels), "", object)
    flags[by_pixels | by_features] = "near-copy"
    flags[(by_pixels & by_features) | surely_copies(near, limits)] = "copy"
    return flags


def surely_copies(near: Nearness, limits: Limits) -> np.ndarray:
    """Which images are copies by so much that one of them tells: bool [N]."""
    much = _by_pixels(near, limits) & (near.pixel_ratio <= MUCH_NEARER)
    return much | (limits.scaled(near) <= limits.pixels)


def _by_pixels(near: Nearness, limits: Limits) -> np.ndarray:
    return (near.pixel_ratio <= limits.pixel_ratio) & (limits.scaled(near) <= 1)


def repeats(
    classes: np.ndarray, distances: np.ndarray, twins: np.ndarray, hashes: np.ndarray, limits: Limits
) -> np.ndarray:
    """Which images of a pool repeat one that comes before them: bool [N].

    `distances` [N] in pixels to the most alike other image of the pool, row `twins` [N]; `hashes` [N] of the stored
    pixels. Of images that are near copies of each other in a chain, all but the first repeat.
    """
    n = len(twins)
    _, codes = np.unique(hashes, return_inverse=True)
    typical = np.array([limits.typical_of(name) for name in classes])
    alike = np.flatnonzero(distances <= SAME_PICTURE * typical)
    ends = np.concatenate((alike, np.arange(n))), np.concatenate((twins[alike], n + codes))
    size = n + int(codes.max()) + 1
    _, sets = connected_components(coo_array((np.ones(len(ends[0]), np.int8), ends), shape=(size, size)), False)
    again = np.ones(n, bool)
    again[np.unique(sets[:n], return_index=True)[1]] = False
    return again


def _typical(near: Nearness) -> dict[str, float]:
    """Median distances in pixels; 1 where it is 0 and no unit."""
    typical = {"": float(np.median(near.pixels)) or 1.0}
    for name in np.unique(near.classes):
        those = near.classes == name
        if those.sum() >= FEWEST:
            typical[str(name)] = float(np.median(near.pixels[those])) or 1.0
    return typical


def _scaled(near: Nearness, typical: dict[str, float]) -> np.ndarray:
    return near.pixels / np.array([typical.get(name, typical[""]) for name in near.classes])


def _quantiles(near: Nearness, quantile: float) -> tuple[float, float]:
    return _quantile(near.ratio, quantile), _quantile(near.pixel_ratio, quantile)


def _quantile(values: np.ndarray, quantile: float) -> float:
    return float(np.quantile(values, quantile, method="inverted_cdf")) if len(values) else 0.0
