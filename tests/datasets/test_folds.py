"""Folds: every image is tested once, nothing that belongs together is parted, and the same folds are made once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from engine.configs import ImportConfig
from engine.datasets.dataset import Dataset, list_datasets
from engine.datasets.folds import fold_of, folds_of, make_folds, parent_of_folds
from engine.datasets.importing import import_dataset
from engine.store import disk
from engine.store.errors import ErsatzError
from engine.store.home import Home

Config = Callable[..., ImportConfig]


@pytest.fixture
def patients(home: Home, config: Config, tmp_path: Path, blobs: Callable) -> Dataset:
    """60 images of 30 patients, one patient in three of the class b, with an age; two patients share a picture."""
    rows = []
    for number in range(60):
        seed = 0 if number == 10 else number  # patient 5 has the first picture of patient 0 too
        Image.fromarray(blobs(seed)).save(tmp_path / f"{number:02d}.png")
        label = "b" if number // 2 % 3 == 2 else "a"
        rows.append(
            {"image": f"{number:02d}.png", "label": "a" if number == 10 else label, "patient": f"P{number // 2}"}
        )
    table = pd.DataFrame(rows)
    table.loc[table["patient"] == "P5", "label"] = "a"
    table.assign(age=40).to_csv(tmp_path / "labels.csv", index=False)
    settings = {"group_column": "patient", "metadata_columns": ["age"], "layout": "csv"}
    return import_dataset(home, config(tmp_path, **settings))


def test_every_image_is_a_test_image_in_exactly_one_fold(patients: Dataset) -> None:
    made = make_folds(patients, 5)
    assert [fold.name for fold in made] == [f"set-fold{number}" for number in range(1, 6)]
    tested = pd.concat([fold.rows("test") for fold in made])
    assert sorted(tested["path"]) == sorted(patients.rows()["path"])
    for fold in made:
        fold.require_frozen()
        assert set(fold.rows("test")["class"]) == set(fold.rows("valid")["class"]) == {"a", "b"}
        assert len(fold.rows()) == 60
        assert len(fold.rows("valid")) == pytest.approx(len(patients.rows("valid")), abs=2)
        assert (fold.pixels(fold.rows("test")) == patients.pixels(fold.rows("test"))).all()
    assert len({fold.fingerprint for fold in made} | {patients.fingerprint}) == 6


def test_patients_and_copies_stay_together(patients: Dataset) -> None:
    for fold in make_folds(patients, 4, seed=3):
        rows = fold.rows()
        assert rows.groupby("group")["split"].nunique().max() == 1
        assert rows.groupby("sha256")["split"].nunique().max() == 1
        assert rows.set_index("group")["split"][["P0", "P5"]].nunique() == 1, "they share a picture"


def test_folds_are_balanced_by_class(patients: Dataset) -> None:
    share = (patients.rows()["class"] == "b").mean()
    for fold in make_folds(patients, 3):
        assert (fold.rows("test")["class"] == "b").mean() == pytest.approx(share, abs=0.12)


def test_metadata_and_exclusions_come_along(patients: Dataset) -> None:
    fold = make_folds(patients, 3)[0]
    assert fold.metadata == patients.metadata == ["age"]
    assert set(fold.rows()["age"]) == {"40"}
    assert fold.info.config == {**patients.info.config, "name": "set-fold1"}
    assert fold_of(fold)["parent_fingerprint"] == patients.fingerprint
    assert fold.label == "set, fold 1 of 3"


def test_images_are_linked_and_copied_where_links_fail(patients: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    path = patients.rows()["path"].iloc[0]
    linked = make_folds(patients, 2)[0]
    assert (linked.path / path).samefile(patients.path / path)

    def fail(*_: object) -> None:
        raise OSError("no links here")

    for fold in make_folds(patients, 2):
        shutil.rmtree(fold.path)
    monkeypatch.setattr(disk, "link", fail)
    copied = make_folds(patients, 2)[0]
    assert copied.fingerprint == linked.fingerprint
    assert not (copied.path / path).samefile(patients.path / path)
    assert (copied.path / path).read_bytes() == (patients.path / path).read_bytes()


def test_equal_folds_are_reused_and_a_lost_one_is_made_again(patients: Dataset) -> None:
    before = make_folds(patients, 3)
    times = [fold.info.frozen.time for fold in before]
    shutil.rmtree(before[1].path)
    after = make_folds(patients, 3)
    assert [fold.fingerprint for fold in after] == [fold.fingerprint for fold in before]
    again = [fold.info.frozen.time for fold in after]
    assert (again[0], again[2]) == (times[0], times[2])
    assert again[1] > times[1]


def test_other_folds_are_never_overwritten(patients: Dataset) -> None:
    make_folds(patients, 3)
    with pytest.raises(ErsatzError, match=r"set-fold1 already, and it is another one than fold 1 of 3 \(seed 1\)"):
        make_folds(patients, 3, seed=1)
    with pytest.raises(ErsatzError, match="is a fold of set"):
        make_folds(folds_of(patients)[0], 2)


def test_images_cut_from_training_take_part_in_the_folds(home: Home, make_tree: Callable, config: Config) -> None:
    """A study of 10 training images a class keeps its size in every fold, and tests on all images."""
    dataset = import_dataset(home, config(make_tree({"a": 40, "b": 40}), train_per_class=10))
    assert len(dataset.rows("train")) == 20
    made = make_folds(dataset, 2)
    assert [fold.rows("train")["class"].value_counts().to_dict() for fold in made] == [{"a": 10, "b": 10}] * 2
    assert sum(len(fold.rows("test")) for fold in made) == 80


def test_too_many_folds_and_open_splits_are_refused(home: Home, make_tree: Callable, config: Config) -> None:
    dataset = import_dataset(home, config(make_tree({"a": 20, "b": 6})))
    with pytest.raises(ErsatzError, match=r"class b has 6 independent images .* 7 folds need at least 7"):
        make_folds(dataset, 7)
    with pytest.raises(ErsatzError, match="at least 2 folds"):
        make_folds(dataset, 1)
    assert [other.name for other in list_datasets(home)] == ["set"]
    half = import_dataset(home, config(make_tree({"a": 9, "b": 9}, root="other"), name="open", freeze=False))
    with pytest.raises(ErsatzError, match="not frozen"):
        make_folds(half, 2)


def test_parent_of_folds_wants_each_fold_once(patients: Dataset) -> None:
    made = make_folds(patients, 3)
    names = [fold.name for fold in made]
    assert parent_of_folds(patients.home, names[::-1]) == "set"
    assert [fold.name for fold in folds_of(patients)] == names
    for wrong in (names[:2], [names[0], names[0], names[1]]):
        with pytest.raises(ErsatzError, match="3 different folds of set are expected"):
            parent_of_folds(patients.home, wrong)
    with pytest.raises(ErsatzError, match="set is no fold"):
        parent_of_folds(patients.home, ["set", *names[1:]])
    shutil.rmtree(made[0].path)
    assert folds_of(patients) == []
