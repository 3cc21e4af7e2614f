"""Masks among the images: drawings of where something is, which must never pass for images of a class.

By name: `benign (1)_mask_1.png` beside `benign (1).png`, or a folder `masks` whose files are named like images of other
folders. The names alone decide; the content of a mask may be anything.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import PurePosixPath

from engine.datasets.reading.folders.level_names import PLAIN, word_set, words_of
from engine.datasets.reading.pictures.files import stem
from engine.datasets.reading.questions import Option, Question

AS_IMAGES = "-"
"""The `mask_suffix` of an import in which no file is a mask, whatever its name."""

_WORDS = (
    "masks?|seg|segm|segs|segmentations?|labels?|gt|ground_?truth|annotations?|annot|anno|roi|contours?|superpixels"
)
_SUFFIX = re.compile(rf"(?P<base>.*?)(?P<suffix>[ _.-](?:{_WORDS}))(?:[ _-]?\(?\d+\)?)?", re.IGNORECASE)
_PREFIX = re.compile(rf"(?P<suffix>(?:{_WORDS})[ _.-])(?P<base>.+)", re.IGNORECASE)
_FOLDER_WORDS = word_set(
    "mask masks seg segs segm segmentation segmentations annotation annotations groundtruth label labels gt roi rois "
    "contour contours"
)
_NEGATIONS = word_set("no non not without with")


@dataclass(frozen=True)
class Sorted:
    """The images of a source without its masks."""

    images: list[str]
    masks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def without_masks(names: Sequence[str], mask_suffix: str, where: str) -> Sorted:
    """Tells masks from images; a `Question` if only some of the files named like masks belong to an image.

    `mask_suffix` as in the config: what the names of masks or of their folders end in, `-`: none, '': found out.
    """
    if mask_suffix == AS_IMAGES:
        return Sorted(list(names))
    if mask_suffix:
        pattern = re.compile(rf"(?P<base>.*?)(?P<suffix>{re.escape(mask_suffix)})(?:[ _-]?\(?\d+\)?)?", re.IGNORECASE)
        ending = mask_suffix.lower()
        masks = [
            name
            for name in names
            if pattern.fullmatch(stem(name))
            or any(part.lower().endswith(ending) for part in PurePosixPath(name).parts[:-1])
        ]
        told = [f"{len(masks)} files are masks, as mask_suffix {mask_suffix} says, and were left out."] if masks else []
        return _sorted(names, masks, told)
    in_folders = _in_folders(names, where)
    rest = [name for name in names if name not in set(in_folders)]
    beside = _beside_images(rest, where)
    told = []
    if beside:
        told.append(
            f"{len(beside)} files are masks by their names (such as {beside[0]}) and were left out; "
            f"mask_suffix {AS_IMAGES} takes them for images."
        )
    if in_folders:
        folders = sorted({_mask_folder(name) for name in in_folders})
        told.append(
            f"{len(in_folders)} files in {', '.join(folders[:3])}{', ...' if len(folders) > 3 else ''} are masks of "
            f"the images of the same names and were left out; mask_suffix {AS_IMAGES} takes them for images."
        )
    return _sorted(names, [*beside, *in_folders], told)


def is_mask_folder(name: str) -> bool:
    """A folder of masks by its name, such as `masks`, `train_masks` or `Ground Truth`."""
    words = words_of(name.replace("ground", "ground ").replace("Ground", "Ground "))
    joined = {*words, *("".join(pair) for pair in pairwise(words))}
    return bool(joined & _FOLDER_WORDS) and not joined & _NEGATIONS


def _sorted(names: Sequence[str], masks: Sequence[str], notes: list[str]) -> Sorted:
    gone = set(masks)
    return Sorted([name for name in names if name not in gone], sorted(gone), notes)


def _base(name: str) -> tuple[str, str]:
    """What a mask is of, and how its name says that it is one: `x_mask_1` -> x, _mask; else '' and ''."""
    match = _SUFFIX.fullmatch(stem(name)) or _PREFIX.fullmatch(stem(name))
    return (match["base"], match["suffix"].lower()) if match and match["base"] else ("", "")


def _beside_images(names: Sequence[str], where: str) -> list[str]:
    """Files named like masks of images in the same folder."""
    masks = {name: found for name in names if (found := _base(name))[0]}
    if not masks:
        return []
    images = {(PurePosixPath(name).parent, stem(name)) for name in names if name not in masks}
    starts = {(folder, re.split(r"[ _-][^ _-]*$", stem)[0]) for folder, stem in images}
    paired = [name for name, (base, _) in masks.items() if (PurePosixPath(name).parent, base) in images | starts]
    if not paired or len(paired) >= 0.9 * len(masks):
        return list(masks) if paired else []
    suffix = Counter(suffix for _, suffix in masks.values()).most_common(1)[0][0]
    raise Question(
        f"{where} holds {len(masks)} files named like masks (such as {next(iter(masks))}), but only {len(paired)} of "
        "them have the image that they would be masks of.",
        [
            Option({"mask_suffix": suffix}, f"{len(masks)} masks, which are left out"),
            Option({"mask_suffix": AS_IMAGES}, f"all {len(names)} files are images"),
        ],
    )


def _in_folders(names: Sequence[str], where: str) -> list[str]:
    """Files in folders of masks that are named like images elsewhere.

    Clear where the images lie around that folder, or beside it in a folder named for images or as the masks are. Where
    they lie in a folder with a name of its own (`roi/1.png`, `background/1.png`), both may be classes: a `Question`.
    """
    inside = [name for name in names if _mask_folder(name)]
    if not inside or any(_denied(part) for part in _folders(names)):
        return []
    by_stem: dict[str, list[str]] = {}
    for name in names:
        if not _mask_folder(name):
            by_stem.setdefault(stem(name), []).append(name)
    twins = {name: [*by_stem.get(stem(name), []), *by_stem.get(_base(name)[0], [])] for name in inside}
    if sum(map(bool, twins.values())) < 0.9 * len(inside):
        return []
    if sum(any(_of_image(name, twin) for twin in found) for name, found in twins.items()) >= 0.9 * len(inside):
        return inside
    folder = _mask_folder(inside[0])
    raise Question(
        f"{where} has the folder {folder}, whose {len(inside)} files are named like others (such as {inside[0]}): it "
        "may hold masks of them, or be a class.",
        [
            Option({"mask_suffix": folder}, f"{len(inside)} masks, which are left out"),
            Option({"mask_suffix": AS_IMAGES}, f"all {len(names)} files are images"),
        ],
    )


def _of_image(mask: str, twin: str) -> bool:
    """Whether the place of `twin` says that it is the image of `mask`."""
    parts, others = PurePosixPath(mask).parts, PurePosixPath(twin).parts
    at = next(level for level, part in enumerate(parts) if is_mask_folder(part))
    if others[:at] != parts[:at]:
        return False
    if len(others) == at + 1 or (len(parts) > at + 2 and others[at:-1] == parts[at + 1 : -1]):
        return True
    own, other = {*words_of(parts[at])} - _FOLDER_WORDS, {*words_of(others[at])}
    return bool(other & PLAIN) or bool(own and own <= other)


def _folders(names: Sequence[str]) -> set[str]:
    return {part for name in names for part in PurePosixPath(name).parts[:-1]}


def _denied(name: str) -> bool:
    """`no_mask` and `without mask` make `mask` a class."""
    words = {*words_of(name)}
    return bool(words & _FOLDER_WORDS and words & _NEGATIONS)


def _mask_folder(name: str) -> str:
    """The innermost folder of masks that a file lies in; ''."""
    return next((part for part in reversed(PurePosixPath(name).parts[:-1]) if is_mask_folder(part)), "")
