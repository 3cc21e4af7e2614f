"""A small picture for each step that has left something: what it made, at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from engine.datasets.dataset import Dataset
from engine.datasets.manifest import usable
from engine.datasets.phantom import slices_of
from engine.report.difference_sketch import sketch
from engine.store.errors import ErsatzError
from pages.components.files import stamp, table_of
from pages.components.home import home
from pages.components.images import picture_url
from pages.components.run_summary import RunSummary
from pages.components.sweep_difference import deciding
from pages.overview.journeys import Journey
from pages.overview.verdict import rows_of

TILE = 64
"""Pixels of a picture in a thumbnail, of which two stand side by side."""
Stamped = tuple[Path, float, int]


def thumbnail(journey: Journey, kind: str) -> tuple[str, str] | None:
    """A picture for `st.image`, with words for who cannot see it; None before the step has left anything."""
    try:
        match kind:
            case "import":
                return _beside(training_images(journey.name, 2), "Training images")
            case "train":
                return _samples(journey)
            case "pool":
                return _of_pool(journey)
            case "quality":
                return _pair(journey)
            case "sweep":
                return _differences(journey)
    except (OSError, ErsatzError, KeyError, ValueError, SyntaxError):  # damaged, or deleted just now: the step says so
        return None
    return _real_and_fake(journey) if journey.reviewers else None


def training_images(name: str, count: int) -> list[Path]:
    """A few training images of a data set, of its classes in turn."""
    return _training_images(*stamp(home().dataset(name) / "manifest.csv"), name, count)


@st.cache_data(max_entries=64, show_spinner=False)
def _training_images(path: Path, written: float, size: int, name: str, count: int) -> list[Path]:
    dataset = Dataset.open(home(), name)
    rows = dataset.rows("train") if dataset.frozen else usable(dataset.manifest)
    turns: pd.Series = rows.groupby("class").cumcount()
    return [dataset.path / each for each in rows["path"][turns.sort_values(kind="stable").index[:count]]]


def _samples(journey: Journey) -> tuple[str, str] | None:
    """Newest samples of the newest training of each class."""
    tiles = []
    for seen in journey.newest("train"):
        grids = sorted((seen.run.path / "samples").glob("fakes-*.png"))
        if grids:
            size = Dataset.open(home(), seen.dataset).size
            tiles.append((stamp(grids[-1]), size))
    if not tiles:
        return None
    return _beside_tiles(tuple(tiles[:2] if len(tiles) > 1 else [tiles[0]] * 2), len(tiles) == 1), "Newest samples"


def _of_pool(journey: Journey) -> tuple[str, str] | None:
    pools = journey.done("pool")
    if not pools:
        return None
    folders = sorted(path for path in (pools[0].run.path / "images").iterdir() if path.is_dir())
    each = [sorted(folder.glob("*.png"))[:2] for folder in folders[:2]]
    return _beside([paths[0] for paths in each if paths] if len(each) > 1 else each[0], "Images of the pool")


def _pair(journey: Journey) -> tuple[str, str] | None:
    """The synthetic image that lies nearest to a training image, beside that one."""
    checks = journey.done("quality")
    if not checks:
        return None
    found = table_of(checks[0].run.path / "neighbours.parquet")
    nearest = found.iloc[int(np.argmin(found["pixel_distance"]))]
    synthetic = home().run(checks[0].config["pool"]) / nearest["path"]
    real = home().dataset(checks[0].dataset) / nearest["pixel_neighbour"]
    return _beside([synthetic, real], "The synthetic image nearest to a training image, and that image")


def _differences(journey: Journey) -> tuple[str, str] | None:
    sweep = latest_sweep(journey)
    found = deciding(sweep) if sweep else None
    return (sketch(rows_of(found), 2 * TILE, TILE), "The differences that the verdict rests on") if found else None


def _real_and_fake(journey: Journey) -> tuple[str, str] | None:
    pools = journey.done("pool")
    real = training_images(journey.name, 1)
    fakes = sorted((pools[0].run.path / "images").glob("*/*.png"))[:1] if pools else []
    return _beside([*real, *fakes], "A real image and a synthetic one")


def latest_sweep(journey: Journey) -> RunSummary | None:
    """The newest finished sweep that is no control; a control where there is no other."""
    done = journey.done("sweep")
    return min(done, key=lambda seen: bool(seen.status.result.get("control")), default=None)


@lru_cache(1)
def phantom_pictures() -> tuple[str, str]:
    """Two slices of each class of the demo's phantom side by side, and words for them."""
    by_class: dict[str, list[np.ndarray]] = {}
    for one in islice(slices_of(), 8):
        by_class.setdefault(one.class_name, []).append(one.pixels)
    tiles = [pixels for name in sorted(by_class) for pixels in by_class[name][:2]]
    return picture_url(np.hstack(tiles), TILE * len(tiles)), "Slices of the demo: drawn by the program, of no patient"


def _beside(paths: Sequence[Path], words: str) -> tuple[str, str] | None:
    return (_beside_files(tuple(stamp(path) for path in paths)), words) if paths else None


@lru_cache(256)
def _beside_files(files: tuple[Stamped, ...]) -> str:
    return picture_url(np.hstack([_tile(path) for path, _, _ in files]), TILE * len(files))


@lru_cache(256)
def _beside_tiles(grids: tuple[tuple[Stamped, int], ...], of_one: bool) -> str:
    """The first tile of each grid of samples; of one grid its first two."""
    tiles = [
        _tile(path, ((number if of_one else 0) * size, 0, size)) for number, ((path, _, _), size) in enumerate(grids)
    ]
    return picture_url(np.hstack(tiles), TILE * len(tiles))


def _tile(path: Path, part: tuple[int, int, int] | None = None) -> np.ndarray:
    """A picture, or the square `part` of it (left, top, edge), `TILE` pixels wide and high, in RGB."""
    with Image.open(path) as image:
        if part is not None:
            left, top, edge = part
            image = image.crop((left, top, left + edge, top + edge))  # type: ignore[assignment]
        return np.asarray(image.convert("RGB").resize((TILE, TILE), Image.Resampling.BICUBIC))
