"""Grey or colour: pixels decide, whatever the form of the file and whichever reader it comes through."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.configs import ImportConfig
from engine.datasets.dataset import Dataset
from engine.datasets.editing import import_changes
from engine.datasets.importing import import_dataset
from engine.datasets.previewing import preview
from engine.publications.presets import PRESETS
from engine.store.home import Home
from tests.datasets.conftest import blobs
from tests.datasets.dicom_files import image, written
from tests.datasets.volumes import save

Config = Callable[..., ImportConfig]


def three(seed: int) -> np.ndarray:
    """A grey picture in three equal channels."""
    return np.repeat(blobs(seed)[..., None], 3, axis=2)


def forms(folder: Path) -> Path:
    """Grey pictures of two classes in every form that could show colour."""
    for number, name in enumerate(["a", "b"] * 6):
        grey = Image.fromarray(three(number))
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        opaque = grey.convert("RGBA")
        noise = np.random.default_rng(number).integers(-3, 4, (24, 24, 3))
        noisy = Image.fromarray(np.clip(three(number) + noise, 0, 255).astype(np.uint8))
        match number // 2:
            case 0:
                grey.save(place / f"{number}.png")
            case 1:
                opaque.save(place / f"{number}.png")
            case 2:
                grey.quantize(64).save(place / f"{number}.gif")
            case 3:
                noisy.save(place / f"{number}.jpg", quality=95, subsampling=0)
            case 4:
                grey.save(place / f"{number}.tif")
            case _:
                grey.save(place / f"{number}.webp", lossless=True)
    return folder


def of_folders(folder: Path) -> Path:
    return forms(folder / "images")


def of_zip(folder: Path) -> Path:
    source = forms(folder / "images")
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        for file in sorted(source.rglob("*.*")):
            archive.write(file, file.relative_to(source))
    return folder / "images.zip"


def of_csv(folder: Path) -> Path:
    source = forms(folder / "images")
    rows = [f"{file.relative_to(source)},{file.parent.name}" for file in sorted(source.rglob("*.*"))]
    (source / "labels.csv").write_text("image,label\n" + "\n".join(rows))
    return source / "labels.csv"


def of_npz(folder: Path) -> Path:
    folder.mkdir()
    images = np.stack([three(number) for number in range(12)])
    np.savez(folder / "images.npz", images=images, labels=np.arange(12) % 2)
    return folder / "images.npz"


def of_dicom(folder: Path) -> Path:
    for number in range(12):
        place = folder / "ab"[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        written(place / f"{number}.dcm", image(three(number), PatientID=f"P{number}"))
    return folder


def of_volumes(folder: Path) -> Path:
    kinds = [("R", "u1"), ("G", "u1"), ("B", "u1")]
    for number in range(8):
        voxels = np.stack([three(3 * number + slice) for slice in range(3)], axis=2)
        save(folder / "ab"[number % 2] / f"{number}.nii", np.ascontiguousarray(voxels).view(kinds)[..., 0])
    return folder


@pytest.mark.parametrize("source", [of_folders, of_zip, of_csv, of_npz, of_dicom, of_volumes])
def test_equal_channels_are_grey_in_every_reader(
    home: Home, config: Config, tmp_path: Path, source: Callable[[Path], Path]
) -> None:
    settings = config(source(tmp_path / "source"), frames="all")
    seen = preview(settings, home, examples=1)
    assert seen.mode == "L"
    told = "none does: their channels are equal; all are stored in grey unless you choose otherwise."
    assert any(told in note for note in seen.notes)
    assert all(picture.ndim == 2 for pictures in seen.examples.values() for picture in pictures)
    dataset = import_dataset(home, settings)
    assert dataset.mode == "L"
    assert set(dataset.manifest["mode"]) & {"RGB", "RGBA", "P"}, "which the files are not"
    with Image.open(dataset.path / dataset.manifest["path"].iloc[0]) as stored:
        assert stored.mode == "L"


def test_one_image_in_colour_is_enough_and_is_named(home: Home, config: Config, tmp_path: Path) -> None:
    source = forms(tmp_path / "images")
    Image.fromarray(blobs(99, channels=3)).save(source / "b" / "lesion.png")
    settings = config(source)
    seen = preview(settings, home)
    assert seen.mode == "RGB"
    told = "1 in colour (such as b/lesion.png); all are stored in colour unless you choose otherwise."
    assert any(told in note for note in seen.notes)
    dataset = import_dataset(home, settings)
    assert dataset.mode == "RGB"
    assert "1 of 13 images show colour (such as b/lesion.png)" in dataset.info.provenance.notes[-1]


def test_grey_images_in_colour_as_asked_are_told_of(home: Home, config: Config, tmp_path: Path) -> None:
    dataset = import_dataset(home, config(forms(tmp_path / "images"), mode="RGB"))
    assert dataset.mode == "RGB"
    assert "None of 12 images shows colour" in dataset.info.provenance.notes[-1]


@pytest.mark.parametrize("name", ["chest-ct", "brain-mri"])
def test_presets_of_grey_pictures_store_grey_ones_in_grey(
    home: Home, config: Config, tmp_path: Path, name: str
) -> None:
    preset = {**PRESETS[name].importing, "only_classes": (), "class_names": {}, "positive": "", "size": 16}
    dataset = import_dataset(home, config(forms(tmp_path / "images"), **preset))
    assert dataset.mode == "L"


def test_a_journey_goes_on_with_the_colour_that_an_older_one_stored(home: Home, config: Config, tmp_path: Path) -> None:
    source = forms(tmp_path / "images")
    stored = import_dataset(home, config(source, mode="RGB"))
    assert import_changes(stored, config(source)) == {}
    assert list(import_changes(stored, config(source, mode="L"))) == ["mode"]
    assert Dataset.open(home, stored.name).mode == "RGB"
