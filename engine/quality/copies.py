"""Does a pool hold copies of training images? Measures beside what is expected of clean images, and a flag per image.

Everything is relative to held-out real images: they are as near to the training images as an image can be that was
made without seeing them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.configs import QualityConfig
from engine.devices import choose_device
from engine.quality.flags import FLAGS, Limits, Nearness, flag_copies, repeats
from engine.quality.memorisation import authentic, copy_ratio, nearer_to_train
from engine.quality.memorisation_rows import Measured, PerImage, in_all_and_by_class, in_words
from engine.quality.nearest import Neighbours, nearest
from engine.quality.pixel_match import Matches, most_alike
from engine.quality.quality_scores import MemorisationMeasure
from engine.store.errors import ErsatzError
from engine.store.progress import Report, ShouldStop, never, silent

CANDIDATES = 5
"""Nearest by features that are compared in pixels."""

FEWEST = {"training": 4, "synthetic": 2, "validation": 4}
"""Fewest images of each kind for a check."""

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
    "twin_distance",
    "flag",
]
"""Of the table of neighbours, one row a pool image; distances are of features but pixel_distance and twin_distance,
and `twin` is the pool image that is most alike in its pixels."""


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
    measures: list[MemorisationMeasure]
    """Over all classes, then of each."""
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
    train = _distinct(train)
    _require({"training": train, "synthetic": pool, "validation": holdout})
    search = _Search(train, config, report, should_stop)
    real = search.near(holdout, "held-out images among the training images")
    synthetic = search.near(pool, "pool among the training images")
    limits = Limits.of(real.nearness, config.flag_quantile)
    twins = search.twins(pool)
    flags = _flags(synthetic, pool, train, limits)
    again = repeats(_column(pool, "class"), twins.distances, twins.rows, _column(pool, "sha256"), limits)
    flags[again & (flags == "")] = "repeat"

    own = search.features(train.features, 1, "training images among themselves", not_itself=True).distances[:, 0]
    nearer, drawn = nearer_to_train(
        pool.features, train.features, holdout.features, _column(train, "class"), _column(holdout, "class"),
        config.seed, search.device, report=report, should_stop=should_stop,
    )  # fmt: skip
    measured = Measured(synthetic.per_image(own, flags), real.per_image(own, _flags(real, holdout, train, limits)))
    measures = in_all_and_by_class(measured, nearer, drawn)
    counts = {flag: int((flags == flag).sum()) for flag in FLAGS}
    table = _table(pool, train, synthetic, own, twins, flags)
    alike = len(measured.alike().real.classes)
    return Copies(table, measures, counts, in_words(counts, measures, limits, len(holdout), alike))


@dataclass(frozen=True)
class _Near:
    """The nearest training images of one part, by features and by pixels."""

    features: Neighbours
    pixels: Matches
    nearness: Nearness

    def per_image(self, own: np.ndarray, flags: np.ndarray) -> PerImage:
        distances, rows = self.features.distances[:, 0], self.features.rows[:, 0]
        return PerImage(
            self.nearness.classes, distances, authentic(distances, rows, own), self.nearness.ratio, flags == "copy"
        )


class _Search:
    """Searches among the training images, each with its progress."""

    def __init__(self, train: Features, config: QualityConfig, report: Report, should_stop: ShouldStop):
        self.train, self.config = train, config
        self.device = choose_device(config.device)
        self.hooks = report, should_stop

    def features(self, queries: np.ndarray, k: int, stage: str, not_itself: bool = False) -> Neighbours:
        return nearest(queries, self.train.features, k, not_itself, self.device, *self.hooks, stage)

    def near(self, part: Features, stage: str) -> _Near:
        """The nearest training images of every image of `part`."""
        k = 1 + min(self.config.copy_neighbours, len(self.train) - 1)
        found = self.features(part.features, k, stage)
        candidates, shift = found.rows[:, :CANDIDATES], self.config.pixel_shift
        matches = most_alike(
            part.pixels, self.train.pixels, candidates, shift, False, *self.hooks, f"pixels of the {stage}"
        )
        ratio = copy_ratio(found.distances)
        return _Near(found, matches, Nearness(_column(part, "class"), found.distances[:, 0], matches.distances, ratio))

    def twins(self, pool: Features) -> Matches:
        """The other image of the pool most alike to each, by pixels."""
        stage, k = "pool among itself", min(CANDIDATES, len(pool) - 1)
        found = nearest(pool.features, pool.features, k, True, self.device, *self.hooks, stage)
        shift = self.config.pixel_shift
        return most_alike(pool.pixels, pool.pixels, found.rows, shift, True, *self.hooks, f"pixels of the {stage}")


def _flags(near: _Near, part: Features, train: Features, limits: Limits) -> np.ndarray:
    flags = flag_copies(near.nearness, limits)
    flags[part.rows["sha256"].isin(train.rows["sha256"]).to_numpy()] = "copy"  # blank images have no pixel distance
    return flags


def _table(
    pool: Features, train: Features, near: _Near, own: np.ndarray, twins: Matches, flags: np.ndarray
) -> pd.DataFrame:
    nearest_row = near.features.rows[:, 0]
    paths, classes = (_column(train, name) for name in ("path", "class"))
    columns = {
        **{name: _column(pool, name) for name in ("path", "class", "sha256")},
        "neighbour": paths[nearest_row],
        "neighbour_class": classes[nearest_row],
        "distance": near.nearness.features,
        "ratio": near.nearness.ratio,
        "own_distance": own[nearest_row],
        "pixel_neighbour": paths[near.pixels.rows],
        "pixel_distance": near.pixels.distances,
        "shift_x": near.pixels.shift_x,
        "shift_y": near.pixels.shift_y,
        "mirrored": near.pixels.mirrored,
        "twin": _column(pool, "path")[twins.rows],
        "twin_distance": twins.distances,
        "flag": flags,
    }
    return pd.DataFrame(columns)[TABLE_COLUMNS]


def _column(part: Features, name: str) -> np.ndarray:
    return part.rows[name].to_numpy(object)


def _distinct(train: Features) -> Features:
    """The training images without exact copies of each other, or a copied one would have a neighbour at distance 0."""
    first = ~train.rows["sha256"].duplicated().to_numpy()
    if first.all():
        return train
    return Features(train.features[first], train.pixels[first], train.rows[first])


def _require(parts: dict[str, Features]) -> None:
    for name, part in parts.items():
        if len(part) < FEWEST[name]:
            raise ErsatzError(
                f"There are {len(part)} different {name} images; at least {FEWEST[name]} are expected, or it cannot be "
                "told which synthetic images are copies. Take a larger data set or another split."
            )
