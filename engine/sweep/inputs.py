"""From a frozen data set and a pool to what the trials read: images for the small network, else cached features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.features.backbones import open_backbone
from engine.features.cache import FeatureCache
from engine.features.classical import view_seed
from engine.features.weights import resolve_weights
from engine.gans.devices import choose_device
from engine.sampling.pools import Pool
from engine.store.files import replacing
from engine.store.progress import Report, ShouldStop
from engine.store.runs import Run
from engine.sweep.arms import Trial, arm_rule, require_enough, training_set
from engine.sweep.classifiers import to_network_size
from engine.sweep.trials import Inputs


@dataclass(frozen=True)
class Table:
    """Images of one part in a fixed order, their hashes and class indices."""

    images: np.ndarray
    hashes: list[str]
    labels: np.ndarray


def load_inputs(
    run: Run,
    config: SweepConfig,
    dataset: Dataset,
    pool: Pool,
    trials: Sequence[Trial],
    report: Report,
    should_stop: ShouldStop,
) -> tuple[Inputs, dict[str, str]]:
    """What the trials read, on the device that trains, and a description of the classifier for the summary.

    Raises `features.cache.Interrupted` when asked to stop while features are computed.
    """
    device = choose_device(config.device)
    real, valid, test = (_part(dataset, split) for split in ("train", "valid", "test"))
    pool_rows = pool.rows()
    pool_rows = pool_rows[pool_rows["class"].isin(dataset.classes)]
    pool_labels = np.array([dataset.classes.index(name) for name in pool_rows["class"]], np.int64)
    require_enough(config, _counts(dataset, real.labels), _counts(dataset, pool_labels))
    used = _used_pool_rows(trials, real.labels, pool_labels, config)
    synthetic = Table(pool.pixels(pool_rows.iloc[used]), list(pool_rows["sha256"].iloc[used]), pool_labels)
    labels = real.labels, pool_labels, valid.labels, len(dataset.classes)

    if config.classifier == "small-cnn":
        train = _scatter(_tensor(real.images), _tensor(synthetic.images), used, len(pool_labels))
        inputs = Inputs(train, _tensor(valid.images), _tensor(test.images), *labels)
        return inputs.to(device), {"name": "small-cnn", "input": f"{train.shape[-1]} px"}

    backbone = open_backbone(config.classifier, resolve_weights(config.classifier, config.weights), device)
    cache = FeatureCache(run.home, backbone)

    def features(table: Table, views: int = 0) -> torch.Tensor:
        return torch.from_numpy(cache.features(table.images, table.hashes, views, report, should_stop))

    classical = any(arm_rule(arm).classical for arm in config.arms)
    train = _scatter(features(real), features(synthetic), used, len(pool_labels))
    views = features(real, config.views) if classical else None
    if classical:
        _write_views(run, dataset, config.views)
    inputs = Inputs(train, features(valid), features(test), *labels, views)
    return inputs.to(device), {
        "name": backbone.name,
        "weights": backbone.weights_file,
        "weights_sha256": backbone.weights_sha256,
        "input": backbone.preprocessing,
    }


def _part(dataset: Dataset, split: str) -> Table:
    rows = dataset.rows(split)
    return Table(dataset.pixels(rows), list(rows["sha256"]), np.array(dataset.labels(rows)))  # a writable copy


def _counts(dataset: Dataset, labels: np.ndarray) -> dict[str, int]:
    counts = np.bincount(labels, minlength=len(dataset.classes))
    return dict(zip(dataset.classes, counts.tolist(), strict=True))


def _used_pool_rows(
    trials: Sequence[Trial], real_labels: np.ndarray, pool_labels: np.ndarray, config: SweepConfig
) -> np.ndarray:
    """Rows of the pool that some trial sees; the others are not read."""
    seen = [training_set(trial, real_labels, pool_labels, config).rows for trial in trials]
    rows = np.unique(np.concatenate(seen))
    return rows[rows >= len(real_labels)] - len(real_labels)


def _scatter(real: torch.Tensor, synthetic: torch.Tensor, used: np.ndarray, n_pool: int) -> torch.Tensor:
    """The table of training images: the reals, then one row for each image of the pool (zeros where unused)."""
    table = torch.zeros(len(real) + n_pool, *real.shape[1:], dtype=real.dtype)
    table[: len(real)] = real
    table[len(real) + torch.from_numpy(used)] = synthetic
    return table


def _tensor(images: np.ndarray) -> torch.Tensor:
    """uint8 `[N, H, W, C]` -> `[N, C, S, S]` of the size that the small network takes."""
    return to_network_size(torch.from_numpy(images).permute(0, 3, 1, 2))


def _write_views(run: Run, dataset: Dataset, views: int) -> None:
    """Record the seed of every random view that the arm real+classical saw: views.csv (path, sha256, view, seed)."""
    rows = dataset.rows("train")
    table = pd.DataFrame(
        [
            (path, sha, view, view_seed(sha, view))
            for path, sha in zip(rows["path"], rows["sha256"], strict=True)
            for view in range(views)
        ],
        columns=["path", "sha256", "view", "seed"],
    )
    with replacing(run.path / "views.csv") as temporary:
        table.to_csv(temporary, index=False)
