"""From the source that a config names to its items: looks which layout it has, unless the config says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath

from engine.configs import ImportConfig
from engine.datasets.reading.folders.class_folders import (
    Folders,
    is_stylegan_index,
    look_at_folders,
    read_folder,
    read_pictures,
    read_stylegan,
)
from engine.datasets.reading.items import Reading
from engine.datasets.reading.phantom import read_phantom
from engine.datasets.reading.questions import Question
from engine.datasets.reading.tables.csv_beside import with_csv, with_folders
from engine.datasets.reading.tables.csv_files import TABLE_ENDINGS, TEXT_ENDINGS, csv_names
from engine.datasets.reading.tables.csv_fit import MOST, NEARLY_ALL, Fit, csv_fits, names_folders
from engine.datasets.reading.tables.csv_text import SHEET_ENDINGS, not_a_csv
from engine.datasets.reading.tables.npz import PREFIX, fetch, read_npz
from engine.datasets.reading.tables.table import read_csv
from engine.datasets.reading.tree import FolderTree, SourceTree, ZipTree
from engine.store.errors import ErsatzError
from engine.store.named_paths import is_there, named_path
from engine.store.progress import Report, silent

EXPECTED = "a folder, a CSV, a ZIP, an .npz file or medmnist:NAME"


@contextmanager
def open_source(config: ImportConfig, cache: Path, report: Report = silent) -> Iterator[Reading]:
    """The items of `config.source`; their pictures can be read inside the `with` block only.

    `cache`: where downloads are kept. Raises `ErsatzError` when the source is missing or its layout is not understood.
    """
    if config.layout == "phantom":
        yield read_phantom(config.seed)
        return
    if config.source.lower().startswith(PREFIX):
        yield read_npz(fetch(config.source[len(PREFIX) :], cache, report), config)
        return
    path = named_path(config.source)
    if not is_there(path):
        raise ErsatzError(f"There is no {path}; {EXPECTED} is expected. Correct the path.")
    suffix = path.suffix.lower()
    if config.layout == "npz" or (config.layout == "auto" and suffix == ".npz"):
        yield read_npz(path, config)
        return
    tree, config = open_tree(path, config)
    try:
        reading = _read_tree(tree, config)
        yield replace(reading, notes=[*tree.notes, *reading.notes])
    finally:
        tree.close()


@contextmanager
def open_pictures(config: ImportConfig, label: str) -> Iterator[Reading]:
    """All pictures of a folder or ZIP under one label, as `open_source` gives them."""
    path = named_path(config.source)
    if not is_there(path):
        raise ErsatzError(f"There is no {path}; a folder or a ZIP with images is expected. Correct the path.")
    tree, config = open_tree(path, config)
    try:
        reading = read_pictures(tree, config, label)
        yield replace(reading, notes=[*tree.notes, *reading.notes])
    finally:
        tree.close()


def open_tree(path: Path, config: ImportConfig) -> tuple[SourceTree, ImportConfig]:
    """The files of a folder or ZIP; a CSV as source stands for its folder."""
    if path.is_dir():
        return FolderTree(path), config
    if path.suffix.lower() == ".zip" or config.layout == "zip":
        return ZipTree(path), config
    if path.suffix.lower() in (*TABLE_ENDINGS, *TEXT_ENDINGS, *SHEET_ENDINGS):
        return FolderTree(path.parent), config.model_copy(update={"csv": str(path), "layout": "csv"})
    raise ErsatzError(f"{path} is a single file; {EXPECTED} is expected. Choose the folder that holds the images.")


def _read_tree(tree: SourceTree, config: ImportConfig) -> Reading:
    if config.layout == "csv" or config.csv:
        return with_folders(read_csv(tree, config), config)
    index, notes = _stylegan_index(tree)
    if index and not config.folders and config.layout in ("auto", "zip"):
        return read_stylegan(tree, config, index)
    seen = look_at_folders(tree, config)
    if config.folders or config.layout == "folder":
        fits = csv_fits(tree, seen.images, seen.classes)
        return with_csv(read_folder(tree, config, seen), tree, fits, config)
    reading = _by_folders_or_csv(tree, config, seen)
    return replace(reading, notes=[*notes, *reading.notes])


def _by_folders_or_csv(tree: SourceTree, config: ImportConfig, seen: Folders) -> Reading:
    """The folders where they are clear and no CSV says otherwise, a CSV where folders are no classes, else a question.

    The names of the folders are weighed in `layouts`.
    """
    fits = csv_fits(tree, seen.images, seen.classes)
    full = [fit for fit in fits if fit.share >= NEARLY_ALL]
    clear = not seen.layout.doubt and len(set(seen.classes.values())) > 1
    if clear:
        rivals = [fit for fit in full if fit.others and not any(other.agrees for other in full)]
        if rivals:
            raise _question(tree, seen, rivals)
        reading = read_folder(tree, config, seen, [fit.name for fit in fits])
        reading = replace(reading, notes=[*reading.notes, *map(_mention, fits)])
        return with_csv(reading, tree, fits, config)
    if not seen.layout.could_be_classes:
        useful = full or [fit for fit in fits if fit.share >= MOST] or fits
        if len(full) == 1 and all(fit.share < MOST for fit in fits if fit is not full[0]):
            reading = with_folders(read_csv(tree, config.model_copy(update={"csv": full[0].name})), config)
            others = [f"The CSV {fit.text} only and was not used." for fit in fits if fit is not full[0]]
            return replace(reading, notes=[*reading.notes, *others])
        if useful:
            return with_folders(read_csv(tree, config), config)
        if seen.classes and (by_folder := names_folders(tree, set(seen.classes.values()))):
            told = f"The CSV {by_folder} names these folders; with a row for each image it would be used."
            seen = replace(seen, layout=replace(seen.layout, doubt=f"{seen.layout.doubt} {told}".strip()))
        if csv_names(tree) and not seen.layout.options:
            return read_csv(tree, config)  # says what is wrong with it
        if sheets := [name for name in tree.names if name.lower().endswith(SHEET_ENDINGS)]:
            if not seen.layout.options:
                raise not_a_csv(f"{tree.path}/{sheets[0]}")
            told = f"{sheets[0]} is a file of a spreadsheet program; saved as CSV it would be looked at."
            seen = replace(seen, layout=replace(seen.layout, doubt=f"{seen.layout.doubt} {told}".strip()))
    if full:
        raise _question(tree, seen, full)
    return read_folder(tree, config, seen)


def _question(tree: SourceTree, seen: Folders, fits: list[Fit]) -> Question:
    """The labels of a CSV, of one of several, or the folders."""
    layout = seen.layout
    if layout.doubt:
        found = layout.doubt
    elif len(set(seen.classes.values())) > 1:
        found = f"{tree.path} has folders that may be the classes, and a CSV that may say otherwise of the same images."
    else:
        found = f"{tree.path} holds {len(fits)} CSV files that name its images ({', '.join(fit.name for fit in fits)})."
    by_folder = layout.options or ([layout.option()] if seen.labelled else [])
    return Question(found, [*by_folder, *(fit.option for fit in fits)])


def _mention(fit: Fit) -> str:
    what = "agrees with the folders" if fit.agrees else "was not used for the classes, as these are the folders"
    return f"The CSV {fit.text} and {what}."


def _stylegan_index(tree: SourceTree) -> tuple[str, list[str]]:
    """The `dataset.json` nearest to the root that is StyleGAN's, '' if there is none, and notes on others."""
    names = [name for name in tree.names if PurePosixPath(name).name == "dataset.json"]
    name = min(names, key=lambda name: len(PurePosixPath(name).parts), default="")
    if not name or is_stylegan_index(tree, name):
        return name, []
    return "", [f"{name} is not the index of a StyleGAN data set and was not used."]
