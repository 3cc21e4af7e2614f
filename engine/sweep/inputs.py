"""From a split to what the trials read: images for networks that are trained, else features from the cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.datasets.patients import clusters_in
from engine.devices import choose_device
from engine.features.backbones import open_backbone
from engine.features.cache import FeatureCache
from engine.features.classical import apply_maps, seeded_maps, view_seed
from engine.features.weights import resolve_weights
from engine.store.csv_cells import read_table, write_table
from engine.store.files import replacing
from engine.store.home import Home
from engine.store.progress import Report, ShouldStop
from engine.store.repair import whole
from engine.store.runs import Run
from engine.sweep.arms import Drawing, Trial, arm_rule, is_synthetic, training_set
from engine.sweep.classifiers import to_network_size
from engine.sweep.splits import Split, drawing_of, pool_part
from engine.sweep.summary_model import Classifier
from engine.sweep.trial_data import Inputs

VIEWS_FILE = "views.csv"


@dataclass(frozen=True)
class Table:
    """Images of one part in a fixed order, their paths and hashes, and their class indices."""

    images: np.ndarray
    paths: list[str]
    hashes: list[str]
    labels: np.ndarray


def open_cache(home: Home, config: SweepConfig) -> tuple[FeatureCache | None, Classifier]:
    """The cache of the classifier's frozen features, None for networks that see images; and the classifier in words."""
    if config.classifier == "small-cnn":
        return None, Classifier(name="small-cnn")
    weights = resolve_weights(config.classifier, config.weights)
    backbone = open_backbone(config.classifier, weights, choose_device(config.device))
    classifier = Classifier(
        name=backbone.name,
        training=config.training,
        head=config.head,
        weights=backbone.weights_file,
        weights_sha256=backbone.weights_sha256,
        input=backbone.preprocessing,
    )
    return (FeatureCache(home, backbone) if config.training == "frozen" else None), classifier


def load_inputs(
    run: Run,
    split: Split,
    cache: FeatureCache | None,
    config: SweepConfig,
    trials: Sequence[Trial],
    report: Report,
    should_stop: ShouldStop,
    external: Dataset | None = None,
    records_views: bool = True,
) -> Inputs:
    """What the trials of one split read, in the memory of the CPU; the external images follow the test images.

    The seeds of random views are written into the run's folder, unless another process `records_views`. Raises
    `features.cache.Interrupted` when asked to stop while features are computed.
    """
    dataset = split.dataset
    real, valid, test = (_part(dataset, part) for part in ("train", "valid", "test"))
    pool_rows, in_test = pool_part(split, config)
    test = _joined(test, _synthetic(split, in_test))
    pool_labels, drawing = dataset.labels(pool_rows), drawing_of(split, pool_rows)
    used = _used_pool_rows(trials, real.labels, pool_labels, config, drawing)
    synthetic = _synthetic(split, pool_rows.iloc[used])

    def shown(table: Table, augmented: bool = False) -> torch.Tensor:
        """Images as the network takes them or their features, seen through their first random view if augmented."""
        if cache is None:
            images = _tensor(table.images, config)
            return _first_views(images, table.hashes, config) if augmented else images
        if augmented:
            return features(table, 1)[:, 0]
        return torch.from_numpy(cache.features(table.images, table.hashes, report=report, should_stop=should_stop))

    def features(table: Table, views: int) -> torch.Tensor:
        assert cache is not None
        found = cache.features(table.images, table.hashes, views, report, should_stop, config.augmentation)
        return torch.from_numpy(found)

    train = _scatter(shown(real), shown(synthetic), used, len(pool_labels))
    test_shown = shown(test, augmented="augmented-test" in config.flaws)
    views, seen = None, [(test, 1)] if "augmented-test" in config.flaws else []
    if cache is not None and any(arm_rule(trial.arm).classical for trial in trials):
        views, seen = features(real, config.views), [*seen, (real, config.views)]
        if any(arm_rule(trial.arm).classical and is_synthetic(trial.arm) for trial in trials):
            views = _scatter(views, features(synthetic, config.views), used, len(pool_labels))
            seen.append((synthetic, config.views))
    if seen and records_views:
        _write_views(run, split, seen, config)
    if "test-is-validation" in config.flaws:
        valid, valid_shown = test, test_shown
    else:
        valid_shown = shown(valid)
    if external is not None:
        test_shown = torch.cat((test_shown, shown(_rows(dataset, external, external.rows()))))
    return Inputs(
        train, valid_shown, test_shown, real.labels, pool_labels, valid.labels, len(dataset.classes), views,
        drawing,
        clusters_in(dataset.rows("train")),
    )  # fmt: skip


def _part(dataset: Dataset, part: str) -> Table:
    return _rows(dataset, dataset, dataset.rows(part))


def _rows(dataset: Dataset, source: Dataset, rows: pd.DataFrame) -> Table:
    """Images of `source` with the classes counted as in `dataset`."""
    return Table(source.pixels(rows), list(rows["path"]), list(rows["sha256"]), np.array(dataset.labels(rows)))


def _synthetic(split: Split, rows: pd.DataFrame) -> Table:
    """Images of the pool; their paths begin with the id of its run."""
    paths = [f"{split.pool.run.id}/{path}" for path in rows["path"]]
    return Table(split.pool.pixels(rows), paths, list(rows["sha256"]), np.array(split.dataset.labels(rows)))


def _joined(one: Table, other: Table) -> Table:
    return Table(
        np.concatenate((one.images, other.images)),
        one.paths + other.paths,
        one.hashes + other.hashes,
        np.concatenate((one.labels, other.labels)),
    )


def _used_pool_rows(
    trials: Sequence[Trial], real_labels: np.ndarray, pool_labels: np.ndarray, config: SweepConfig, drawing: Drawing
) -> np.ndarray:
    """Rows of the pool that some trial sees; the others are not read."""
    seen = np.zeros(len(real_labels) + len(pool_labels), bool)
    for trial in trials:
        seen[training_set(trial, real_labels, pool_labels, config, drawing).rows] = True
    return np.flatnonzero(seen[len(real_labels) :])


def _scatter(real: torch.Tensor, synthetic: torch.Tensor, used: np.ndarray, n_pool: int) -> torch.Tensor:
    """The table of training images: the reals, then one row for each image of the pool (zeros where unused)."""
    table = torch.zeros(len(real) + n_pool, *real.shape[1:], dtype=real.dtype)
    table[: len(real)] = real
    table[len(real) + torch.from_numpy(used)] = synthetic
    return table


def _tensor(images: np.ndarray, config: SweepConfig) -> torch.Tensor:
    """uint8 `[N, H, W, C]` -> `[N, C, S, S]`; for the small network of the size that it takes."""
    found = torch.from_numpy(images).permute(0, 3, 1, 2)
    return to_network_size(found) if config.classifier == "small-cnn" else found.contiguous()


def _first_views(images: torch.Tensor, hashes: Sequence[str], config: SweepConfig) -> torch.Tensor:
    """Images uint8 `[N, C, S, S]` through the first of their recorded random views."""
    seeds = [view_seed(sha, 0, config.augmentation) for sha in hashes]
    found = torch.empty_like(images)
    for start in range(0, len(images), 256):
        part = slice(start, start + 256)
        warped = apply_maps(images[part].float(), seeded_maps(seeds[part], config.augmentation))
        found[part] = warped.round().clamp(0, 255).byte()
    return found


def _write_views(run: Run, split: Split, seen: Sequence[tuple[Table, int]], config: SweepConfig) -> None:
    """Record the seed of every random view of the split in views.csv: fold, path, sha256, view, seed."""
    rows = [
        (split.fold, path, sha, view, view_seed(sha, view, config.augmentation))
        for table, views in seen
        for path, sha in zip(table.paths, table.hashes, strict=True)
        for view in range(views)
    ]
    found = pd.DataFrame(rows, columns=["fold", "path", "sha256", "view", "seed"])
    before = whole(run, run.path / VIEWS_FILE, lambda path: read_table(path, dtype={"path": str, "sha256": str}))
    if before is not None and "fold" in before:
        found = pd.concat([before[before["fold"] != split.fold], found]).sort_values("fold", kind="stable")
    with replacing(run.path / VIEWS_FILE) as temporary:
        write_table(found, temporary)
