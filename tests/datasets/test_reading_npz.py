"""MedMNIST files, and MedMNIST by name."""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.configs import ImportConfig
from engine.datasets.importing import import_dataset
from engine.datasets.reading.items import Reading
from engine.datasets.reading.tables import npz
from engine.store.errors import ErsatzError
from engine.store.home import Home

Config = Callable[..., ImportConfig]
Refused = Callable[..., str]


@pytest.fixture
def arrays(blobs) -> dict[str, np.ndarray]:
    """A MedMNIST file of 16 + 4 + 4 images in two classes."""
    images = np.stack([blobs(seed) for seed in range(24)])
    labels = (np.arange(24) % 2)[:, None]
    parts = {"train": slice(0, 16), "val": slice(16, 20), "test": slice(20, 24)}
    return {
        f"{name}_{what}": values[part]
        for name, part in parts.items()
        for what, values in (("images", images), ("labels", labels))
    }


def test_medmnist_file_with_the_names_of_its_labels(home: Home, arrays, tmp_path: Path, config: Config):
    np.savez_compressed(tmp_path / "pneumoniamnist_64.npz", **arrays)
    dataset = import_dataset(home, config(tmp_path / "pneumoniamnist_64.npz"))
    assert dataset.classes == ["normal", "pneumonia"]
    assert dataset.manifest.groupby("split").size().to_dict() == {"train": 16, "valid": 4, "test": 4}
    assert dataset.manifest["source"].iloc[16] == "val_00000"


def test_images_and_labels_without_splits(home: Home, arrays, tmp_path: Path, config: Config):
    np.savez(tmp_path / "set.npz", images=arrays["train_images"], labels=arrays["train_labels"][:, 0])
    dataset = import_dataset(home, config(tmp_path / "set.npz", class_names={"0": "no", "1": "yes"}))
    assert dataset.classes == ["no", "yes"]
    assert set(dataset.manifest["split"]) == {"train", "valid", "test"}


def test_colour_and_float_arrays(home: Home, blobs, tmp_path: Path, config: Config):
    images = np.stack([blobs(seed, channels=3) for seed in range(12)])
    np.savez(tmp_path / "rgb.npz", images=images, labels=np.arange(12) % 2)
    np.savez(tmp_path / "float.npz", images=images[..., 0] / np.float32(255), labels=np.arange(12) % 2)
    colour = import_dataset(home, config(tmp_path / "rgb.npz"))
    grey = import_dataset(home, config(tmp_path / "float.npz", name="grey"))
    assert (colour.mode, grey.mode) == ("RGB", "L")
    assert grey.info.provenance.preprocessing["depth"] == {"black": 0.0, "white": 1.0}
    assert grey.manifest["bits"].unique().tolist() == [32]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"train_labels": np.zeros((16, 14))}, ["train_labels", "[16, 14]", "multi-label"]),
        ({"train_images": np.zeros((16, 28, 28, 28))}, ["[16, 28, 28, 28]", "slices"]),
        ({"val_labels": np.zeros((3, 1))}, ["[3, 1]", "4 images"]),
        ({"test_labels": None}, ["no array 'test_labels'"]),
        ({"train_images": np.array([{}] * 16, dtype=object)}, ["cannot be read"]),
    ],
)
def test_wrong_arrays_are_refused(arrays, tmp_path: Path, refused: Refused, change, words):
    content = {name: array for name, array in {**arrays, **change}.items() if array is not None}
    np.savez(tmp_path / "set.npz", **content)
    refused(tmp_path / "set.npz", *words)


@pytest.fixture
def read(tmp_path: Path, config: Config) -> Callable[..., Reading]:
    def build(content: dict[str, np.ndarray], **settings: object) -> Reading:
        np.savez(tmp_path / "set.npz", **content)
        return npz.read_npz(tmp_path / "set.npz", config(tmp_path / "set.npz", **settings))

    return build


def by_split(reading: Reading) -> dict[str, list[str]]:
    return {
        split: [item.label for item in reading.items if item.split == split]
        for split in dict.fromkeys(item.split for item in reading.items)
    }


SPELLINGS = [
    lambda kind, split: f"{split}_{kind}",
    lambda kind, split: f"{kind}_{split}",
    lambda kind, split: f"{split.capitalize()}{kind.capitalize()}",
    lambda kind, split: f"{'xy'[kind == 'labels']}_{split}",
    lambda kind, split: f"{'Xy'[kind == 'labels']}{split}",
    lambda kind, split: f"{split}_{ {'images': 'image', 'labels': 'target'}[kind] }",
]


@pytest.mark.parametrize(
    "words", [("train", "val", "test"), ("training", "valid", "testing"), ("train", "dev", "test")]
)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_splits_and_kinds_by_any_usual_name(arrays, read, spelling, words: tuple[str, str, str]):
    names = dict(zip(("train", "val", "test"), words, strict=True))
    content = {spelling(key.split("_")[1], names[key.split("_")[0]]): array for key, array in arrays.items()}
    assert (
        by_split(read(content))
        == by_split(read(arrays))
        == {
            "train": ["0", "1"] * 8,
            "valid": ["0", "1"] * 2,
            "test": ["0", "1"] * 2,
        }
    )


@pytest.mark.parametrize(
    ("images", "labels"), [("X", "y"), ("data", "target"), ("image", "label"), ("imgs", "classes")]
)
def test_arrays_without_splits_by_any_usual_name(arrays, read, images: str, labels: str):
    reading = read({images: arrays["train_images"], labels: arrays["train_labels"]})
    assert by_split(reading) == {"": ["0", "1"] * 8}


LABELS = np.arange(16) % 2


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.array([b"benign", b"malignant"])[LABELS], ["benign", "malignant"]),
        (np.array(["bösartig".encode("latin-1"), b"gut"])[LABELS], ["bösartig", "gut"]),
        (np.array(["benign", "malignant"])[LABELS], ["benign", "malignant"]),
        (LABELS.astype(np.float32), ["0", "1"]),
        (np.array(["0", "1", "0.0", "1.0"])[np.arange(16) % 4], ["0", "1"]),
        (LABELS.astype(bool), ["False", "True"]),
        (np.eye(2, dtype=np.uint8)[LABELS], ["0", "1"]),
        (np.eye(5)[LABELS], ["0", "1"]),
    ],
)
def test_labels_of_any_type(arrays, read, labels: np.ndarray, expected: list[str]):
    reading = read({"images": arrays["train_images"], "labels": labels})
    assert by_split(reading) == {"": expected * 8}
    assert any("one 1 in each row" in note for note in reading.notes) == (labels.ndim == 2)


def test_not_a_number_is_no_label(arrays, read, refused: Refused, tmp_path: Path):
    labels = np.where(np.arange(16) % 5, LABELS, np.nan)
    content = {"images": arrays["train_images"], "labels": labels}
    with pytest.raises(ErsatzError, match=r"4 rows without a value.*labels, number 0"):
        read(content)
    reading = read(content, skip_unreadable=True)
    assert [item.source for item in reading.items][:5] == [f"images_{n:05d}" for n in (1, 2, 3, 4, 6)]
    assert any("4 rows without a value" in note and "left out" in note for note in reading.notes)
    with pytest.raises(ErsatzError, match="16 rows without a value"):
        read(content | {"labels": np.full(16, np.nan)}, skip_unreadable=True)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.ones((16, 3)), "multi-label"),
        (np.zeros((16, 3)), "multi-label"),
        (np.linspace(0, 1, 16), "16 different numbers"),
        (np.array([{"a": 1}] * 16, dtype=object), "Python objects"),
    ],
)
def test_what_is_no_label_is_refused(arrays, read, labels: np.ndarray, words: str):
    with pytest.raises(ErsatzError, match=words):
        read({"images": arrays["train_images"], "labels": labels})


def test_channels_first_are_put_last(read, blobs):
    images = np.stack([blobs(seed, channels=3) for seed in range(16)])
    for given, channels in ((images, 3), (images[..., :1], 1)):
        reading = read({"images": np.moveaxis(given, 3, 1), "labels": LABELS})
        assert any("channels first ([16, " in note for note in reading.notes)
        decoded = reading.items[3].picture.decode(10**6).pixels
        assert np.array_equal(decoded, images[3] if channels == 3 else images[3][..., 0])


@pytest.mark.parametrize("shape", [(16, 576), (16, 5, 24, 24), (16, 24, 24, 2), (16, 1, 24, 24, 24)])
def test_shapes_that_are_no_images_are_named(read, shape: tuple[int, ...]):
    with pytest.raises(ErsatzError, match=re.escape(str(list(shape)))):
        read({"images": np.zeros(shape, np.uint8), "labels": LABELS})


@pytest.mark.parametrize("kind", [np.int64, np.float32, np.float64])
def test_bytes_in_a_wide_type_are_bytes(arrays, read, kind):
    images = arrays["train_images"].astype(kind)
    picture = read({"images": images, "labels": LABELS}).items[0].picture
    assert picture.facts(10**6).bits == 8
    assert np.array_equal(picture.decode(10**6).pixels, arrays["train_images"][0])
    for deep in (images / 255, images + 300):
        assert read({"images": deep.astype(np.float32), "labels": LABELS}).items[0].picture.facts(10**6).deep


def test_patients_names_and_what_is_left_out(arrays, read):
    groups = {
        f"{split}_{name}": np.arange(count) // 2
        for split, count in (("train", 16), ("val", 4), ("test", 4))
        for name in ("lesion_ids", "patient_ids")
    }
    groups = {key: values + 100 * key.endswith("patient_ids") for key, values in groups.items()}
    more = {"class_names": np.array(["healthy", "ill"]), "extra_images": np.zeros((9, 24, 24)), "mean": np.zeros(3)}
    reading = read(arrays | groups | more | {"meta": np.array([{}], dtype=object)})
    assert [item.group for item in reading.items][:3] == ["100", "100", "101"]
    assert reading.label_names == {"0": "healthy", "1": "ill"}
    left_out = next(note for note in reading.notes if "left out" in note)
    assert "extra_images [9, 24, 24]" in left_out
    assert "meta of Python objects" in left_out


def test_names_that_are_too_few_are_not_used(arrays, read):
    assert read(arrays | {"class_names": np.array(["healthy"])}).label_names == {}


def test_two_arrays_for_one_thing_are_refused(arrays, read):
    with pytest.raises(ErsatzError, match=r"'train_images' and 'x_train', which could both be the images"):
        read(arrays | {"x_train": arrays["train_images"]})


def test_damaged_and_foreign_files_are_refused(arrays, tmp_path: Path, refused: Refused):
    np.savez(tmp_path / "set.npz", **arrays)
    content = (tmp_path / "set.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(content[: len(content) // 2])
    refused(tmp_path / "half.npz", "cannot be read")
    np.savez(tmp_path / "other.npz", weights=np.zeros(3))
    refused(tmp_path / "other.npz", "no array 'images'", "weights")


def test_bomb_is_refused(tmp_path: Path, refused: Refused):
    np.savez_compressed(tmp_path / "set.npz", images=np.zeros((50, 1024, 1024), np.uint8), labels=np.arange(50) % 2)
    refused(tmp_path / "set.npz", "decompression bomb")


@pytest.fixture
def no_own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """medmnist's own download folder, moved away from the one of whoever runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "person"))
    (tmp_path / "person").mkdir()


@pytest.mark.usefixtures("no_own_folder")
def test_by_name_without_internet_is_refused(home: Home, refused: Refused, monkeypatch: pytest.MonkeyPatch):
    def offline(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", offline)
    refused("medmnist:pneumoniamnist", "no route to host", "internet", str(home.cache / "medmnist"))
    assert [path for path in home.root.rglob("*") if path.is_file() and path.parent != home.locks] == []


@pytest.mark.usefixtures("no_own_folder")
def test_by_name_is_downloaded_once_and_checked(home, arrays, config, refused, monkeypatch, left_behind):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    calls = []

    class Answer(io.BytesIO):
        @property
        def headers(self) -> dict[str, str]:
            return {"Content-Length": str(len(self.getvalue()))}

    def answer(url: str, **_: object) -> Answer:
        calls.append(url)
        return Answer(file.getvalue())

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    refused("medmnist:pneumoniamnist", "wrong MD5")
    assert [path for path in home.cache.rglob("*") if path.is_file()] == []
    info = npz._medmnist_info()
    info.INFO["pneumoniamnist"]["MD5"] = hashlib.md5(file.getvalue()).hexdigest()
    monkeypatch.setattr(npz, "_medmnist_info", lambda: info)
    for name in ("first", "second"):
        dataset = import_dataset(home, config("medmnist:PneumoniaMNIST", name=name))
        assert dataset.classes == ["normal", "pneumonia"]
    assert len(calls) == 2


@pytest.mark.parametrize("name", ["dogsmnist", "pneumoniamnist_65", "organmnist3d"])
@pytest.mark.usefixtures("no_own_folder")
def test_unknown_names_are_refused(refused: Refused, name: str):
    refused(f"medmnist:{name}", "no MedMNIST set", "pneumoniamnist", "_64")


def test_importing_never_loads_torch():
    code = (
        "import sys; import engine.datasets.importing, engine.datasets.editing; "
        "from engine.datasets.reading.tables.npz import _medmnist_info; _medmnist_info(); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
