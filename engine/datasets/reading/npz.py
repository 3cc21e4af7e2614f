"""MedMNIST `.npz` files, and MedMNIST sets by name where there is internet."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import urllib.error
import urllib.request
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from engine.datasets.reading.items import Item, Reading
from engine.datasets.reading.pictures import ArrayPicture
from engine.datasets.reading.tree import open_zip
from engine.store.errors import ErsatzError
from engine.store.files import replacing
from engine.store.progress import Progress, Report

PREFIX = "medmnist:"
SPLITS = {"train": "train", "val": "valid", "test": "test"}


def read_npz(path: Path) -> Reading:
    """Items of `train_images`, `train_labels`, `val_...`, `test_...`, or of `images` and `labels` without splits.

    Images are `[N, H, W]` or `[N, H, W, C]`, labels `[N]` or `[N, 1]`.
    """
    open_zip(path).close()  # guards against bombs before anything is unpacked
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, KeyError) as error:
        raise ErsatzError(
            f"{path} cannot be read ({error}); an .npz of plain arrays is expected. Download it again."
        ) from error
    parts = {f"{name}_": split for name, split in SPLITS.items() if f"{name}_images" in arrays} or {"": ""}
    items: list[Item] = []
    for prefix, split in parts.items():
        images, labels = _pair(arrays, prefix, path)
        items += [
            Item(f"{prefix or 'images_'}{number:05d}", str(label), ArrayPicture(image), split)
            for number, (image, label) in enumerate(zip(images, labels, strict=True))
        ]
    return Reading(layout="MedMNIST arrays", items=items, label_names=_label_names(path), closed_labels=True)


def _pair(arrays: dict[str, np.ndarray], prefix: str, path: Path) -> tuple[np.ndarray, list[Any]]:
    for name in (f"{prefix}images", f"{prefix}labels"):
        if name not in arrays:
            raise ErsatzError(
                f"{path} has no array {name!r} (found {', '.join(sorted(arrays)) or 'nothing'}); train_images, "
                "train_labels and so on for val and test, or images and labels, are expected. Rename the arrays."
            )
    images, labels = arrays[f"{prefix}images"], arrays[f"{prefix}labels"]
    if labels.shape not in ((len(images),), (len(images), 1)):
        raise ErsatzError(
            f"{path}: {prefix}labels has shape {list(labels.shape)} for {len(images)} images; one label per image is "
            "expected. Choose one label of a multi-label set."
        )
    if (
        images.ndim not in (3, 4)
        or (images.ndim == 4 and images.shape[3] not in (1, 3, 4))
        or images.dtype.kind in "OUSV"
    ):
        raise ErsatzError(
            f"{path}: {prefix}images has shape {list(images.shape)} and type {images.dtype}; numbers of shape "
            "[N, H, W] or [N, H, W, 1, 3 or 4] are expected. Volumes must be cut into slices first."
        )
    return images, labels.reshape(-1).tolist()


def _label_names(path: Path) -> dict[str, str]:
    """The names that MedMNIST gives to the labels of a file with one of its names."""
    if "mnist" not in path.stem.lower():
        return {}
    info = _medmnist_info().INFO.get(re.sub(r"_\d+$", "", path.stem.lower()), {})
    return {} if "multi-label" in info.get("task", "") else info.get("label", {})


def fetch(name: str, cache: Path, report: Report) -> Path:
    """The `.npz` of MedMNIST set `name` (`pneumoniamnist`, `pneumoniamnist_64`), downloaded once.

    A copy in medmnist's own folder is used, else one in `cache`. The download is checked by its MD5.
    """
    module = _medmnist_info()
    flag, _, size = name.lower().partition("_")
    suffix = f"_{size}" if size else ""
    info = module.INFO.get(flag, {})
    if f"url{suffix}" not in info or "3d" in flag:
        known = ", ".join(key for key in module.INFO if "3d" not in key)
        raise ErsatzError(
            f"There is no MedMNIST set {name!r} of single images; expected one of {known}, with _64, _128 or _224 "
            "for larger images. Correct the name."
        )
    target = cache / "medmnist" / f"{flag}{suffix}.npz"
    if module.DEFAULT_ROOT and (own := Path(module.DEFAULT_ROOT) / target.name).is_file():
        return own
    if not target.is_file():
        _download(info[f"url{suffix}"], info[f"MD5{suffix}"], target, report)
    return target


def _download(url: str, md5: str, target: Path, report: Report) -> None:
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with urllib.request.urlopen(url, timeout=30) as answer, replacing(target) as temporary:
            total = float(answer.headers.get("Content-Length") or 0) / 2**20
            with temporary.open("wb") as file:
                while block := answer.read(2**20):
                    file.write(block)
                    digest.update(block)
                    report(Progress("download", file.tell() / 2**20, total, "MiB"))
            if digest.hexdigest() != md5:
                raise ErsatzError(
                    f"The download of {url} is damaged (wrong MD5); a complete file is expected. Try again."
                )
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise ErsatzError(
            f"{url} cannot be downloaded ({reason}); internet is needed to import a MedMNIST set by name. "
            f"Put the file at {target}, or import a copy of it by its path."
        ) from error


def _medmnist_info() -> ModuleType:
    """`medmnist.info` without the package around it, which imports torch."""
    package = importlib.util.find_spec("medmnist")
    assert package is not None and package.submodule_search_locations, "medmnist is in requirements.txt"
    spec = importlib.util.spec_from_file_location(
        "medmnist_info", Path(package.submodule_search_locations[0]) / "info.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
