"""A small frozen data set, a pool for it and a sweep on both, as the engine leaves them on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from engine.configs import GeneratorReference, PoolConfig, SweepConfig
from engine.datasets.dataset import Dataset
from engine.sampling.pool_info import PoolGenerator, PoolInfo
from engine.sampling.pools import Pool
from engine.store.files import write_json
from engine.store.hashing import sha256_pixels
from engine.store.home import Home
from engine.store.runs import Run, create_run

CLASSES = ("bleed", "normal")
SIZE = 16


def picture(seed: int, class_name: str) -> np.ndarray:
    """Noise `[16, 16]` with a bright spot in the class bleed, hard enough that a classifier errs."""
    rng = np.random.default_rng(seed)
    image = rng.normal(90, 35, (SIZE, SIZE))
    if class_name == "bleed":
        x, y = rng.integers(2, SIZE - 5, 2)
        image[y : y + 4, x : x + 4] += 45
    return image.clip(0, 255).astype(np.uint8)


def save(folder: Path, path: str, pixels: np.ndarray) -> str:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / path)
    return sha256_pixels(pixels)


def make_dataset(home: Home, counts: dict[str, int], name: str = "spots", turn: int = 0, first: int = 0) -> Dataset:
    """A frozen data set with the metadata column `site`; `turn` deals the same images to the parts `turn` later, and
    `first` draws other ones.
    """
    folder, rows, seed = home.dataset(name), [], first
    for class_name in CLASSES:
        splits = np.roll(np.repeat(list(counts), list(counts.values())), turn)
        for split in splits:
            path = f"images/{class_name}/{seed:05d}.png"
            row = {"path": path, "class": class_name, "split": split, "group": f"P{seed // 2:03d}"}
            row |= {"sha256": save(folder, path, picture(seed, class_name)), "phash": "", "width": SIZE}
            row |= {"height": SIZE, "mode": "L", "bits": 8, "source": path, "excluded": ""}
            rows.append({**row, "site": "north" if seed % 3 else "south"})
            seed += 1
    pd.DataFrame(rows).to_csv(folder / "manifest.csv", index=False)
    info: dict[str, Any] = {"name": name, "config": {}, "classes": list(CLASSES), "size": SIZE, "mode": "L"}
    info |= {"frozen": None, "audit": {"findings": []}, "provenance": {"preprocessing": {}}, "phantom": True}
    write_json(folder / "dataset.json", info)
    Dataset.open(home, name).freeze()
    return Dataset.open(home, name)


def make_pool(dataset: Dataset, per_class: int = 40, generators: int = 1) -> Pool:
    """`per_class` images of each class by each of so many generators."""
    runs = ["none", *(f"none-{number}" for number in range(1, generators))]
    reference = GeneratorReference(run="none", sha256="a" * 64)
    config = PoolConfig(name="pool", dataset=dataset.name, generators=(reference,), images_per_class=per_class)
    run = create_run(dataset.home, config.plain(), "pool")
    rows = []
    for class_name in CLASSES:
        for seed, number in ((seed, number) for seed in range(per_class) for number in range(generators)):
            path = f"images/{class_name}/{f'{number}-' if number else ''}{seed:06d}.png"
            sha256 = save(run.path, path, picture(10_000 + 2 * (seed + per_class * number), class_name))
            row = {"path": path, "class": class_name, "seed": seed, "generator": runs[number]}
            rows.append({**row, "generator_sha256": "a" * 64, "sha256": sha256, "excluded": ""})
    pd.DataFrame(rows).to_csv(run.path / "manifest.csv", index=False)
    (run.path / "training_images.txt").write_text("\n".join(dataset.rows("train")["sha256"]) + "\n")
    info = PoolInfo(
        name=config.name,
        dataset=dataset.name,
        dataset_fingerprint=dataset.fingerprint,
        size=SIZE,
        channels=1,
        mode="L",
        classes=CLASSES,
        generators=tuple(PoolGenerator(run=name, sha256="a" * 64, classes=CLASSES) for name in runs),
    )
    info.write_to(run.path / "pool.json")
    return Pool.open(run)


@pytest.fixture
def dataset(home: Home) -> Dataset:
    return make_dataset(home, {"train": 24, "valid": 10, "test": 16})


@pytest.fixture
def pool(dataset: Dataset) -> Pool:
    return make_pool(dataset)


@pytest.fixture
def folds(home: Home, dataset: Dataset) -> list[dict[str, str]]:
    """Three splits of the same images, each image tested once, with a pool for each; for `SweepConfig.folds`."""
    parts = {"train": 12, "valid": 4, "test": 8}
    made = [make_dataset(home, parts, f"spots-fold{fold + 1}", turn=8 * fold) for fold in range(3)]
    return [{"dataset": fold.name, "pool": make_pool(fold).run.id} for fold in made]


@pytest.fixture
def new_sweep(home: Home, dataset: Dataset, pool: Pool) -> Callable[..., tuple[Run, SweepConfig]]:
    """Make a run with a small sweep's config; settings can be changed by keyword."""

    def make(**changes: Any) -> tuple[Run, SweepConfig]:
        settings = {"seeds": 2, "ratios": (0.5, 1.0), "steps": 12, "batch": 8, "validations": 3, "device": "cpu"}
        own_pool = {} if changes.get("folds") else {"pool": pool.run.id}
        config = SweepConfig(name="sweep", dataset=dataset.name, **{**settings, **own_pool, **changes})
        return create_run(home, config.plain(), "sweep"), config

    return make
