"""A tree of folders as labels: `<class>/...` or `<split>/<class>/...`, or the StyleGAN layout with `dataset.json`."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import PurePosixPath

from engine.configs import ImportConfig
from engine.datasets.reading.items import BadPicture, Item, Reading
from engine.datasets.reading.pictures import FilePicture, is_header, is_picture
from engine.datasets.reading.tree import Tree
from engine.store.errors import ErsatzError

SPLIT_NAMES = {
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("valid", "validation", "val", "dev"), "valid"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def pictures_below(names: list[str], bare: bool = False) -> list[str]:
    """The names that are pictures by their ending; with `bare` also those without an ending (DICOM)."""
    return [name for name in names if is_picture(name) or (bare and not PurePosixPath(name).suffix)]


def labels_by_folder(pictures: list[str]) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """`{name: (split, class)}` of the pictures that lie in class folders, and the names of those that do not.

    Folders around everything else are passed through (`archive/Data/train/...`). The level below them holds splits if
    one of its names is a split, else classes.
    """
    common = _common_folder(pictures)
    inner = {name: PurePosixPath(name).parts[common:] for name in pictures}
    with_splits = any(len(parts) > 1 and parts[0].lower() in SPLIT_NAMES for parts in inner.values())
    labels, outside = {}, []
    for name, parts in inner.items():
        if with_splits and len(parts) > 2 and parts[0].lower() in SPLIT_NAMES:
            labels[name] = (SPLIT_NAMES[parts[0].lower()], parts[1])
        elif not with_splits and len(parts) > 1:
            labels[name] = ("", parts[0])
        else:
            outside.append(name)
    return labels, outside


def read_folder(tree: Tree, config: ImportConfig) -> Reading:
    """Items of a tree whose folders are the classes."""
    pictures = pictures_below(tree.names, bare=config.layout == "dicom")
    if not pictures:
        raise ErsatzError(
            f"{tree.path} holds no image ({_endings(tree.names)}); PNG, JPEG, TIFF, BMP, GIF, WebP, PPM, JPEG 2000, "
            "NIfTI or DICOM files in one folder per class are expected. Choose the folder that holds them."
        )
    labels, outside = labels_by_folder(pictures)
    if not labels:
        raise ErsatzError(
            f"{tree.path} holds {len(pictures)} images but no class folders; one folder per class, or a CSV with the "
            "labels beside the images, is expected. Sort the images into folders, or name the CSV."
        )
    splits = {split for split, _ in labels.values()}
    notes = [*left_out(outside, "lie outside the class folders"), *other_files(tree.names, set(pictures))]
    return Reading(
        layout="split and class folders" if splits != {""} else "class folders",
        items=[
            Item(name, label, FilePicture(tree, name, config.window), split) for name, (split, label) in labels.items()
        ],
        notes=notes,
    )


def read_stylegan(tree: Tree, config: ImportConfig, index: str) -> Reading:
    """Items named in the `labels` of a StyleGAN data set: `{"labels": [["00000/img00000000.png", 1], ...]}`."""
    what = f"{tree.path}, {index}"
    try:
        with tree.open(index) as file:
            rows = json.load(file)["labels"]
        labels = {str(name): label for name, label in rows} if rows else {}
    except (BadPicture, ValueError, KeyError, TypeError) as error:
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


def _common_folder(names: list[str]) -> int:
    """How many leading folders all names share, short of a folder that is a split or holds pictures itself."""
    parents = [PurePosixPath(name).parts[:-1] for name in names]
    depth = 0
    while all(len(parts) > depth for parts in parents) and len({parts[depth] for parts in parents}) == 1:
        if parents[0][depth].lower() in SPLIT_NAMES:
            break
        depth += 1
    return depth


def _endings(names: list[str]) -> str:
    counts = Counter(PurePosixPath(name).suffix.lower() or "no ending" for name in names)
    return ", ".join(f"{count} with {ending}" for ending, count in counts.most_common(4)) or "it is empty"
