"""Scores while training: which images are compared, what is returned, and what happens on a stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.configs import DcganConfig, ImportConfig, StyleganConfig
from engine.datasets.dataset import Dataset
from engine.datasets.importing import import_dataset
from engine.jobs.execution import train_here
from engine.quality import training_scores as module
from engine.quality.training_scores import TrainingScores, training_scores
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.progress import Progress, never, silent
from engine.store.runs import create_run
from tests.gans.conftest import write_pictures
from tests.gans.stylegan2.conftest import TINY

CPU = torch.device("cpu")


@dataclass
class Quadrants:
    """An extractor that needs no weights: mean and spread of the four quarters of an image."""

    name: str = "quadrants"
    dim: int = 8
    weights_file: str = "none"
    weights_sha256: str = "0"
    preprocessing: str = "none"
    seen: int = 0
    most_at_once: int = 0

    def features(self, images: np.ndarray, view_seeds: None = None) -> np.ndarray:
        self.seen += len(images)
        self.most_at_once = max(self.most_at_once, len(images))
        half = images.shape[1] // 2
        quarters = [images[:, y : y + half, x : x + half] / 255 for y in (0, half) for x in (0, half)]
        moments = [f(quarter, axis=(1, 2, 3)) for quarter in quarters for f in (np.mean, np.std)]
        return np.stack(moments, axis=1).astype(np.float32)


@pytest.fixture
def dataset(home: Home, tmp_path: Path) -> Dataset:
    """12 training images in each of the classes a and b."""
    source = write_pictures(tmp_path / "source", 16)
    config = ImportConfig(
        name="dots", source=str(source), layout="folder", size=16, mode="L", split="given", positive="b"
    )
    imported = import_dataset(home, config)
    if not imported.frozen:
        imported.freeze(accept_findings=True)
    return Dataset.open(home, "dots")


@pytest.fixture
def extractor(monkeypatch: pytest.MonkeyPatch) -> Quadrants:
    chosen = Quadrants()
    monkeypatch.setattr(module, "open_extractor", lambda *_: chosen)
    return chosen


def config(**changes: Any) -> StyleganConfig:
    values = {"dataset": "dots", **TINY, "metrics": ["kid", "fid"], "metric_images": 300, **changes}
    return StyleganConfig.build(values).completed(16)


def scores_of(dataset: Dataset, settings: StyleganConfig, **hooks: Any) -> TrainingScores:
    found = training_scores(settings, dataset, CPU, **hooks)
    assert found is not None
    return found


def test_nobody_asked_nothing_is_loaded(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "open_extractor", lambda *_: pytest.fail("loaded"))
    assert training_scores(config(metrics=[]), dataset, CPU) is None
    assert training_scores(DcganConfig(dataset="dots"), dataset, CPU) is None


def test_absent_weights_are_told_at_once(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ErsatzError, match=r"absent\.pth, which does not exist"):
        training_scores(config(metric_weights=str(tmp_path / "absent.pth")), dataset, CPU)


def test_the_nearer_generator_scores_better(dataset: Dataset, extractor: Quadrants) -> None:
    reals = dataset.pixels(dataset.rows("train", "a"))
    random = np.random.default_rng(0)

    def perfect(seeds: Sequence[int]) -> np.ndarray:
        return reals[np.asarray(seeds) % len(reals)]

    def noise(seeds: Sequence[int]) -> np.ndarray:
        return random.integers(0, 256, (len(seeds), 16, 16, 1), dtype=np.uint8)

    score = scores_of(dataset, config(class_name="a"))
    good, bad = score(perfect), score(noise)
    assert set(good) == {"kid", "kid_low", "kid_high", "fid", "metric_seconds"}
    assert good["kid_low"] <= good["kid"] <= good["kid_high"] < bad["kid_low"]
    assert good["fid"] < 0.1 * bad["fid"]
    assert set(scores_of(dataset, config(metrics=["fid"]))(perfect)) == {"fid", "metric_seconds"}


def test_the_images_are_the_runs_own_and_the_seeds_always_the_same(dataset: Dataset, extractor: Quadrants) -> None:
    asked: list[int] = []

    def sample(seeds: Sequence[int]) -> np.ndarray:
        asked.extend(seeds)
        return np.random.default_rng(list(seeds)).integers(0, 256, (len(seeds), 16, 16, 1), dtype=np.uint8)

    for changes, count in (({}, 24), ({"class_name": "b"}, 12), ({"subset": 7}, 7)):
        score = scores_of(dataset, config(**changes))
        score(sample)
        assert score.reals is not None
        assert len(score.reals) == score.facts.real_images == count
    assert asked == [*range(300)] * 3
    assert extractor.most_at_once < 300  # memory is bounded
    assert score.facts.extractor == "quadrants"
    assert score.facts.synthetic_images == 300


def test_reals_are_computed_once(dataset: Dataset, extractor: Quadrants) -> None:
    def sample(seeds: Sequence[int]) -> np.ndarray:
        return np.full((len(seeds), 16, 16, 1), 7, np.uint8)

    first = scores_of(dataset, config(metric_images=10))
    assert first(sample)["kid"] == first(sample)["kid"]
    assert extractor.seen == 24 + 2 * 10
    scores_of(dataset, config(metric_images=10))(sample)  # another run finds them in the cache
    assert extractor.seen == 24 + 3 * 10


def test_a_stop_is_not_kept_waiting(dataset: Dataset, extractor: Quadrants) -> None:
    reports: list[Progress] = []
    score = scores_of(dataset, config(), report=reports.append, should_stop=lambda: len(reports) >= 2)
    assert score(lambda seeds: np.zeros((len(seeds), 16, 16, 1), np.uint8)) == {}
    assert extractor.seen < 24 + 300
    assert {progress.unit for progress in reports} == {"images"}


def test_scores_join_the_metrics_at_snapshots(home: Home, dataset: Dataset, extractor: Quadrants) -> None:
    settings = config(class_name="a", metric_images=20)
    run = create_run(home, settings.plain(), "train")
    assert train_here(run, settings, silent, never) == "finished"
    rows, _ = run.read_metrics()
    assert len(rows) == 6
    assert [number for number, row in enumerate(rows, 1) if "kid" in row] == [2, 4, 6]
    assert all(row["kid_low"] <= row["kid"] <= row["kid_high"] and row["fid"] >= 0 for row in rows[1::2])
    assert run.status().result["scores"]["extractor"] == "quadrants"


def test_a_run_without_its_weights_ends_before_the_training(home: Home, dataset: Dataset, tmp_path: Path) -> None:
    settings = config(metric_weights=str(tmp_path / "absent.pth"))
    run = create_run(home, settings.plain(), "train")
    with pytest.raises(ErsatzError, match=r"absent\.pth"):
        train_here(run, settings, silent, never)
    assert not (run.path / "samples").exists()
