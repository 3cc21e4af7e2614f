"""Sweeps that would prove nothing are refused before the first trial, each with its reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.sampling.pools import Pool
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import Run
from engine.sweep.leaks import refuse_unsound
from engine.sweep.runner import run_sweep
from engine.sweep.splits import open_splits, pinned
from tests.sweep.conftest import make_dataset, make_pool

NewSweep = Callable[..., tuple[Run, SweepConfig]]


def refused(new_sweep: NewSweep, **changes: Any) -> str:
    """The sentence with which the sweep is refused; nothing must be left half-written."""
    run, config = new_sweep(**changes)
    with pytest.raises(ErsatzError) as caught:
        run_sweep(run, config, workers=1)
    assert {path.name for path in run.path.iterdir()} == {"config.json", "status.json", "log.txt", "lock"}
    return str(caught.value)


@pytest.mark.parametrize(("split", "name"), [("test", "test"), ("valid", "validation")])
def test_a_generator_that_saw_held_out_images(
    new_sweep: NewSweep, dataset: Dataset, pool: Pool, split: str, name: str
) -> None:
    with (pool.path / "training_images.txt").open("a") as file:
        file.write("\n".join(dataset.rows(split)["sha256"][:2]) + "\n")
    assert f"trained on 2 of the {len(dataset.rows(split))} different {name} images" in refused(new_sweep)


def test_a_pool_with_a_test_image_in_it(new_sweep: NewSweep, dataset: Dataset, pool: Pool) -> None:
    manifest = pool.manifest.copy()
    manifest.loc[3, "sha256"] = dataset.rows("test")["sha256"].iloc[0]
    manifest.to_csv(pool.path / "manifest.csv", index=False)
    assert "1 images of the pool are identical to test images" in refused(new_sweep)

    manifest.loc[3, "excluded"] = "copy"
    manifest.to_csv(pool.path / "manifest.csv", index=False)
    run, config = new_sweep()
    refuse_unsound(config, open_splits(run.home, config))


def test_a_pool_of_another_split(new_sweep: NewSweep, pool: Pool) -> None:
    info = json.loads((pool.path / "pool.json").read_text())
    (pool.path / "pool.json").write_text(json.dumps({**info, "dataset_fingerprint": "b" * 64}))
    sentence = f"The pool {pool.run.id} was made for the split bbbbbbbbbbbb... of the data set spots"
    assert sentence in refused(new_sweep)


def test_a_pool_or_data_set_changed_since_the_sweep_was_set_up(new_sweep: NewSweep) -> None:
    assert "The pool" in refused(new_sweep, pool_sha256="c" * 64)
    sentence = "This sweep was made for the split cccccccccccc... of the data set spots"
    assert sentence in refused(new_sweep, dataset_fingerprint="c" * 64)


def test_a_data_set_that_is_not_frozen(new_sweep: NewSweep, dataset: Dataset) -> None:
    (dataset.path / "dataset.json").write_text(json.dumps({**dataset.info.plain(), "frozen": None}))
    assert "not frozen" in refused(new_sweep)


def test_a_test_set_without_one_of_the_classes(new_sweep: NewSweep, dataset: Dataset) -> None:
    manifest = dataset.manifest.copy()
    manifest.loc[(manifest["split"] == "test") & (manifest["class"] == "bleed"), "excluded"] = "drop-copies"
    manifest.to_csv(dataset.path / "manifest.csv", index=False)
    (dataset.path / "dataset.json").write_text(json.dumps({**dataset.info.plain(), "frozen": None}))
    Dataset.open(dataset.home, "spots").freeze()
    assert "test part of spots has no image of the class bleed" in refused(new_sweep)


def test_too_small_a_pool_is_refused_before_anything_is_computed(new_sweep: NewSweep) -> None:
    assert "40 images of the class bleed, but the ratio 2 needs 48" in refused(new_sweep, ratios=(2.0,))
    found = refused(new_sweep, ratios=(1.5,), flaws=("synthetic-in-test",))
    assert "16 images of the class bleed beside those set aside for the test set, but" in found


def test_a_pool_without_a_class_that_an_arm_needs(new_sweep: NewSweep, pool: Pool) -> None:
    manifest = pd.read_csv(pool.path / "manifest.csv", dtype=str, keep_default_na=False)
    manifest[manifest["class"] == "bleed"].to_csv(pool.path / "manifest.csv", index=False)
    found = refused(new_sweep)
    assert "The pool has no images of the class normal, but the ratio 1 needs 24" in found
    assert found.endswith("Make a pool with this class.")
    run, config = new_sweep(extra_classes=("bleed",))
    refuse_unsound(config, open_splits(run.home, config))  # a top-up of the class that is there


def test_names_that_the_data_set_does_not_know(new_sweep: NewSweep, dataset: Dataset) -> None:
    assert "extra_classes names tumour; spots has the classes bleed, normal" in refused(
        new_sweep, extra_classes=("tumour",)
    )
    for name in ("sex", "class"):
        assert f"subgroups names {name}, which is no metadata column of spots" in refused(new_sweep, subgroups=(name,))
    manifest = dataset.manifest.assign(group="")
    manifest.to_csv(dataset.path / "manifest.csv", index=False)
    (dataset.path / "dataset.json").write_text(json.dumps({**dataset.info.plain(), "frozen": None}))
    Dataset.open(dataset.home, "spots").freeze()
    assert "level is patient, but spots knows the patient of no test image" in refused(new_sweep, level="patient")


def test_folds_are_refused_like_a_fixed_split(new_sweep: NewSweep, folds: list[dict[str, str]], home: Home) -> None:
    _, config = new_sweep(folds=folds)
    splits = open_splits(home, config)
    refuse_unsound(config, splits)
    kept = pinned(config, splits)
    assert [fold.dataset_fingerprint for fold in kept.folds] == [split.dataset.fingerprint for split in splits]
    refuse_unsound(kept, splits)
    with (splits[1].pool.path / "training_images.txt").open("a") as file:
        file.write(splits[1].dataset.rows("test")["sha256"].iloc[0] + "\n")
    assert "trained on 1 of the 16 different test images of spots-fold2" in refused(new_sweep, folds=folds)


def test_folds_that_test_an_image_twice(new_sweep: NewSweep, folds: list[dict[str, str]], home: Home) -> None:
    again = make_dataset(home, {"train": 12, "valid": 4, "test": 8}, "spots-again", turn=4)
    twice = [folds[0], {"dataset": again.name, "pool": make_pool(again).run.id}]
    assert "8 images are in the test parts of both spots-fold1 and spots-again" in refused(new_sweep, folds=twice)


def test_folds_that_test_a_patient_twice(new_sweep: NewSweep, folds: list[dict[str, str]], home: Home) -> None:
    for fold in folds[:2]:
        dataset = Dataset.open(home, fold["dataset"])
        group = dataset.manifest["split"].map({"test": "P1"}).fillna("")
        dataset.manifest.assign(group=group).to_csv(dataset.path / "manifest.csv", index=False)
        (dataset.path / "dataset.json").write_text(json.dumps({**dataset.info.plain(), "frozen": None}))
        Dataset.open(home, dataset.name).freeze()
        fold["pool"] = make_pool(Dataset.open(home, dataset.name)).run.id
    assert "1 patients or groups are in the test parts of both spots-fold1 and spots-fold2" in refused(
        new_sweep, folds=folds
    )


def test_folds_of_different_images(
    new_sweep: NewSweep, folds: list[dict[str, str]], dataset: Dataset, pool: Pool
) -> None:
    mixed = [folds[0], {"dataset": dataset.name, "pool": pool.run.id}]
    assert "spots-fold1 and spots are not splits of the same images" in refused(new_sweep, folds=mixed)
