"""Images of a pool that came from elsewhere, held against the real ones and each other: equal, and nearly equal.

Equal is by the hash of the stored pixels; nearly equal as the audit of an import finds it (`datasets.near_copies`). A
copy of a test or validation image leaves the pool: the sweep would train on what it is tested on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from engine.datasets.copies import BLANK_SPREAD
from engine.datasets.dataset import Dataset
from engine.datasets.near_copies import connected, near_pairs
from engine.datasets.picture_content import Contents, read_contents

NAMES = {"test": "test", "valid": "validation", "train": "training"}
"""Parts of the data set, those first whose copies matter most."""
EXAMPLES = 3


@dataclass(frozen=True)
class Found:
    """What the search found: for each image why it leaves the pool ('' for those that stay), and sentences."""

    excluded: list[str]
    sentences: list[str]


def find_copies_of_reals(dataset: Dataset, rows: pd.DataFrame, folder: Path) -> Found:
    """Copies of real images, and repeats, among the pool images `rows` (path, sha256, source) below `folder`.

    Reads every image of the data set and of the pool once, and compares N pictures at a cost of about N^2.
    """
    real = _reals(dataset)
    part_of = dict(zip(real["sha256"], real["split"], strict=True))
    exact = rows["sha256"].map(part_of).fillna("")
    nearly, sure, repeats = _near(real, rows[exact == ""], dataset.path, folder)
    excluded, sentences = pd.Series("", rows.index), []
    for part, name in NAMES.items():
        same = exact == part
        twins = rows.index.isin([place for place, found in sure.items() if found == part])
        near = rows.index.isin([place for place, found in nearly.items() if found == part]) & ~twins
        if part != "train":
            excluded[same] = f"equal to a {name} image"
            excluded[twins & (excluded == "").to_numpy()] = f"nearly equal to a {name} image"
        left = ", and left out" if part != "train" else ""
        sentences += _told(rows[same], f"equal to a {name} image, pixel for pixel{left}")
        sentences += _told(rows[twins], f"equal to a {name} image in all but small changes{left}")
        sentences += _told(rows[near], f"so like a {name} image that a look is needed")
    again = int(rows["sha256"].duplicated().sum())
    sentences += [f"{again} of {len(rows)} images repeat another one of the pool, pixel for pixel."] * bool(again)
    sentences += [f"{repeats} of {len(rows)} images are nearly equal to another one of the pool."] * bool(repeats)
    if not sentences:
        sentences = ["No image is equal or nearly equal to a real image or to another one of the pool."]
    return Found(list(excluded), sentences)


def _told(rows: pd.DataFrame, what: str) -> list[str]:
    if rows.empty:
        return []
    verb = "image is" if len(rows) == 1 else "images are"
    more = ", ..." if len(rows) > EXAMPLES else ""
    return [f"{len(rows)} {verb} {what} ({', '.join(rows['source'].head(EXAMPLES))}{more})."]


def _reals(dataset: Dataset) -> pd.DataFrame:
    """Each real picture once, under the part in which its copy matters most."""
    rows = dataset.rows()
    order = rows["split"].map(list(NAMES).index)
    return rows.assign(order=order).sort_values("order", kind="stable").drop_duplicates("sha256")


def _near(
    real: pd.DataFrame, rows: pd.DataFrame, real_folder: Path, folder: Path
) -> tuple[dict[int, str], dict[int, str], int]:
    """By the place of a pool image in its table: the part of the real images that it is near to, and of those that it
    is one picture with beyond doubt; and how many images have a near copy within the pool."""
    single = rows.drop_duplicates("sha256")
    if single.empty:
        return {}, {}, 0
    contents = _joined(read_contents(real["path"], real_folder), read_contents(single["path"], folder))
    parts = np.array([*real["split"], *[""] * len(single)])
    kept = np.flatnonzero(contents.spread >= BLANK_SPREAD)  # blank images are all alike
    found = near_pairs(contents.of(kept))
    pairs = kept[found.pairs]
    own = parts[pairs] == ""
    place_of = {len(real) + number: place for number, place in enumerate(single.index)}
    nearly: dict[int, str] = {}
    for pair, mine in zip(pairs[own.sum(1) == 1], own[own.sum(1) == 1], strict=True):
        place, part = place_of[int(pair[mine][0])], str(parts[pair[~mine][0]])
        nearly[place] = _graver(nearly.get(place), part)
    sets = connected(len(parts), pairs[found.sure])
    sure: dict[int, str] = {}
    worst: dict[int, str] = {}
    for number, part in zip(sets[: len(real)], parts[: len(real)], strict=True):
        worst[int(number)] = _graver(worst.get(int(number)), str(part))
    for number, place in place_of.items():
        if (label := int(sets[number])) in worst:
            sure[place] = worst[label]
    return nearly, sure, len(np.unique(pairs[own.all(1)]))


def _graver(one: str | None, other: str) -> str:
    order: Sequence[str] = list(NAMES)
    return other if one is None or order.index(other) < order.index(one) else one


def _joined(one: Contents, other: Contents) -> Contents:
    return Contents(
        np.concatenate((one.thumbnails, other.thumbnails)),
        np.concatenate((one.masks, other.masks)),
        np.concatenate((one.fine, other.fine)),
        np.concatenate((one.spread, other.spread)),
    )
