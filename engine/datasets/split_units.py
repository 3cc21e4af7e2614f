"""Units that move between splits as a whole: a patient's images, a set of copies, or a single image."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from engine.datasets.copies import joined
from engine.datasets.dataset import Dataset
from engine.datasets.image_stats import measured
from engine.datasets.manifest import usable


def numbers(manifest: pd.DataFrame) -> pd.Series:
    """Number of each row's unit; rows that share a group or a picture are one. Expects `copies.measure`'s columns."""
    return pd.Series(joined(len(manifest), manifest["group"], manifest["sha256"], manifest["near"]), manifest.index)


def units_of(dataset: Dataset) -> pd.DataFrame:
    """One row a unit: `name` (its groups, else its first file), `split` (all that it is in), `images`, one column a
    class with its images, and the `path` of one of them; images that were left out count nowhere.
    """
    manifest = measured(dataset.manifest, dataset.path)
    rows = usable(manifest)
    unit = numbers(manifest)[rows.index]
    counts = pd.crosstab(unit, rows["class"])
    told = rows.assign(file=rows["source"].map(lambda source: Path(source).name)).groupby(unit)
    table = pd.DataFrame(
        {
            "name": told["group"].agg(_names).where(lambda name: name != "", told["file"].first()),
            "split": told["split"].agg(_names),
            "images": told.size(),
            "path": told["path"].first(),
        }
    )
    return table.join(counts).reset_index(drop=True)


def _names(values: pd.Series) -> str:
    first = values.iloc[0]
    if (values == first).all():
        return str(first)
    return " + ".join(sorted(set(values) - {""}))
