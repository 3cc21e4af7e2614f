"""What the arrays of an `.npz` stand for: images, labels, patients and names of classes, in each split."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engine.store.errors import ErsatzError

SPLIT_WORDS = {
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "va"), "valid"),
    **dict.fromkeys(("test", "testing", "ts", "te"), "test"),
}

IMAGE_WORDS = ("images", "image", "imgs", "img", "x", "data", "inputs", "pictures", "pixels", "samples", "slices")
LABEL_WORDS = ("labels", "label", "y", "target", "targets", "class", "classes", "lbl", "lbls")
_GROUP_WORDS = (
    "patient_ids patient_id patients patient pids pid subject_ids subject_id subjects subject participants case_ids "
    "case_id cases lesion_ids lesion_id groups group group_ids group_id"
)
GROUP_WORDS = tuple(_GROUP_WORDS.split())
_NAME_WORDS = "label_names labels_names class_names classes_names target_names names_of_classes categories classes"
NAME_WORDS = tuple(_NAME_WORDS.split())

_ROLES = {"images": IMAGE_WORDS, "labels": LABEL_WORDS, "groups": GROUP_WORDS}
EXPECTED = "train_images, train_labels and so on for val and test, or images and labels, are expected"


@dataclass(frozen=True)
class Part:
    """The arrays of one split, each as it is called in the file."""

    split: str
    prefix: str
    """Before the number in the names of its images: `val_`."""
    images: str
    labels: str
    groups: str = ""


@dataclass(frozen=True)
class Roles:
    """What the arrays of a file stand for."""

    parts: list[Part]
    class_names: str = ""
    others: list[str] = field(default_factory=list)
    """Arrays without a known part."""


def roles(names: Sequence[str], path: Path) -> Roles:
    """The parts of a file by the names of its arrays, as `train_images`, `x_train`, `trainX` or `images`.

    Raises `ErsatzError` when images have no labels, or when two arrays could be the same.
    """
    found: dict[tuple[str, str], str] = {}
    words: dict[str, str] = {}
    class_names = ""
    order = [*GROUP_WORDS, ""]
    for name in sorted(names, key=lambda name: order.index(_group_word(name))):
        kind, split, word = _role(name)
        if not split and _words(name) in NAME_WORDS and (_words(name) != "classes" or _has_labels(names)):
            class_names = class_names or name
        elif kind:
            if kind == "groups" and (kind, split) in found:  # patients come before cases and lesions
                continue
            if other := found.get((kind, split)):
                raise ErsatzError(
                    f"{path} holds {other!r} and {name!r}, which could both be the {kind}; one is expected. Rename or "
                    "remove the other."
                )
            found[kind, split] = name
            words[split] = words.get(split) or word
    splits = [split for split in ("train", "valid", "test") if ("images", split) in found]
    if not splits:
        splits = [""]
    parts = []
    for split in splits:
        images, labels = found.get(("images", split)), found.get(("labels", split))
        if not images or not labels:
            expected = f"{words.get(split, '')}{'_' if split else ''}{'labels' if images else 'images'}"
            raise ErsatzError(
                f"{path} has no array {expected!r} (found {', '.join(sorted(names)) or 'nothing'}); {EXPECTED}. "
                "Rename the arrays."
            )
        prefix = f"{words[split]}_" if split else "images_"
        parts.append(Part(split, prefix, images, labels, found.get(("groups", split), "")))
    used = {class_names, *(name for part in parts for name in (part.images, part.labels, part.groups))}
    return Roles(parts, class_names, [name for name in names if name not in used])


def as_images(array: np.ndarray, name: str, path: Path) -> tuple[np.ndarray, str]:
    """Images as `[N, H, W]` or `[N, H, W, C]`, and what was done to their axes, '' if nothing.

    Channels first, `[N, C, H, W]`, is what cannot be channels last.
    """
    shape = list(array.shape)
    kind = f"{path}: {name} has shape {shape} and type {array.dtype}"
    if array.dtype.kind not in "buif":
        raise ErsatzError(f"{kind}; real numbers are expected. Save the pixels as such.")
    if array.ndim == 2:
        side = round(shape[1] ** 0.5)
        whole = f", such as [{shape[0]}, {side}, {side}]" if side * side == shape[1] else ""
        raise ErsatzError(
            f"{kind}, one row of numbers for each image; their height and width are not told, and [N, H, W] is expected"
            f"{whole}. Reshape the array."
        )
    if array.ndim == 3 or (array.ndim == 4 and shape[3] in (1, 3, 4)):
        return array, ""
    if array.ndim == 4 and shape[1] in (1, 3, 4):
        return np.moveaxis(array, 1, 3), f"{name} has its channels first ({shape}), which are put last."
    raise ErsatzError(
        f"{kind}; numbers of shape [N, H, W], or [N, H, W, C] or [N, C, H, W] with 1, 3 or 4 channels, are expected. "
        "Volumes must be cut into slices first."
    )


def as_text(array: np.ndarray, name: str, images: int, path: Path) -> tuple[list[str], str]:
    """Labels or groups `[N]` or `[N, 1]` as text, not-a-number as ''; one-hot labels `[N, K]` as numbers."""
    shape = list(array.shape)
    if array.ndim == 2 and shape[0] == images and shape[1] > 1 and _is_one_hot(array):
        return list(
            map(str, array.argmax(axis=1).tolist())
        ), f"{name} has one 1 in each row of {shape[1]}: its place is the label."
    if array.shape not in ((images,), (images, 1)):
        raise ErsatzError(
            f"{path}: {name} has shape {shape} for {images} images; one label per image, or rows with one 1 each, is "
            "expected. Choose one label of a multi-label set."
        )
    flat = array.reshape(-1)
    if flat.dtype.kind == "U" and (_code_points(flat) > sys.maxunicode).any():
        raise ErsatzError(
            f"{path}: {name} has text with signs that are none; labels in Unicode are expected. The file is damaged: "
            "save it again."
        )
    if flat.dtype.kind == "f":
        return ["" if value is None else value for value in map(_whole, flat.tolist())], ""
    if flat.dtype.kind == "S":
        return [_decoded(value) for value in flat.tolist()], ""
    return [str(value).strip() for value in flat.tolist()], ""


def _code_points(texts: np.ndarray) -> np.ndarray:
    """The signs of an array of text as numbers, uint32, whatever its byte order."""
    return np.ascontiguousarray(texts).view(np.dtype(np.uint32).newbyteorder(texts.dtype.byteorder))


def eight_bits(arrays: dict[str, np.ndarray], names: Sequence[str]) -> None:
    """Bring whole numbers of 0 to 255 in a wide type, as calculations leave them, back to bytes, in place.

    All `names` or none, since one range is meant; 16-bit types are left, which a dim picture has in full.
    """
    wide = [name for name in names if arrays[name].dtype.kind in "iuf" and arrays[name].dtype.itemsize > 2]
    if wide and len(wide) == len(names) and all(_are_bytes(arrays[name]) for name in wide):
        for name in wide:
            arrays[name] = arrays[name].astype(np.uint8)


def _role(name: str) -> tuple[str, str, str]:
    """Kind, split and the word for the split: `x_train` -> `('images', 'train', 'train')`; kind '' if unknown."""
    words = _words(name).split("_")
    for at in (0, -1):
        if len(words) > 1 and words[at] in SPLIT_WORDS:
            rest = "_".join(words[1:] if at == 0 else words[:-1])
            if kind := _kind(rest):
                return kind, SPLIT_WORDS[words[at]], words[at]
    return _kind("_".join(words)), "", ""


def _words(name: str) -> str:
    """`trainImages`, `Train Images` and `train-images` -> `train_images`; `xtrain` -> `x_train`."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    name = re.sub(r"[\W_]+", "_", name).strip("_").lower()
    split = "|".join(sorted(SPLIT_WORDS, key=len, reverse=True))
    joined = re.fullmatch(rf"([xy])({split})", name) or re.fullmatch(rf"({split})([xy])", name)
    return "_".join(joined.groups()) if joined else name


def _kind(words: str) -> str:
    return next((kind for kind, known in _ROLES.items() if words in known), "")


def _group_word(name: str) -> str:
    """The word of an array of patients or the like: `train_patient_ids` -> `patient_ids`; '' for any other."""
    return next((word for word in GROUP_WORDS if re.search(rf"(^|_){word}(_|$)", _words(name))), "")


def _has_labels(names: Sequence[str]) -> bool:
    return any(_role(name)[0] == "labels" and _words(name) != "classes" for name in names)


def _is_one_hot(array: np.ndarray) -> bool:
    return array.dtype.kind in "buif" and bool(np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all())


def _whole(value: float) -> str | None:
    if not np.isfinite(value):
        return None
    return str(int(value)) if value == int(value) else str(value)


def _decoded(value: bytes) -> str:
    try:
        return value.decode("utf-8").strip()
    except UnicodeDecodeError:
        return value.decode("latin-1").strip()


def _are_bytes(array: np.ndarray) -> bool:
    """Whether all are whole numbers of 0 to 255, and not just 0 and 1, which are a share of white."""
    if array.size == 0 or not np.isfinite(array).all():
        return False
    low, high = array.min(), array.max()
    return bool(low >= 0 and 1 < high <= 255 and (array.dtype.kind != "f" or (array == np.floor(array)).all()))
