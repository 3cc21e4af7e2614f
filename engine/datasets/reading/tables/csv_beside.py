"""What a CSV adds to images whose folders are the classes, their patients and splits; and folders to those of a CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from engine.configs import ImportConfig
from engine.datasets.reading.folders.layouts import weigh
from engine.datasets.reading.folders.level_names import split_of
from engine.datasets.reading.items import Reading
from engine.datasets.reading.labels import one_spelling
from engine.datasets.reading.tables.csv_columns import guess_group, guess_split, is_unknown, named_column
from engine.datasets.reading.tables.csv_files import cells_of
from engine.datasets.reading.tables.csv_fit import Fit
from engine.datasets.reading.tables.picture_names import PictureNames
from engine.datasets.reading.tree import Tree
from engine.store.errors import ErsatzError


def with_csv(reading: Reading, tree: Tree, fits: Sequence[Fit], config: ImportConfig) -> Reading:
    """`reading` with the patients of the first CSV that has a column of them, and the splits of the first that has
    one for each image, unless the folders name some themselves (patients: by the setting).

    Raises `ErsatzError` when a column that the config names is in none of the CSVs.
    """
    for setting, column in (("group_column", config.group_column), ("split_column", config.split_column)):
        if column not in ("", "-") and not fits:
            raise ErsatzError(
                f"{tree.path} holds no CSV that names its images, so none has the column {column!r} ({setting}). "
                "Put the CSV beside the images, or leave that setting empty."
            )
    index = PictureNames([item.source for item in reading.items])
    groups = any(item.group and not item.group_guessed for item in reading.items)
    splits = any(item.split for item in reading.items)
    for fit in fits:
        table = _by_image(cells_of(tree, fit.name, index), index)
        if not groups and (column := _group_column(table, fit, config, last=fit is fits[-1])):
            reading, groups = _with_groups(reading, table[column], fit), True
        if not splits and (column := _split_column(table, fit, config, last=fit is fits[-1])):
            found = {image: split_of(value) for image, value in table[column].items()}
            if all(found.get(item.source) for item in reading.items):
                items = [replace(item, split=found[item.source]) for item in reading.items]
                note = f"The column {column!r} of {fit.name} is taken for the split (split_column - ignores it)."
                reading, splits = replace(reading, items=items, notes=[*reading.notes, note]), True
    return reading


def with_folders(reading: Reading, config: ImportConfig) -> Reading:
    """`reading` of a CSV that names no patients, with folders named like patients as such, unless the config says."""
    if config.group_column or any(item.group for item in reading.items):
        return reading
    layout = weigh([item.source for item in reading.items], reading.layout)
    if layout.patients is None:
        return reading
    groups = {name: parts[layout.patients] for name, parts in layout.folders.items() if len(parts) > layout.patients}
    items = [replace(item, group=groups.get(item.source, ""), group_guessed=True) for item in reading.items]
    names = list(dict.fromkeys(groups.values()))
    note = (
        f"{len(names)} folders are taken for patients ({', '.join(names[:3])}, ...), as the CSV names none "
        "(group_column - ignores them)."
    )
    return replace(reading, items=items, notes=[*reading.notes, note])


def _by_image(table: pd.DataFrame, index: PictureNames) -> pd.DataFrame:
    """The rows that name one image, in the column that names the most, each under it; the first row of each."""
    fits = {name: index.fit(list(table[name])) for name in table.columns}
    best = max(fits, key=lambda name: fits[name])
    files = [index.find(value) for value in table[best]]
    table = table.loc[[len(found) == 1 for found in files]]
    table = table.set_axis([found[0] for found in files if len(found) == 1]).drop(columns=best)
    return table.loc[~table.index.duplicated()]


def _group_column(table: pd.DataFrame, fit: Fit, config: ImportConfig, last: bool) -> str:
    if config.group_column == "-":
        return ""
    if config.group_column:
        return named_column(table, config.group_column, "group_column", fit.name, must=last)
    return guess_group(table, list(table.columns), labelled=True)[0]


def _split_column(table: pd.DataFrame, fit: Fit, config: ImportConfig, last: bool) -> str:
    if config.split_column == "-":
        return ""
    if config.split_column:
        return named_column(table, config.split_column, "split_column", fit.name, must=last)
    return guess_split(table, list(table.columns), labelled=True)[0]


def _with_groups(reading: Reading, values: pd.Series, fit: Fit) -> Reading:
    known = {str(image): value for image, value in values.items() if not is_unknown(value)}
    names, _ = one_spelling(list(known.values()))
    items = [
        replace(item, group=names[known[item.source]], group_guessed=False) if item.source in known else item
        for item in reading.items
    ]
    rest = len(items) - sum(item.source in known for item in items)
    told = f"; {rest} of {len(items)} images have none there" if rest else ""
    note = (
        f"The column {values.name!r} of {fit.name} is taken for the patient: {len(set(names.values()))} different "
        f"values{told} (group_column - ignores it)."
    )
    return replace(reading, items=items, notes=[*reading.notes, note])
