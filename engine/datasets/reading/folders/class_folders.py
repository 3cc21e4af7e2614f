"""A tree of folders as labels: `<class>/...`, `<split>/<class>/...` and their like, or StyleGAN's `dataset.json`."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePosixPath

from engine.configs import ImportConfig
from engine.datasets.reading.dicom import reader as dicom
from engine.datasets.reading.folders.layout import Labelled, Layout
from engine.datasets.reading.folders.layouts import fixed, weigh
from engine.datasets.reading.folders.level_names import is_plain
from engine.datasets.reading.folders.masks import is_mask_folder, without_masks
from engine.datasets.reading.items import BadPicture, Item, Reading
from engine.datasets.reading.labels import doubtful_labels
from engine.datasets.reading.pictures.files import FilePicture, is_header, is_picture
from engine.datasets.reading.questions import Question
from engine.datasets.reading.tree import SourceTree, Tree
from engine.store.errors import ErsatzError

UNTOLD = re.compile(r"(\.\d+|\.ima|\.img)?", re.IGNORECASE)
"""Endings that say nothing of the content: none, a number (DICOM names files by their UID), and Siemens' own."""
PACKED = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")
_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*", b"GIF8", b"BM")


def pictures_below(names: list[str], bare: bool = False) -> list[str]:
    """The names that are pictures by their ending; with `bare` also those whose ending says nothing (DICOM)."""
    return [
        name
        for name in names
        if is_picture(name) or (bare and UNTOLD.fullmatch(PurePosixPath(name).suffix) is not None)
    ]


@dataclass(frozen=True)
class Folders:
    """The images of a tree and what the folders around them say."""

    images: list[str]
    masks: list[str]
    layout: Layout
    labelled: dict[str, Labelled]
    """What the folders say of each image, as far as it lies in a class folder."""
    notes: list[str]

    @property
    def classes(self) -> dict[str, str]:
        """The class of each image by its folder."""
        return {name: one.label for name, one in self.labelled.items()}


def look_at_folders(tree: SourceTree, config: ImportConfig) -> Folders:
    """The images, without masks, and the layout of their folders: the config's, else as it looks.

    Raises `ErsatzError` if there is no image, and a `Question` if masks cannot be told from images.
    """
    pictures = _pictures(tree, config)
    if not pictures:
        packed = any(PurePosixPath(name).suffix.lower() in PACKED for name in tree.names)
        raise ErsatzError(
            f"{tree.path} holds no image ({_endings(tree.names)}); PNG, JPEG, TIFF, BMP, GIF, WebP, PPM, JPEG 2000, "
            "NIfTI or DICOM files in one folder per class are expected. "
            + ("Unpack the archives in it." if packed else "Choose the folder that holds them.")
        )
    told = without_masks(pictures, config.mask_suffix, str(tree.path))
    roles = tuple(config.folders.split("/")) if config.folders else ()
    layout = fixed(told.images, roles) if roles else weigh(told.images, str(tree.path))
    return Folders(told.images, told.masks, layout, layout.labelled(), told.notes)


def read_folder(tree: SourceTree, config: ImportConfig, seen: Folders, told: Collection[str] = ()) -> Reading:
    """Items of a tree whose folders are the classes; a `Question` if it is not clear which.

    `told`: other files of which notes speak elsewhere.
    """
    if seen.layout.doubt:
        raise Question(seen.layout.doubt, seen.layout.options)
    empty = _empty_classes(tree, seen)
    classes = {one.label for one in seen.labelled.values()}
    if empty and len(classes) < 2:
        name = min(classes) if classes else PurePosixPath(seen.images[0]).parts[seen.layout.common - 1]
        raise ErsatzError(
            f"{tree.path} holds images in the folder {name} only; {_listed_empty(tree, empty)} no image that can be "
            "used. At least two classes with images are expected. Add images, or convert the files there to PNG."
        )
    if not seen.labelled:
        if config.folders:
            raise ErsatzError(
                f"{tree.path} does not have its {len(seen.images)} images (such as {seen.images[0]}) in folders as "
                f"{config.folders} says; a folder for each level down to the class is expected. Correct the setting "
                "folders."
            )
        splits = seen.layout.splits
        lie = f" directly in folders such as {', '.join(splits)}, by their names splits," if splits else ""
        raise ErsatzError(
            f"{tree.path} holds {len(seen.images)} images{lie} but no class folders; one folder per class, or a CSV "
            "with the labels beside the images, is expected. Sort the images into folders, or name the CSV"
            + (", or, if these folders are the classes, set folders to class." if splits else ".")
        )
    outside = [name for name in seen.images if name not in seen.labelled]
    return Reading(
        layout=_name(seen.layout),
        items=[
            Item(
                name,
                one.label,
                FilePicture(tree, name, config.window),
                one.split,
                one.group,
                group_guessed=not config.folders,
            )
            for name, one in seen.labelled.items()
        ],
        notes=[
            *seen.notes,
            *seen.layout.notes,
            *([f"Beside the classes {_listed_empty(tree, empty)} no image that can be used."] if empty else []),
            *doubtful_labels(
                Counter(one.label for one in seen.labelled.values()), {*config.class_names, *config.only_classes}
            ),
            *left_out(outside, "lie outside the class folders"),
            *other_files(tree.names, {*seen.images, *seen.masks, *told}),
        ],
    )


def read_pictures(tree: SourceTree, config: ImportConfig, label: str) -> Reading:
    """All pictures of a tree, whatever its folders are called, under one label."""
    seen = look_at_folders(tree, config)
    return Reading(
        layout="images of one class",
        items=[Item(name, label, FilePicture(tree, name, config.window)) for name in seen.images],
        notes=[*seen.notes, *other_files(tree.names, {*seen.images, *seen.masks})],
    )


def _pictures(tree: Tree, config: ImportConfig) -> list[str]:
    """Pictures by their ending, or by their content where the ending says nothing."""
    if config.layout == "dicom":
        return pictures_below(tree.names, bare=True)
    # DICOM files often have no ending; where there is nothing else, whatever has none is tried.
    return [name for name in tree.names if is_picture(name) or _by_content(tree, name)] or pictures_below(
        tree.names, bare=True
    )


def _by_content(tree: Tree, name: str) -> bool:
    if not UNTOLD.fullmatch(PurePosixPath(name).suffix) or PurePosixPath(name).name == "DICOMDIR":
        return False
    try:
        with tree.open(name) as file:
            return dicom.is_dicom(file, name) or file.read(8).startswith(_MAGIC)
    except BadPicture:
        return False


def _name(layout: Layout) -> str:
    """How the folders were read, for people: `split and class folders`."""
    named = [role for role in layout.roles if role != "-"]
    return (" and ".join([", ".join(named[:-1]), named[-1]]) if len(named) > 1 else named[0]) + " folders"


def _empty_classes(tree: SourceTree, seen: Folders) -> list[str]:
    """Folders beside those of the classes (or the only folder of images) that hold no image."""
    if seen.labelled:
        level = seen.layout.common + seen.layout.roles.index("class")
    else:
        level = seen.layout.common - 1
        if level < 0 or is_plain(PurePosixPath(seen.images[0]).parts[level]):
            return []
    used = {PurePosixPath(name).parts[: level + 1] for name in seen.labelled or seen.images}
    beside = {parts[:level] for parts in used}
    folders = [PurePosixPath(folder).parts for folder in tree.folders]
    return sorted(
        "/".join(parts)
        for parts in folders
        if len(parts) == level + 1 and parts[:level] in beside and parts not in used and not is_mask_folder(parts[-1])
    )


def _listed_empty(tree: SourceTree, empty: list[str]) -> str:
    """`the folders b (10 with .heic), c (it is empty) hold`"""
    told = [f"{name} ({_endings([file for file in tree.names if file.startswith(f'{name}/')])})" for name in empty[:4]]
    more = ", ..." if len(empty) > 4 else ""
    return f"the folder{'s' * (len(empty) > 1)} {', '.join(told)}{more} hold{'s' * (len(empty) == 1)}"


def is_stylegan_index(tree: Tree, name: str) -> bool:
    """Whether a `dataset.json` is meant for StyleGAN; other programs call theirs so too. A damaged one may be."""
    try:
        with tree.open(name) as file:
            content = json.load(file)
    except (BadPicture, ValueError, RecursionError):
        return True
    return isinstance(content, dict) and "labels" in content and not isinstance(content["labels"], dict)


def read_stylegan(tree: Tree, config: ImportConfig, index: str) -> Reading:
    """Items named in the `labels` of a StyleGAN data set: `{"labels": [["00000/img00000000.png", 1], ...]}`."""
    what = f"{tree.path}, {index}"
    try:
        with tree.open(index) as file:
            rows = json.load(file)["labels"]
        labels = {str(name): label for name, label in rows} if rows else {}
    except (BadPicture, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ErsatzError(
            f"{what} does not hold labels as StyleGAN writes them ({error}); "
            '{"labels": [["00000/img.png", 0], ...]} is expected. Make it again, or remove it to use the folders.'
        ) from error
    if not labels:
        raise ErsatzError(
            f"{what} holds no labels; a class number for each image is expected. "
            "Add them, or remove the file and sort the images into class folders."
        )
    if len(labels) < len(rows):
        raise ErsatzError(f"{what} names an image twice; each is expected once. Remove the double entries.")
    wrong = [name for name, label in labels.items() if isinstance(label, bool) or not isinstance(label, int)]
    if wrong:
        raise ErsatzError(
            f"{what} labels {wrong[0]} with {labels[wrong[0]]!r}; one class number per image is expected. "
            "Write the labels as whole numbers."
        )
    folder = PurePosixPath(index).parent
    paths = {name: (folder / name).as_posix() for name in labels}
    missing = [name for name, path in paths.items() if path not in set(tree.names)]
    if missing:
        raise ErsatzError(
            f"{what} names {len(missing)} images that are not there (such as {missing[0]}); all are expected. "
            "Pack the data set again."
        )
    pictures = set(pictures_below(tree.names))
    return Reading(
        layout="StyleGAN data set",
        items=[
            Item(paths[name], str(label), FilePicture(tree, paths[name], config.window))
            for name, label in labels.items()
        ],
        closed_labels=True,
        notes=left_out(sorted(pictures - set(paths.values())), f"have no label in {index}"),
    )


def left_out(names: list[str], why: str) -> list[str]:
    """A note on images that are not imported."""
    if not names:
        return []
    return [f"{len(names)} images {why} and were left out ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})."]


def other_files(names: list[str], used: set[str]) -> list[str]:
    """A note on files that are no pictures by their ending."""
    others = [name for name in names if name not in used and not is_picture(name) and not is_header(name, names)]
    return [f"{len(others)} other files were left out ({_endings(others)})."] if others else []


def _endings(names: list[str]) -> str:
    counts = Counter(PurePosixPath(name).suffix.lower() or "no ending" for name in names)
    return ", ".join(f"{count} with {ending}" for ending, count in counts.most_common(4)) or "it is empty"
