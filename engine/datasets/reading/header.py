"""The header of a source's CSV, so that nobody has to type the names of its columns.

It is read on its own, so that it is known as well where the source as a whole is not understood yet: where the column
of the classes is unclear, or one was named that is not there.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from engine.configs import ImportConfig
from engine.datasets.reading.folders.class_folders import pictures_below
from engine.datasets.reading.source import open_tree
from engine.datasets.reading.tables.csv_columns import (
    Columns,
    columns_of,
    guess_group,
    guess_split,
    image_column,
)
from engine.datasets.reading.tables.csv_files import Table, all_csv_names, cells_of, load
from engine.datasets.reading.tables.npz import PREFIX
from engine.datasets.reading.tables.picture_names import PictureNames
from engine.datasets.reading.tree import Tree
from engine.store.errors import ErsatzError
from engine.store.named_paths import is_there, named_path

SETTINGS = ("image_column", "label_column", "group_column", "split_column")
"""Settings of an import that name a column."""
EXAMPLES = 3
"""Different values of each column that are kept."""
MOST = 400
"""A table of more columns than this is one of pixels."""


@dataclass(frozen=True)
class Header:
    """The columns of a CSV, and what an import would take each for if nobody says."""

    table: str
    """Name of the CSV, or of the first of several that are read as one."""
    tables: tuple[str, ...]
    """All CSVs of the source."""
    columns: dict[str, tuple[str, ...]]
    """Name of each column -> its first different values."""
    guesses: dict[str, str]
    """Setting -> column; '' where no column was found, or several could be meant."""
    one_hot: tuple[str, ...] = ()
    """Columns of 0 and 1 that are the classes, where no single column is."""


def header_of(config: ImportConfig) -> Header | None:
    """The header of the CSV that an import would read, or that lies beside folders; None where there is none.

    Raises `ErsatzError` for a source that cannot be opened.
    """
    if config.layout in ("phantom", "npz", "dicom") or config.source.lower().startswith(PREFIX):
        return None
    path = named_path(config.source)
    if not is_there(path) or path.suffix.lower() == ".npz":
        return None
    tree, config = open_tree(path, config)
    try:
        tables = tuple(all_csv_names(tree))
        if not tables and not config.csv:
            return None
        index = PictureNames(pictures_below(tree.names, bare=True))
        table = _table(tree, config, tables, index)
        if table is None or table.cells.empty or len(table.cells.columns) > MOST:
            return None
        guesses, one_hot = _guesses(table, config, index)
        columns = {str(name): tuple(table.cells[name].unique()[:EXAMPLES]) for name in table.cells}
        return Header(table.what.removeprefix(f"{tree.path}/"), tables, columns, guesses, one_hot)
    finally:
        tree.close()


def _table(tree: Tree, config: ImportConfig, names: tuple[str, ...], index: PictureNames) -> Table | None:
    """The table that an import reads; where that is unclear, the one that names the most images."""
    try:
        return load(tree, config, index)
    except ErsatzError:
        cells = {name: cells_of(tree, name, index) for name in names}
    fits = {
        name: max(index.fit(list(table[column])) for column in table) for name, table in cells.items() if len(table)
    }
    best = max(fits, key=lambda name: fits[name], default="")
    return Table(best, cells[best], list(cells[best].columns)) if best and fits[best] else None


def _guesses(table: Table, config: ImportConfig, index: PictureNames) -> tuple[dict[str, str], tuple[str, ...]]:
    """What each setting would be, were none of them named."""
    unnamed = config.model_copy(update=dict.fromkeys(SETTINGS, ""))
    try:
        found = columns_of(table.cells, unnamed, index, "", table.own)
    except ErsatzError:  # the classes, or the images, are not clear: that is asked
        found = _without_classes(table.cells, unnamed, index)
    guessed = (found.image, found.label, found.group, found.split)
    return dict(zip(SETTINGS, guessed, strict=True)), tuple(found.one_hot)


def _without_classes(cells: pd.DataFrame, config: ImportConfig, index: PictureNames) -> Columns:
    try:
        image = image_column(cells, config, index, "")
    except ErsatzError:
        image = ""
    free = [str(name) for name in cells if name != image]
    split = guess_split(cells, free, labelled=True)[0]
    group = guess_group(cells, [name for name in free if name != split], labelled=True)[0]
    return Columns(image, "", group, split)
