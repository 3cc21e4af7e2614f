"""A frozen data set of small grey pictures, and training runs short enough to repeat."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.configs import DcganConfig, ImportConfig
from engine.datasets.dataset import Dataset
from engine.datasets.importing import import_dataset
from engine.store.home import Home
from engine.store.runs import Run, create_run
from tests.gans.capturing import FakeCuda, installed

SIZE = 32
TIMES = ("seconds", "images_per_second", "memory_gib", "time")
"""Fields of a metrics row that no two runs share."""

MakeRun = Callable[..., tuple[Run, DcganConfig]]


def write_pictures(folder: Path, size: int, per_class: int = 12) -> Path:
    """Blurred random discs: class a bright on dark, class b dark on bright; all in the split train but a few."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size]
    for split, count in (("train", per_class), ("valid", 2), ("test", 2)):
        for name in ("a", "b"):
            (folder / split / name).mkdir(parents=True)
            for i in range(count):
                cy, cx = rng.uniform(size / 4, 3 * size / 4, 2)
                radius = rng.uniform(size / 8, size / 4)
                disc = 1 / (1 + np.exp((np.hypot(y - cy, x - cx) - radius) / 2))
                level = disc if name == "a" else 1 - disc
                pixels = (30 + 180 * level + rng.normal(0, 8, level.shape)).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{i}.png")
    return folder


@pytest.fixture
def discs(home: Home, tmp_path: Path) -> Dataset:
    """The frozen data set `discs`: 12 training images in each of the classes a and b."""
    source = write_pictures(tmp_path / "source", SIZE)
    config = ImportConfig(
        name="discs", source=str(source), layout="folder", size=SIZE, mode="L", split="given", positive="b"
    )
    dataset = import_dataset(home, config)
    if not dataset.frozen:
        dataset.freeze(accept_findings=True)
    return Dataset.open(home, "discs")


@pytest.fixture
def make_run(home: Home, discs: Dataset) -> MakeRun:
    """`make_run(kimg=..., ...)`: a new training run on the discs, by default 6 ticks of 2 iterations of 4 images."""

    def make(**changes: Any) -> tuple[Run, DcganConfig]:
        values: dict[str, Any] = {"dataset": "discs", "class_name": "a", "kimg": 0.048, "batch": 4, "tick_kimg": 0.008}
        values |= {"snapshot_ticks": 2, "g_channels": 8, "d_channels": 8, "z_dim": 16, "grid": 6, "precision": "fp32"}
        values |= {"device": "cpu"}
        config = DcganConfig.build({**values, **changes})
        return create_run(home, config.plain(), "train"), config

    return make


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    """Players made from now on record CUDA graphs, on the CPU by a stand-in."""
    return installed(monkeypatch)
