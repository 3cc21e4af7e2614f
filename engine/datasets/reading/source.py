"""From the source that a config names to its items: looks which layout it has, unless the config says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from engine.configs import ImportConfig
from engine.datasets.phantom import phantom
from engine.datasets.reading.csv_files import TABLE_ENDINGS, csv_names
from engine.datasets.reading.csv_text import SHEET_ENDINGS
from engine.datasets.reading.folder import labels_by_folder, pictures_below, read_folder, read_stylegan
from engine.datasets.reading.items import Item, Reading
from engine.datasets.reading.npz import PREFIX, fetch, read_npz
from engine.datasets.reading.pictures import ArrayPicture
from engine.datasets.reading.table import read_csv
from engine.datasets.reading.tree import FolderTree, Tree, ZipTree
from engine.store.errors import ErsatzError
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
    path = Path(config.source).expanduser()
    if not path.exists():
        raise ErsatzError(f"There is no {path}; {EXPECTED} is expected. Correct the path.")
    suffix = path.suffix.lower()
    if config.layout == "npz" or (config.layout == "auto" and suffix == ".npz"):
        yield read_npz(path, config)
        return
    tree, config = _tree(path, config)
    try:
        yield _read_tree(tree, config)
    finally:
        tree.close()


def read_phantom(seed: int) -> Reading:
    """The embedded demo set."""
    items = [
        Item(
            source=item.name,
            label=item.class_name,
            picture=ArrayPicture(item.pixels),
            group=item.group,
            meta={f"meta_{name}": str(value) for name, value in item.metadata.items()},
        )
        for item in phantom(seed)
    ]
    return Reading(layout="phantom", items=items)


def _tree(path: Path, config: ImportConfig) -> tuple[Tree, ImportConfig]:
    """The files of a folder or ZIP; a CSV as source stands for its folder."""
    if path.is_dir():
        return FolderTree(path), config
    if path.suffix.lower() == ".zip" or config.layout == "zip":
        return ZipTree(path), config
    if path.suffix.lower() in (*TABLE_ENDINGS, *SHEET_ENDINGS):
        return FolderTree(path.parent), config.model_copy(update={"csv": str(path), "layout": "csv"})
    raise ErsatzError(f"{path} is a single file; {EXPECTED} is expected. Choose the folder that holds the images.")


def _read_tree(tree: Tree, config: ImportConfig) -> Reading:
    if config.layout == "csv" or config.csv:
        return read_csv(tree, config)
    index = _stylegan_index(tree)
    if index and config.layout in ("auto", "zip"):
        return read_stylegan(tree, config, index)
    if config.layout == "folder":
        return read_folder(tree, config)
    by_folder, _ = labels_by_folder(pictures_below(tree.names, bare=config.layout == "dicom"))
    classes = {label for _, label in by_folder.values()}
    if len(classes) < 2 and csv_names(tree):
        return read_csv(tree, config)
    if not by_folder and config.layout == "auto" and not pictures_below(tree.names):
        # DICOM files often have no ending; whatever has none is then tried.
        return read_folder(tree, config.model_copy(update={"layout": "dicom"}))
    return read_folder(tree, config)


def _stylegan_index(tree: Tree) -> str:
    """The `dataset.json` nearest to the root, '' if there is none."""
    names = [name for name in tree.names if PurePosixPath(name).name == "dataset.json"]
    return min(names, key=lambda name: len(PurePosixPath(name).parts), default="")
