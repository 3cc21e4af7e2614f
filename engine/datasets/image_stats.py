"""Measurements of each image's pixels, kept beside the manifest so that they are taken once."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from engine.datasets import copies
from engine.datasets.watched import UNWATCHED, Watched
from engine.store.csv_cells import read_table, write_table
from engine.store.files import replacing

MEASURED = (*copies.NEAR_COLUMNS, "spread")
"""Columns that `copies.measure` adds; they are not kept in manifest.csv."""

MEASURES_FILE = "measures.csv"


def measured(manifest: pd.DataFrame, folder: Path, watched: Watched = UNWATCHED) -> pd.DataFrame:
    """The manifest with the columns in `MEASURED`: as kept below `folder`, else measured now (reads every image)."""
    try:
        texts = dict.fromkeys(("path", "sha256", *copies.NEAR_COLUMNS), str)
        kept = read_table(folder / MEASURES_FILE, dtype={**texts, "spread": float}, na_filter=False)
    except (OSError, ValueError):
        return copies.measure(manifest, folder, watched)
    if not set(MEASURED) <= set(kept):  # by an earlier version, which measured less
        return copies.measure(manifest, folder, watched)
    if any(name not in kept or list(kept[name]) != list(manifest[name]) for name in ("path", "sha256")):
        return copies.measure(manifest, folder, watched)
    return manifest.assign(**{name: kept[name].to_numpy() for name in MEASURED})


def keep_measures(folder: Path, manifest: pd.DataFrame) -> None:
    """Keep what `measured` gave; it holds as long as the pixels do, whatever becomes of groups and splits."""
    with replacing(folder / MEASURES_FILE) as temporary:
        write_table(manifest[["path", "sha256", *MEASURED]], temporary)
