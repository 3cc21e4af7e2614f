"""A data set of grey discs, with a bright spot in one of its classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from PIL import Image

from engine.configs import ImportConfig
from engine.datasets.dataset import Dataset, frozen_now, write_manifest
from engine.datasets.dataset_info import Audit, DatasetInfo, Provenance
from engine.store.hashing import sha256_pixels
from engine.store.home import Home

CLASSES = ("bleed", "normal")
COUNTS = {"train": 20, "valid": 6, "test": 12}
SIZE = 32


def picture(seed: int, class_name: str) -> np.ndarray:
    """A grey disc `[SIZE, SIZE]`, with a bright spot in the class bleed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    image = 20 + 110 * (np.hypot(x / rng.uniform(0.8, 1.0), y) < SIZE * 0.42) + rng.normal(0, 10, (SIZE, SIZE))
    if class_name == "bleed":
        image += 90 * (np.hypot(x - rng.uniform(-6, 6), y - rng.uniform(-6, 6)) < rng.uniform(2, 5))
    return image.clip(0, 255).astype(np.uint8)


def make_dataset(
    home: Home,
    name: str = "phantom",
    frozen: bool = True,
    sexes: bool = False,
    classes: Sequence[str] = CLASSES,
    counts: Mapping[str, int] = COUNTS,
) -> Dataset:
    """A phantom data set with one finding of its audit, and with `sexes` a metadata column."""
    folder = home.dataset(name)
    rows, seed = [], 0
    for class_name in classes:
        (folder / "images" / class_name).mkdir(parents=True)
        for split, count in counts.items():
            for _ in range(count):
                image = picture(seed, class_name)
                path = f"images/{class_name}/{seed:05d}.png"
                Image.fromarray(image).save(folder / path)
                row = {"path": path, "class": class_name, "split": split, "group": f"P{seed:03d}"}
                row |= {"sha256": sha256_pixels(image), "phash": f"{seed:016x}", "width": 64 + seed % 3, "height": 64}
                row |= {"mode": "L", "bits": 8, "source": path, "excluded": ""}
                rows.append({**row, "sex": ("female", "male")[seed % 2]} if sexes else row)
                seed += 1
    manifest = pd.DataFrame(rows)
    write_manifest(folder / "manifest.csv", manifest)
    finding = {"name": "near-copies", "sentence": "2 pairs of images look nearly the same.", "count": 2}
    finding |= {"severity": "info", "examples": [], "remedy": "drop-copies"}
    config = ImportConfig(name=name, layout="phantom", size=SIZE, metadata_columns=("sex",) if sexes else ())
    info = DatasetInfo(
        name=name,
        config=config.plain(),
        classes=list(classes),
        size=SIZE,
        mode="L",
        frozen=None,
        audit=Audit(findings=[finding]),
        provenance=Provenance(preprocessing={}),
        phantom=True,
        label="Phantom: drawn by the program",
    )
    now = frozen_now(manifest, info, []) if frozen else None
    info.model_copy(update={"frozen": now}).write_to(folder / "dataset.json")
    return Dataset.open(home, name)


def fingerprint(home: Home) -> str:
    return Dataset.open(home, "phantom").fingerprint
