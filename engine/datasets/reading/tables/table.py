"""A CSV with a label for each image of a folder or ZIP."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from engine.configs import ImportConfig
from engine.datasets.reading.folders.class_folders import left_out, pictures_below
from engine.datasets.reading.folders.level_names import split_of
from engine.datasets.reading.items import Item, Reading
from engine.datasets.reading.labels import is_missing, one_spelling, read_labels
from engine.datasets.reading.pictures.files import FilePicture
from engine.datasets.reading.tables.csv_columns import Columns, columns_of, is_one, is_unknown
from engine.datasets.reading.tables.csv_files import load
from engine.datasets.reading.tables.picture_names import PictureNames
from engine.datasets.reading.tree import Tree
from engine.store.errors import ErsatzError


def read_csv(tree: Tree, config: ImportConfig) -> Reading:
    """Items named by the rows of a CSV; every row must have its image and a label."""
    index = PictureNames(pictures_below(tree.names, bare=True))
    loaded = load(tree, config, index)
    what, table = loaded.what, loaded.cells
    columns = columns_of(table, config, index, what, loaded.own)
    labels, said = _labels(table, columns, what, config)
    notes = [*loaded.notes, *columns.notes, *said]
    splits = _splits(table[columns.split], columns.split, what) if columns.split else [""] * len(table)
    groups = _groups(table[columns.group], columns, what) if columns.group else [""] * len(table)
    rows = pd.DataFrame({"label": labels, "split": splits, "group": groups}, table.index)
    rows["name"], missing = _images(table, columns.image, rows, index, what, config.skip_unreadable)
    notes += missing
    rows = rows[(rows["label"] != "") & (rows["name"] != "")]
    rows = _once_each(rows, what, notes)
    more = table.loc[rows.index, _further(table, columns, config)].add_prefix("meta_")
    meta = more.to_dict("records") if len(more.columns) else [{}] * len(rows)
    unnamed = set(pictures_below(tree.names)) - {file for value in table[columns.image] for file in index.find(value)}
    return Reading(
        layout=f"CSV (images by {columns.image!r}, classes by "
        + (f"{columns.label!r})" if columns.label else f"{len(columns.one_hot)} columns)"),
        items=[
            Item(
                name, label, FilePicture(tree, name, config.window), split, group, {str(k): v for k, v in cells.items()}
            )
            for name, label, split, group, cells in zip(
                rows["name"], rows["label"], rows["split"], rows["group"], meta, strict=True
            )
        ],
        closed_labels=True,
        notes=[*notes, *left_out(sorted(unnamed), "are not in the CSV")],
        offers=columns.offers,
    )


def _labels(table: pd.DataFrame, columns: Columns, what: str, config: ImportConfig) -> tuple[list[str], list[str]]:
    if columns.one_hot:
        ones = table[columns.one_hot].apply(lambda cells: cells.map(is_one))
        return list(ones.idxmax(axis=1).where(ones.any(axis=1), "")), []
    return read_labels(list(table[columns.label]), list(table.index), what, f"column {columns.label!r}", config)


def _further(table: pd.DataFrame, columns: Columns, config: ImportConfig) -> list[str]:
    """The columns that are kept as metadata; one that was only guessed may be so too, where the config names it."""
    asked = {name.strip().lower() for name in config.metadata_columns}
    guessed = {columns.group} if not config.group_column else set()
    guessed |= {columns.split} if not config.split_column else set()
    taken = {columns.image, columns.label, columns.group, columns.split, *columns.one_hot}
    taken -= {name for name in guessed if name.lower() in asked}
    return [str(name) for name in table if name not in taken]


def _images(
    table: pd.DataFrame, column: str, rows: pd.DataFrame, index: PictureNames, what: str, skip: bool
) -> tuple[list[str], list[str]]:
    """The file that each row names, '' where the row is not used, and a note on images that are not there."""
    wanted = list(rows["label"] != "")
    found = [
        _told_apart(index.find(value), (split, label)) if needed else []
        for value, needed, split, label in zip(table[column], wanted, rows["split"], rows["label"], strict=True)
    ]
    cells = list(zip(table[column], found, wanted, table.index, strict=True))
    missing = [(value, place) for value, names, needed, place in cells if needed and not names]
    told = f"{len(missing)} images that are not there (such as {', '.join(repr(value) for value, _ in missing[:3])})"
    if missing and (not skip or len(missing) == sum(wanted)):
        raise ErsatzError(
            f"{what} names {told}, first in {missing[0][1]}; an image for each of its {len(table)} rows is expected. "
            "Add the files, remove the rows, or leave these rows out with skip_unreadable."
        )
    for value, names, _, place in cells:
        if len(names) > 1:
            raise ErsatzError(
                f"{what}: {value!r} fits {len(names)} files ({', '.join(names[:3])}; {place}); exactly one is "
                "expected. Write the path of each image into the CSV."
            )
    note = [f"The CSV names {told}; these rows were left out, as skip_unreadable asks."] if missing else []
    return ["".join(names) for names in found], note


def _told_apart(files: list[str], words: Sequence[str]) -> list[str]:
    """Of several files with one name those in a folder of the row's split, and of its class, where that leaves any."""
    for word in words:
        if len(files) > 1 and word:
            inside = [
                file
                for file in files
                if any(word.casefold() in (part.casefold(), split_of(part)) for part in file.split("/")[:-1])
            ]
            files = inside or files
    return files


def _once_each(rows: pd.DataFrame, what: str, notes: list[str]) -> pd.DataFrame:
    """One row for each image: rows that say the same of it, such as one for each of its boxes, are one."""
    again = rows["name"].duplicated()
    if not again.any():
        return rows
    odd = rows.groupby("name", sort=False).nunique().gt(1).any(axis=1)
    if odd.any():
        first = odd.index[odd][0]
        told = rows[rows["name"] == first]
        raise ErsatzError(
            f"{what} names {int(odd.sum())} images more than once (such as {first}, in "
            f"{', '.join(map(str, told.index[:4]))} with {' and '.join(map(repr, told['label'].unique()[:3]))}); one "
            "row per image is expected, or several that say the same of it. Remove the duplicate rows."
        )
    notes.append(
        f"{int(again.sum())} rows of the CSV name an image again with the same class; each image is taken once."
    )
    return rows[~again]


def _groups(values: pd.Series, columns: Columns, what: str) -> list[str]:
    """The group of each row, '' where it has none of its own."""
    unknown = values.map(is_missing if columns.group_named else is_unknown)
    if columns.group_named and unknown.any():
        raise ErsatzError(
            f"{what} has {int(unknown.sum())} rows without a value in column {columns.group!r} (first: "
            f"{values.index[unknown.to_numpy()][0]}); a group is expected in each. Fill or remove these rows."
        )
    known = [value for value, blank in zip(values, unknown, strict=True) if not blank]
    names, _ = one_spelling(known)
    return ["" if blank else names[value] for value, blank in zip(values, unknown, strict=True)]


def _splits(values: pd.Series, column: str, what: str) -> Sequence[str]:
    unknown = [(value, line) for value, line in zip(values, values.index, strict=True) if not split_of(value)]
    if unknown:
        raise ErsatzError(
            f"{what} has the split {unknown[0][0]!r} in column {column!r} ({unknown[0][1]}); train, valid or test "
            "are expected. Correct it."
        )
    return [split_of(value) for value in values]
