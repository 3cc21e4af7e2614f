"""What the trials of a split read: never an excluded image, and each published flaw exactly as it is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.features.classical import view_seed
from engine.sampling.pools import Pool
from engine.store.progress import never, silent
from engine.store.runs import Run
from engine.sweep.arms import plan, training_set
from engine.sweep.inputs import load_inputs
from engine.sweep.splits import open_splits, pool_part
from engine.sweep.splits import test_table as images_table  # pytest would take its own name for a test
from engine.sweep.trials import Inputs

NewSweep = Callable[..., tuple[Run, SweepConfig]]


class MeansCache:
    """Stands in for a backbone: the features of an image are its mean and the number of its view (-1 for none)."""

    def features(self, images: np.ndarray, hashes: list[str], views: int = 0, *_: Any, **__: Any) -> np.ndarray:
        means = images.reshape(len(images), -1).mean(1).astype(np.float32)
        if not views:
            return np.stack((means, np.full_like(means, -1)), 1)
        numbers = np.tile(np.arange(views, dtype=np.float32), (len(images), 1))
        return np.stack((np.repeat(means[:, None], views, 1), numbers), 2)


def load(run: Run, config: SweepConfig, cache: Any = None) -> Inputs:
    (split,) = open_splits(run.home, config)
    return load_inputs(run, split, cache, config, plan(config), silent, never)


def rows_of(images: torch.Tensor) -> list[bytes]:
    return [image.numpy().tobytes() for image in images]


def test_excluded_images_never_enter(new_sweep: NewSweep, dataset: Dataset, pool: Pool) -> None:
    manifest = pool.manifest.copy()
    manifest.loc[manifest.index % 3 == 0, "excluded"] = "copy of images/bleed/00001.png"
    manifest.to_csv(pool.path / "manifest.csv", index=False)
    kept = Pool.open(pool.run)
    inputs = load(*new_sweep(ratios=(1.0,), seeds=8))
    assert len(inputs.pool_labels) == len(kept.rows()) == 53
    allowed = rows_of(torch.from_numpy(kept.pixels(kept.rows())).permute(0, 3, 1, 2).contiguous())
    used = inputs.train[48:][inputs.train[48:].flatten(1).ne(0).any(1)]
    assert len(used) > 40
    assert set(rows_of(used)) <= set(allowed)


def test_a_sound_sweep_tests_on_real_images_alone(new_sweep: NewSweep, dataset: Dataset) -> None:
    run, config = new_sweep(subgroups=("site",))
    splits = open_splits(run.home, config)
    table = images_table(splits, config)
    rows = dataset.rows("test")
    assert table.columns.tolist() == ["path", "class", "group", "known_patient", "sha256", "site", "synthetic", "fold"]
    for column in ("path", "class", "group", "sha256", "site"):
        assert table[column].tolist() == rows[column].tolist()
    assert table["known_patient"].tolist() == rows["group"].tolist()
    assert not table[["synthetic", "fold"]].to_numpy().any()
    inputs = load(run, config)
    assert torch.equal(inputs.test, torch.from_numpy(dataset.pixels(rows)).permute(0, 3, 1, 2))
    assert torch.equal(inputs.valid, torch.from_numpy(dataset.pixels(dataset.rows("valid"))).permute(0, 3, 1, 2))


def test_synthetic_test_images_are_those_of_no_trial(new_sweep: NewSweep, dataset: Dataset, pool: Pool) -> None:
    run, config = new_sweep(ratios=(0.25, 0.5), flaws=("synthetic-in-test",), subgroups=("site",))
    splits = open_splits(run.home, config)
    training, aside = pool_part(splits[0], config)
    assert aside["class"].value_counts().to_dict() == {"bleed": 8, "normal": 8}  # half of 16 real ones
    assert not set(training["path"]) & set(aside["path"])
    assert len(training) + len(aside) == len(pool.rows())

    table, inputs = images_table(splits, config), load(run, config)
    synthetic = table[table["synthetic"] == 1]
    assert synthetic["path"].tolist() == [f"{pool.run.id}/{path}" for path in aside["path"]]
    assert set(synthetic["site"]) == set(synthetic["group"]) == {""}
    pixels = torch.from_numpy(pool.pixels(aside)).permute(0, 3, 1, 2)
    assert torch.equal(inputs.test[table["synthetic"].to_numpy() == 1], pixels)
    trained = {row for trial in plan(config) for row in training_set(trial, inputs.real_labels, inputs.pool_labels,
                                                                     config).rows}  # fmt: skip
    assert not set(rows_of(inputs.train[sorted(trained)])) & set(rows_of(pixels.contiguous()))


def test_the_test_set_as_validation(new_sweep: NewSweep, dataset: Dataset) -> None:
    inputs = load(*new_sweep(flaws=("test-is-validation",)))
    assert torch.equal(inputs.valid, inputs.test)
    assert inputs.valid_labels.tolist() == dataset.labels(dataset.rows("test")).tolist()


def test_test_images_seen_through_recorded_views(new_sweep: NewSweep, dataset: Dataset) -> None:
    plain = load(*new_sweep())
    run, config = new_sweep(flaws=("augmented-test",), augmentation="skin-lesions")
    one, again = load(run, config), load(run, config)
    assert torch.equal(one.test, again.test)
    assert (one.test != plain.test).flatten(1).any(1).all()
    assert torch.equal(one.valid, plain.valid)
    assert torch.equal(one.train[:48], plain.train[:48])
    views = pd.read_csv(run.path / "views.csv")
    rows = dataset.rows("test")
    assert views["path"].tolist() == rows["path"].tolist()
    assert views["seed"].tolist() == [view_seed(sha, 0, "skin-lesions") for sha in rows["sha256"]]

    cached = load(run, config, MeansCache())
    assert cached.test[:, 1].tolist() == [0.0] * len(rows)
    assert set(cached.valid[:, 1].tolist()) == {-1.0}


def test_views_cover_every_image_that_is_augmented(new_sweep: NewSweep) -> None:
    arms = ("real", "real+classical", "real+duplicates+classical", "real+synthetic")
    run, config = new_sweep(arms=arms, views=3)
    inputs = load(run, config, MeansCache())
    assert inputs.views is not None
    assert inputs.views.shape == (48, 3, 2)
    assert torch.equal(inputs.views[:, 2, 0], inputs.train[:48, 0])
    assert len(pd.read_csv(run.path / "views.csv")) == 48 * 3

    run, config = new_sweep(arms=(*arms, "replaced+synthetic+classical"), views=3, ratios=(0.5,), seeds=1)
    inputs = load(run, config, MeansCache())
    assert inputs.views is not None
    assert inputs.views.shape == (48 + 80, 3, 2)
    assert torch.equal(inputs.views[:, 1, 0], inputs.train[:, 0])  # the same image behind the same row
    used = 48 + 2 * 12
    assert int(inputs.train[:, 0].ne(0).sum()) == used
    assert len(pd.read_csv(run.path / "views.csv")) == used * 3


def test_top_up_reads_the_pool_of_the_named_class_alone(new_sweep: NewSweep, dataset: Dataset) -> None:
    run, config = new_sweep(extra_classes=("bleed",), ratios=(1.0,), arms=("real", "real+synthetic"))
    inputs = load(run, config)
    assert set(inputs.pool_labels) == {dataset.classes.index("bleed")}
    (chosen,) = [training_set(t, inputs.real_labels, inputs.pool_labels, config) for t in plan(config)][1:2]
    assert np.bincount(inputs.train_labels[chosen.rows]).tolist() == [48, 24]


def test_each_fold_has_its_own_images(new_sweep: NewSweep, folds: list[dict[str, str]]) -> None:
    run, config = new_sweep(folds=folds, seeds=1)
    splits = open_splits(run.home, config)
    table = images_table(splits, config)
    assert table["fold"].tolist() == sorted(table["fold"])
    assert table["sha256"].is_unique
    assert len(table) == sum(len(split.dataset.rows("test")) for split in splits) == 48
    assert set(table["sha256"]) == set(splits[0].dataset.rows()["sha256"])
