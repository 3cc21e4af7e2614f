"""Does a pool hold copies of training images? Measures beside what is expected of clean images, and a flag per image.

Everything is relative to held-out real images: they are as near to the training images as an image can be that was
made without seeing them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from engine.configs import QualityConfig
from engine.store.progress import Report, ShouldStop, never, silent

TABLE_COLUMNS = [
    "path",
    "class",
    "sha256",
    "neighbour",
    "neighbour_class",
    "distance",
    "ratio",
    "own_distance",
    "pixel_neighbour",
    "pixel_distance",
    "shift_x",
    "shift_y",
    "mirrored",
    "twin",
    "flag",
]
"""Of the table of neighbours, one row a pool image."""


@dataclass(frozen=True)
class Features:
    """Images of one part with their features, all in the same order."""

    features: np.ndarray
    """float32 [N, D]"""
    pixels: np.ndarray
    """uint8 [N, H, W, C]"""
    rows: pd.DataFrame
    """N rows with at least path, class and sha256 (of the stored pixels)."""

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Copies:
    """What the search for copies found."""

    table: pd.DataFrame
    """One row a pool image, in the pool's order, with `TABLE_COLUMNS`; `flag` is '', copy, near-copy or repeat."""
    measures: list[dict[str, Any]]
    """Rows with class ('' is all), measure, value, low, high, expected, n, note; None where there is no such number.
    Shares are between 0 and 1."""
    flags: dict[str, int]
    """How many images have each flag: copy, near-copy, repeat."""
    sentences: list[str]
    """The findings in plain words, the worst first."""


def find_copies(
    train: Features,
    pool: Features,
    holdout: Features,
    config: QualityConfig,
    report: Report = silent,
    should_stop: ShouldStop = never,
) -> Copies:
    """Search the pool for copies of training images; `holdout` are real images that no generator saw (validation).

    Raises `engine.features.cache.Interrupted` when asked to stop, and `ErsatzError` when a part has too few images.
    """
    raise NotImplementedError
