"""Does a pool hold copies of training images? Measures beside what is expected of clean images, and a flag per image.

Everything is relative to held-out real images, which no generator saw: the same pool is searched among them, they are
searched among the training images, and patients of both are swapped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.configs import QualityConfig
from engine.devices import choose_device
from engine.quality.alignment import AS_IT_IS, WARPS, Warp
from engine.quality.flags import FLAGS, Limits, Nearness, distinct_of, flag_copies, repeats, surely_copies
from engine.quality.membership import Attack, attack
from engine.quality.memorisation import copy_ratio
from engine.quality.memorisation_rows import memorisation_rows
from engine.quality.memorisation_words import Flagged, in_words
from engine.quality.nearest import Neighbours, nearest
from engine.quality.patient_swaps import FEWEST_HELD_OUT, Units
from engine.quality.pixel_match import Matches, most_alike
from engine.quality.quality_scores import MemorisationMeasure
from engine.quality.swap_test import REACH, SwapTest, swap_test
from engine.store.errors import ErsatzError
from engine.store.progress import Report, ShouldStop, never, silent

CANDIDATES = 5
"""Nearest by features that are compared in pixels."""

BEHIND = 10
"""Most neighbours by features that the ratio of a flag compares with: few, since as many are needed among the held-out
images; the measure takes `copy_neighbours`."""

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
    "pixel_ratio",
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
    """N rows with at least path, class and sha256 (of the stored pixels); `group` is the patient, '' where unknown."""

    def __len__(self) -> int:
        return len(self.rows)

    def some(self, those: np.ndarray) -> Features:
        """The images of a mask [N]."""
        return self if those.all() else Features(self.features[those], self.pixels[those], self.rows[those])

    def groups(self) -> np.ndarray:
        """The patients' names, object [N]."""
        return _column(self, "group") if "group" in self.rows else np.full(len(self), "", object)


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
    against: int = 0
    """How many of them, the first ones, speak against the pool."""


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
    search = _Search(config, report, should_stop)
    real = search.near(holdout, train, "held-out images among the training images")
    synthetic = search.near(pool, train, "pool among the training images")
    flagged, limits = _flagged(search, pool, train, holdout, real, synthetic)
    twins = search.twins(pool)
    again = repeats(_column(pool, "class"), twins.distances, twins.rows, _column(pool, "sha256"), limits)
    flags = flagged.pool
    flags[again & (flags == "")] = "repeat"

    own = search.features(train.features, train.features, 1, "training images among themselves", True).distances[:, 0]
    classes = _column(pool, "class")
    units, swapped, attacked = _split(search, pool, train, holdout)
    measures = memorisation_rows(flagged.shares(classes, _column(holdout, "class")), swapped, attacked, units)
    counts = {flag: int((flags == flag).sum()) for flag in FLAGS}
    table = _table(pool, train, synthetic, own, twins, flags)
    against, others = in_words(counts, measures, flagged, swapped, attacked, units, limits.copies)
    return Copies(table, measures, counts, against + others, len(against))


def _flagged(
    search: _Search, pool: Features, train: Features, holdout: Features, real: _Near, synthetic: _Near
) -> tuple[Flagged, Limits]:
    """The flags of the pool by limits from both swaps, and what the same limits flag in these."""
    unseen = holdout.some(distinct_of(real.nearness(train, BEHIND)) & ~_in(holdout, train))
    groups = _patients(unseen)
    behind = min(BEHIND, len(unseen) - 1, search.config.copy_neighbours)
    enough = len(np.unique(groups)) >= FEWEST_HELD_OUT and behind >= 2
    decoy = search.near(pool, unseen, "pool among the held-out images") if enough else None
    behind = behind if enough else min(BEHIND, len(train) - 1)
    near, nearest_reals = synthetic.nearness(train, behind), real.nearness(train, behind)
    swap = decoy.nearness(unseen, behind) if decoy is not None else None
    limits = Limits.of(nearest_reals, swap, search.config.flag_quantile, len(unseen) / len(train))
    flags, of_reals = flag_copies(near, limits), flag_copies(nearest_reals, limits)
    flags[_in(pool, train)], of_reals[_in(holdout, train)] = "copy", "copy"  # blank ones have no pixel distance
    alike = np.isin(_column(holdout, "class"), np.unique(_column(pool, "class")))
    flagged = Flagged(
        pool=flags,
        held_out=of_reals,
        unseen=None if swap is None else flag_copies(swap, limits),
        surely=surely_copies(near, limits) | _in(pool, train),
        surely_unseen=None if swap is None else surely_copies(swap, limits),
        originals=synthetic.pixels.rows if decoy is None else synthetic.pixels.rows * len(unseen) + decoy.pixels.rows,
        alike=alike if alike.any() else ~alike,
        patients=len(np.unique(groups)),
    )
    return flagged, limits


def _split(
    search: _Search, pool: Features, train: Features, holdout: Features
) -> tuple[Units, SwapTest, Attack | None]:
    """What the pool tells of the split, from the real images of its classes; each picture once."""
    holdout = holdout.some(~_in(holdout, train) & ~holdout.rows["sha256"].duplicated().to_numpy())
    parts = [part.some(np.isin(_column(part, "class"), np.unique(_column(pool, "class")))) for part in (train, holdout)]
    if not all(map(len, parts)):  # a pool of classes that a part lacks: then all of them
        parts = [train, holdout]
    features = np.concatenate([part.features for part in parts])
    classes = np.concatenate([_column(part, "class") for part in parts])
    groups = np.concatenate([part.groups() for part in parts])
    trained = np.repeat([True, False], list(map(len, parts)))
    units = Units.of(groups, classes, trained)
    near = search.features(pool.features, features, min(REACH, len(features)), "pool among all real images")
    reals = search.features(features, features, min(REACH, len(features) - 1), "real images among themselves", True)
    config = search.config
    swapped = swap_test(near, reals, _column(pool, "class"), classes, units, config.copy_neighbours, config.seed)
    if not units.enough():
        return units, swapped, None
    to_pool = search.features(features, pool.features, 1, "real images among the pool").distances[:, 0]
    return units, swapped, attack(to_pool, reals, units)


@dataclass(frozen=True)
class _Near:
    """The nearest images of a base, by features and by pixels, for each of a part."""

    classes: np.ndarray
    features: Neighbours
    pixels: Matches

    def nearness(self, base: Features, behind: int) -> Nearness:
        """With copy ratios of so many neighbours of the base."""
        found = self.features
        ratio = copy_ratio(found.distances[:, : 1 + behind], _patients(base)[found.rows[:, : 1 + behind]])
        return Nearness(self.classes, self.pixels.distances, ratio, self.pixels.ratio)


class _Search:
    """Searches, each with its progress."""

    def __init__(self, config: QualityConfig, report: Report, should_stop: ShouldStop):
        self.config = config
        self.device = choose_device(config.device)
        self.hooks = report, should_stop

    def features(
        self, queries: np.ndarray, base: np.ndarray, k: int, stage: str, not_itself: bool = False
    ) -> Neighbours:
        return nearest(queries, base, k, not_itself, self.device, *self.hooks, stage)

    def near(self, part: Features, base: Features, stage: str) -> _Near:
        """The nearest images of `base` to every image of `part`."""
        k = 1 + min(max(BEHIND, self.config.copy_neighbours), len(base) - 1)
        found = self.features(part.features, base.features, k, stage)
        matches = self.pixels(part, base, found.rows[:, :CANDIDATES], stage, WARPS)
        return _Near(_column(part, "class"), found, matches)

    def twins(self, pool: Features) -> Matches:
        """The other image of the pool most alike to each, by pixels."""
        stage, k = "pool against itself", min(CANDIDATES, len(pool) - 1)
        found = self.features(pool.features, pool.features, k, stage, True)
        return self.pixels(pool, pool, found.rows, stage, not_itself=True)

    def pixels(
        self,
        part: Features,
        base: Features,
        by_features: np.ndarray,
        stage: str,
        warps: tuple[Warp, ...] = (AS_IT_IS,),
        not_itself: bool = False,
    ) -> Matches:
        return most_alike(
            part.pixels, base.pixels, by_features, self.config.pixel_shift, not_itself, *self.hooks,
            f"pixels of the {stage}", _patients(base), warps,
        )  # fmt: skip


def _patients(part: Features) -> np.ndarray:
    """Number of every image's patient, int64 [N]; an image of an unknown one has its own."""
    groups, _ = pd.factorize(np.where(part.groups() != "", part.groups(), np.arange(len(part)).astype(object)))
    return groups.astype(np.int64)


def _in(part: Features, train: Features) -> np.ndarray:
    """Which images are equal to a training image, bool [N]."""
    return part.rows["sha256"].isin(train.rows["sha256"]).to_numpy()


def _table(
    pool: Features, train: Features, near: _Near, own: np.ndarray, twins: Matches, flags: np.ndarray
) -> pd.DataFrame:
    nearest_row = near.features.rows[:, 0]
    paths, classes = (_column(train, name) for name in ("path", "class"))
    columns = {
        **{name: _column(pool, name) for name in ("path", "class", "sha256")},
        "neighbour": paths[nearest_row],
        "neighbour_class": classes[nearest_row],
        "distance": near.features.distances[:, 0],
        "ratio": copy_ratio(near.features.distances, _patients(train)[near.features.rows]),
        "own_distance": own[nearest_row],
        "pixel_neighbour": paths[near.pixels.rows],
        "pixel_distance": near.pixels.distances,
        "pixel_ratio": near.pixels.ratio,
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
    return train.some(~train.rows["sha256"].duplicated().to_numpy())


def _require(parts: dict[str, Features]) -> None:
    for name, part in parts.items():
        if len(part) < FEWEST[name]:
            raise ErsatzError(
                f"There are {len(part)} different {name} images; at least {FEWEST[name]} are expected, or it cannot be "
                "told which synthetic images are copies. Take a larger data set or another split."
            )
