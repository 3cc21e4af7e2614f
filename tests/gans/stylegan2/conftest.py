"""Training runs of a StyleGAN2-ADA small enough to repeat, on 16 px discs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.configs import ImportConfig, StyleganConfig
from engine.datasets.dataset import Dataset
from engine.datasets.importing import import_dataset
from engine.store.home import Home
from engine.store.runs import Run, create_run
from tests.gans.conftest import write_pictures

MakeRun = Callable[..., tuple[Run, StyleganConfig]]

TINY: dict[str, Any] = {
    "kimg": 0.048,
    "batch": 4,
    "tick_kimg": 0.008,
    "snapshot_ticks": 2,
    "grid": 6,
    "precision": "fp32",
    "device": "cpu",
    "z_dim": 8,
    "w_dim": 8,
    "channel_base": 128,
    "channel_max": 8,
    "mbstd_group": 2,
    "g_reg_interval": 2,
    "d_reg_interval": 3,
    "ema_kimg": 0.02,
    "ada_kimg": 0.05,
}
"""6 ticks of 2 iterations of 4 images, every phase in each third of them."""


@pytest.fixture
def dots(home: Home, tmp_path: Path) -> Dataset:
    """The frozen data set `dots`: 12 training and 4 validation images in each of the classes a and b."""
    source = write_pictures(tmp_path / "source", 16)
    config = ImportConfig(
        name="dots", source=str(source), layout="folder", size=16, mode="L", split="given", positive="b"
    )
    dataset = import_dataset(home, config)
    if not dataset.frozen:
        dataset.freeze(accept_findings=True)
    return Dataset.open(home, "dots")


@pytest.fixture
def make_run(home: Home, dots: Dataset) -> MakeRun:
    """`make_run(kimg=..., ...)`: a new training run on the dots, by default of class a."""

    def make(**changes: Any) -> tuple[Run, StyleganConfig]:
        values = {"dataset": "dots", "class_name": "a", **TINY, **changes}
        config = StyleganConfig.build(values).completed(16)
        return create_run(home, config.plain(), "train"), config

    return make
