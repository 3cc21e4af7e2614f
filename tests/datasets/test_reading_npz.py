"""MedMNIST files, and MedMNIST by name."""

from __future__ import annotations

import hashlib
import io
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
from engine.datasets.reading import npz
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
    assert [path for path in home.root.rglob("*") if path.is_file()] == []


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
        "from engine.datasets.reading.npz import _medmnist_info; _medmnist_info(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
