"""Histogram of the values of deep images, for a look at them before an import."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.datasets.preprocess import black_and_white
from engine.datasets.value_range import ValueRange, Values, number

BINS = 100


@dataclass(frozen=True)
class Histogram:
    """Values of deep images, for a preview, with those that become black and white."""

    edges: list[float]
    """`[BINS + 1]`"""
    shares: list[float]
    """`[BINS]`, of the sampled values, each image with equal weight."""
    black: float
    white: float
    window: bool
    """Black and white are the config's window, not the range of the values."""
    images: int
    """Images that the values are of."""
    of: int
    """Deep images without a window of their own."""

    def text(self) -> str:
        """One line for a terminal."""
        some = f"{self.images} of the {self.of}" if self.images < self.of else f"the {self.of}"
        by = " (the window)" if self.window else ""
        return (
            f"Values: {number(self.edges[0])} to {number(self.edges[-1])} in {some} images of more than 8 bits; "
            f"{number(self.black)} becomes black and {number(self.white)} white{by}."
        )


def histogram(
    measured: Sequence[tuple[str, Values]], depth: ValueRange, window: tuple[float, float] | None, deep: int
) -> Histogram:
    """Of some of `deep` images."""
    found = [values for _, values in measured if values.sample.size]
    low = min(min(values.low[0][0] for values in found), depth.black)
    high = max(max(values.high[0][0] for values in found), depth.white)
    samples = np.concatenate([values.sample for values in found])
    weights = np.concatenate([np.full(values.sample.size, 1 / (values.sample.size * len(found))) for values in found])
    shares, edges = np.histogram(samples, BINS, (low, high if high > low else low + 1), weights=weights)
    black, white = black_and_white(window) if window else depth.levels
    return Histogram(
        edges=edges.tolist(),
        shares=[round(float(share), 6) for share in shares],
        black=black,
        white=white,
        window=window is not None,
        images=len(found),
        of=deep,
    )
