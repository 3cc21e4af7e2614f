"""`.npz` files of arrays as MedMNIST and others write them, and MedMNIST sets by name where there is internet."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from engine.configs import ImportConfig
from engine.datasets.reading.items import Item, Reading
from engine.datasets.reading.labels import read_labels
from engine.datasets.reading.pictures.files import ArrayPicture
from engine.datasets.reading.tables.npy_headers import claimed_shapes
from engine.datasets.reading.tables.npz_arrays import as_images, as_text, eight_bits, roles
from engine.datasets.reading.tree import open_zip
from engine.store.archives import ZIP_ERRORS
from engine.store.errors import ErsatzError
from engine.store.files import replacing
from engine.store.progress import Progress, Report

PREFIX = "medmnist:"


def read_npz(path: Path, config: ImportConfig) -> Reading:
    """Items of `train_images`, `train_labels`, `val_...`, `test_...`, or of `images` and `labels` without splits.

    Images are `[N, H, W]`, `[N, H, W, C]` or `[N, C, H, W]`, labels `[N]`, `[N, 1]` or one-hot `[N, K]`. Arrays of
    patients and of names of the classes are used as well. Arrays of Python objects are never loaded.
    """
    open_zip(path).close()  # guards against bombs before anything is unpacked
    try:
        shapes = claimed_shapes(path)
        with np.load(path, allow_pickle=False) as file:
            found = roles(file.files, path)
            arrays = {
                name: _loaded(file, name, path)
                for part in found.parts
                for name in (part.images, part.labels, part.groups)
                if name
            }
            names = _loaded(file, found.class_names, path) if found.class_names else None
            others = {name: shapes.get(name, "of another kind") for name in found.others}
            # Images first: they are missed the most.
            left_out = [f"{name} {others[name]}" for name in sorted(others, key=lambda name: -others[name].count(","))]
    except (*ZIP_ERRORS, KeyError) as error:
        raise ErsatzError(
            f"{path} cannot be read ({error}); an .npz of plain arrays is expected. Download it again."
        ) from error
    eight_bits(arrays, [part.images for part in found.parts])
    items: list[Item] = []
    cells: list[str] = []
    places: list[str] = []
    notes: list[str] = []
    for part in found.parts:
        images, moved = as_images(arrays[part.images], part.images, path)
        labels, chosen = as_text(arrays[part.labels], part.labels, len(images), path)
        groups = [""] * len(images)
        if part.groups:
            groups, _ = as_text(arrays[part.groups], part.groups, len(images), path)
            count = len({group for group in groups if group})
            notes.append(f"The array {part.groups!r} is taken for the patient: {count} different values.")
        notes += filter(None, (moved, chosen))
        cells += labels
        places += [f"{part.labels}, number {number}" for number in range(len(labels))]
        items += [
            Item(f"{part.prefix}{number:05d}", "", ArrayPicture(image), part.split, group)
            for number, (image, group) in enumerate(zip(images, groups, strict=True))
        ]
    labels, said = read_labels(cells, places, str(path), "the arrays of labels", config)
    if left_out:
        told = ", ".join(left_out[:8]) + (", ..." if len(left_out) > 8 else "")
        notes.append(f"{len(left_out)} arrays of the file were left out ({told}).")
    return Reading(
        layout="MedMNIST arrays",
        items=[replace(item, label=label) for item, label in zip(items, labels, strict=True) if label],
        label_names=_label_names(path) or _own_names(names, set(labels) - {""}),
        closed_labels=True,
        notes=[*notes, *said],
    )


def _loaded(file: Any, name: str, path: Path) -> np.ndarray:
    try:
        return np.asarray(file[name])
    except ValueError as error:
        if "pickle" not in str(error).lower():
            raise
        raise ErsatzError(
            f"{path} cannot be read: its array {name!r} holds Python objects, which could run any code; plain numbers "
            "or text are expected. Save it again with a plain type, such as labels.astype(str)."
        ) from error


def _own_names(names: np.ndarray | None, labels: set[str]) -> dict[str, str]:
    """The names that an array of the file gives to the labels 0, 1, ...; none unless it names each."""
    if names is None or names.ndim != 1 or names.dtype.kind not in "SU":
        return {}
    texts, _ = as_text(names, "names", len(names), Path())
    known = {str(number): text for number, text in enumerate(texts) if text}
    return {label: known[label] for label in labels} if labels <= set(known) else {}


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
