"""A map of a data set as it is kept, read without torch: places, likeness, and whether it still fits the images."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.datasets.dataset import Dataset
from engine.datasets.manifest import usable
from engine.datasets.seal import sealed_images
from engine.store.errors import ErsatzError
from engine.store.hashing import sha256_value
from engine.store.parquet import read_parquet
from engine.store.runs import Run

MAP_FILE, DIRECTIONS_FILE = "map.parquet", "directions.npy"
COLUMNS = ("path", "class", "sha256", "x", "y")


def rows_to_draw(dataset: Dataset) -> pd.DataFrame:
    """The rows of the manifest that a map shows: nothing left out, and nothing sealed."""
    rows = usable(dataset.manifest)
    return rows[~rows["sha256"].isin(sealed_images(dataset.home, dataset))]


def drawn_of(rows: pd.DataFrame) -> str:
    """One hash of all these images, whatever their order."""
    return sha256_value(sorted(rows["sha256"]))


def read_map(run: Run) -> tuple[pd.DataFrame, np.ndarray]:
    """`path, class, sha256, x, y` of each image, and its features on their main directions `[N, D]`.

    Raises `ErsatzError` when the files are gone, damaged or of two different maps.
    """
    places = read_parquet(run.path / MAP_FILE, columns=list(COLUMNS))
    try:
        directions = np.load(run.path / DIRECTIONS_FILE, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ErsatzError(
            f"{run.path / DIRECTIONS_FILE} cannot be read ({error}); an array of numbers is expected. Draw a new map."
        ) from error
    if directions.ndim != 2 or len(directions) != len(places):
        raise ErsatzError(
            f"{run.path / DIRECTIONS_FILE} holds numbers of shape {list(directions.shape)}, and {MAP_FILE} has "
            f"{len(places)} images; one row for each is expected. Draw a new map."
        )
    return places, directions


def by_likeness(places: pd.DataFrame, directions: np.ndarray, sha256: str) -> list[str]:
    """The hashes of all images on the map, the most alike to one of them first, itself before all.

    Likeness is the Euclidean distance on the main directions of the features. Raises `ErsatzError` when the image is
    not on the map.
    """
    hashes = places["sha256"].to_numpy(str)
    found = np.flatnonzero(hashes == sha256)
    if not len(found):
        raise ErsatzError("This image is not on the map of its data set; one that is, is expected. Draw a new map.")
    distances = np.linalg.norm(directions - directions[found[0]], axis=1)
    return list(dict.fromkeys(hashes[np.argsort(distances, kind="stable")]))
