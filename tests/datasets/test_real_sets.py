"""The real sets beside the repository, where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.configs import ImportConfig
from engine.datasets.copies import measure
from engine.datasets.folds import make_folds
from engine.datasets.importing import import_dataset
from engine.datasets.previewing import preview
from engine.publications.presets import preset
from engine.store.home import Home


def test_head_ct_as_published(home: Home, real_data: Path):
    """Header `id, hemorrhage`, ids without zeros, 12 RGBA among 188 RGB pictures of 195 sizes."""
    config = ImportConfig.build({**preset("head-ct").importing, "source": str(real_data / "head-ct")})
    dataset = import_dataset(home, config)
    assert dataset.mode == "L"
    assert dataset.manifest["class"].value_counts().to_dict() == {"hemorrhage": 100, "normal": 100}
    numbers = dataset.manifest["source"].str.extract(r"(\d+)\.png")[0].astype(int)
    assert (numbers[dataset.manifest["class"] == "hemorrhage"] < 100).all()
    assert dataset.manifest["mode"].value_counts().to_dict() == {"RGB": 188, "RGBA": 12}
    assert dataset.manifest["split"].value_counts().to_dict() == {"train": 144, "valid": 34, "test": 22}


def test_head_ct_in_five_folds(home: Home, real_data: Path):
    """Forty images are tested in each fold, and neighbouring slices of one scan never on both sides."""
    config = ImportConfig.build({**preset("head-ct").importing, "source": str(real_data / "head-ct")})
    dataset = import_dataset(home, config)
    near = measure(dataset.manifest, dataset.path).set_index("path")["near"]
    sets = near[near != ""]
    assert sets.nunique() > 0, "some slices are from one scan"
    for fold in make_folds(dataset, 5):
        counts = fold.rows().groupby(["split", "class"]).size().to_dict()
        assert counts["test", "hemorrhage"] + counts["test", "normal"] == 40
        assert abs(counts["test", "hemorrhage"] - 20) <= 1
        splits = fold.rows().set_index("path")["split"][sets.index]
        assert splits.groupby(sets).nunique().max() == 1


def test_head_ct_layout_is_recognised(real_data: Path):
    source = real_data / "head-ct"
    seen = preview(ImportConfig(name="x", source=str(source), class_names={"0": "normal", "1": "hemorrhage"}))
    assert seen.counts == {"hemorrhage": {"": 100}, "normal": {"": 100}}


def test_skin_two_classes_of_nine(home: Home, real_data: Path):
    """Copies with other labels are in this set as published; those of two classes are found in its folders."""
    config = ImportConfig(
        name="skin",
        source=str(real_data / "skin-isic"),
        size=32,
        only_classes=("seborrheic keratosis", "actinic keratosis"),
    )
    dataset = import_dataset(home, config)
    assert dataset.classes == ["actinic-keratosis", "seborrheic-keratosis"]
    assert dataset.mode == "RGB"
    counts = dataset.manifest.groupby("class").size().to_dict()
    assert counts == {"actinic-keratosis": 130, "seborrheic-keratosis": 80}
    assert len(dataset.rows("test")) == 19


def test_pneumonia_file(real_data: Path, home: Home, tmp_path: Path):
    source = real_data / "pneumonia-mnist" / "pneumoniamnist.npz"
    seen = preview(ImportConfig(name="x", source=str(source)))
    assert seen.counts == {
        "normal": {"train": 1214, "valid": 135, "test": 234},
        "pneumonia": {"train": 3494, "valid": 389, "test": 390},
    }
    with np.load(source) as file:
        part = {name: file[name][:60] for name in file.files}
    np.savez(tmp_path / "pneumoniamnist.npz", **part)
    dataset = import_dataset(home, ImportConfig(name="x", source=str(tmp_path / "pneumoniamnist.npz"), size=32))
    assert dataset.mode == "L"
    assert dataset.rows()["split"].value_counts().to_dict() == {"train": 60, "valid": 60, "test": 60}
