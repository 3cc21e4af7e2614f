"""Pictures of a report: walls of samples, and the synthetic images most like a training image, as inline PNG."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from engine.datasets.dataset import Dataset
from engine.report.quality_tables import describe_pair, worst_pairs
from engine.report.sources import PoolSource
from engine.sampling.pools import Pool

WALL_IMAGES = 12
PAIRS = 12
PIXELS = 96


def walls(source: PoolSource) -> list[dict[str, Any]]:
    """The first images of each class of the pool beside the first real training images."""
    if source.pool is None or source.dataset is None:
        return []
    pool, dataset = source.pool, source.dataset
    return [
        {
            "name": name,
            "reals": [data_uri(image) for image in dataset.pixels(dataset.rows("train", name).head(WALL_IMAGES))],
            "fakes": [data_uri(image) for image in pool.pixels(pool.rows(name).head(WALL_IMAGES))],
        }
        for name in pool.classes
    ]


def gallery(source: PoolSource) -> list[dict[str, Any]]:
    """The synthetic images most like a training image, each beside it; a repeat is beside the image that it repeats.

    Images that left the pool since are shown too.
    """
    if source.pool is None or source.dataset is None or source.quality is None:
        return []
    pairs = []
    for _, row in worst_pairs(source.quality.neighbours, PAIRS).iterrows():
        fake = _of_pool(source.pool, row["path"])
        repeat = row["flag"] == "repeat" and row.get("twin")
        other = _of_pool(source.pool, row["twin"]) if repeat else _of_dataset(source.dataset, row["neighbour"])
        if fake is None or other is None:
            continue  # made or imported anew since
        pairs.append(
            {
                "fake": data_uri(fake),
                "other": data_uri(other),
                "flagged": bool(row["flag"]),
                "class": row["class"],
                "words": describe_pair(row),
            }
        )
    return pairs


def _of_pool(pool: Pool, path: str) -> np.ndarray | None:
    rows = pool.manifest[pool.manifest["path"] == path]
    return None if rows.empty else pool.pixels(rows)[0]


def _of_dataset(dataset: Dataset, path: str) -> np.ndarray | None:
    rows: pd.DataFrame = dataset.manifest[dataset.manifest["path"] == path]
    return None if rows.empty else dataset.pixels(rows)[0]


def data_uri(pixels: np.ndarray) -> str:
    """An image `[H, W, C]` as the text of a PNG, at most `PIXELS` wide."""
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    image.thumbnail((PIXELS, PIXELS))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
