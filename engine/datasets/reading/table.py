"""A CSV with a label for each image of a folder or ZIP."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from engine.configs import ImportConfig
from engine.datasets.reading.csv_columns import Columns, columns_of, is_unknown, split_of
from engine.datasets.reading.csv_header import with_columns
from engine.datasets.reading.csv_text import SHEET_ENDINGS, decoded, not_a_csv, parsed
from engine.datasets.reading.folder import left_out, pictures_below
from engine.datasets.reading.items import BadPicture, Item, Reading
from engine.datasets.reading.labels import is_missing, one_spelling, read_labels
from engine.datasets.reading.picture_names import PictureNames
from engine.datasets.reading.pictures import FilePicture
from engine.datasets.reading.questions import Option, Question
from engine.datasets.reading.tree import Tree
from engine.store.errors import ErsatzError

TABLE_ENDINGS = (".csv", ".tsv")
GLANCE = 2**16
"""Bytes of each of several CSVs that are read to see which one names the images."""


def csv_names(tree: Tree) -> list[str]:
    """The CSVs of a tree, those nearest to its root only."""
    names = [name for name in tree.names if PurePosixPath(name).suffix.lower() in TABLE_ENDINGS]
    depth = min((len(PurePosixPath(name).parts) for name in names), default=0)
    return [name for name in names if len(PurePosixPath(name).parts) == depth]


def read_csv(tree: Tree, config: ImportConfig) -> Reading:
    """Items named by the rows of a CSV; every row must have its image and a label."""
    index = PictureNames(pictures_below(tree.names, bare=True))
    what, content, notes = _content(tree, config, index)
    sheet = parsed(decoded(content, what, config.csv_encoding), what, index.fit)
    table, told = with_columns(sheet, config.csv_header, index, what)
    columns = columns_of(table, config, index, what)
    labels, said = _labels(table, columns, what, config)
    notes += [*told, *columns.notes, *said]
    splits = _splits(table[columns.split], columns.split, what) if columns.split else [""] * len(table)
    groups = _groups(table[columns.group], columns, what) if columns.group else [""] * len(table)
    rows = pd.DataFrame({"label": labels, "split": splits, "group": groups}, table.index)
    rows["name"] = _images(table[columns.image], rows["label"] != "", index, what, config.skip_unreadable, notes)
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


def names_images(tree: Tree, name: str, index: PictureNames | None = None) -> bool:
    """Whether a CSV names images of its tree: a file in at least half of its first rows."""
    index = index or PictureNames(pictures_below(tree.names, bare=True))
    try:
        with tree.open(name) as file:
            content = file.read(GLANCE + 1)
        if len(content) > GLANCE:
            content = content[: content.rfind(b"\n", 0, GLANCE) + 1]
        try:
            text = decoded(content, name)
        except Question:  # the names of files are hardly what is unclear
            text = content.decode("latin-1")
        rows = parsed(text, name, index.fit).rows[1:]
    except (BadPicture, ErsatzError):
        return False
    width = max(map(len, rows), default=0)
    return any(index.fit([row[n] for row in rows if n < len(row)]) >= 0.15 for n in range(width))


def _content(tree: Tree, config: ImportConfig, index: PictureNames) -> tuple[str, bytes, list[str]]:
    """The name of the CSV for messages, its bytes, and notes on others."""
    if config.csv.lower().endswith(SHEET_ENDINGS):
        raise not_a_csv(config.csv)
    if config.csv and Path(config.csv).expanduser().is_file():
        return config.csv, Path(config.csv).expanduser().read_bytes(), []
    name, notes = _choose(tree, config.csv, index)
    what = f"{tree.path}/{name}"
    try:
        with tree.open(name) as file:
            return what, file.read(), notes
    except BadPicture as error:
        raise ErsatzError(f"{what} {error}; a readable CSV is expected. Mend or replace it.") from error


def _choose(tree: Tree, wanted: str, index: PictureNames) -> tuple[str, list[str]]:
    if wanted:
        matches = [name for name in tree.names if name == wanted] or [
            name for name in tree.names if PurePosixPath(name).name == Path(wanted).name
        ]
        if len(matches) != 1:
            raise ErsatzError(
                f"The CSV {wanted} is not there; a file on this machine or inside {tree.path} is expected. "
                "Correct its path."
            )
        return matches[0], []
    names = csv_names(tree)
    if len(names) == 1:
        return names[0], []
    fitting = [name for name in names if names_images(tree, name, index)]
    if len(fitting) == 1:
        others = [name for name in names if name != fitting[0]]
        return fitting[0], [
            f"{fitting[0]} names the images; {len(others)} other CSV files were left out ({', '.join(others[:3])}"
            f"{', ...' if len(others) > 3 else ''})."
        ]
    if names:
        raise Question(
            f"{tree.path} holds {len(names)} CSV files ({', '.join(names[:4])}{', ...' if len(names) > 4 else ''}), "
            f"of which {len(fitting) or 'none'} name its images; one with the labels is expected.",
            [Option({"csv": name}, "the labels are in it") for name in (fitting or names)[:8]],
        )
    sheets = [name for name in tree.names if name.lower().endswith(SHEET_ENDINGS)]
    if sheets:
        raise not_a_csv(f"{tree.path}/{sheets[0]}")
    raise ErsatzError(f"{tree.path} holds no CSV file; one with the labels is expected. Name it in the setting csv.")


def _labels(table: pd.DataFrame, columns: Columns, what: str, config: ImportConfig) -> tuple[list[str], list[str]]:
    if columns.one_hot:
        ones = table[columns.one_hot].apply(lambda cells: cells.str.startswith("1"))
        return list(ones.idxmax(axis=1)), []
    places = [f"line {line}" for line in table.index]
    return read_labels(list(table[columns.label]), places, what, f"column {columns.label!r}", config)


def _further(table: pd.DataFrame, columns: Columns, config: ImportConfig) -> list[str]:
    """The columns that are kept as metadata; one that was only guessed may be so too, where the config names it."""
    asked = {name.strip().lower() for name in config.metadata_columns}
    guessed = {columns.group} if not config.group_column else set()
    guessed |= {columns.split} if not config.split_column else set()
    taken = {columns.image, columns.label, columns.group, columns.split, *columns.one_hot}
    taken -= {name for name in guessed if name.lower() in asked}
    return [str(name) for name in table if name not in taken]


def _images(
    values: pd.Series, wanted: pd.Series, index: PictureNames, what: str, skip: bool, notes: list[str]
) -> list[str]:
    """The file that each row names, '' where it is not there and may be left out or is not `wanted` anyway."""
    found = [index.find(value) for value in values]
    rows = list(zip(values, found, wanted, values.index, strict=True))
    missing = [(value, line) for value, names, needed, line in rows if needed and not names]
    if missing:
        told = f"{len(missing)} images that are not there (such as {', '.join(repr(v) for v, _ in missing[:3])})"
        if not skip or len(missing) == sum(wanted):
            raise ErsatzError(
                f"{what} names {told}, first in line {missing[0][1]}; an image for each of its {len(values)} rows is "
                "expected. Add the files, remove the rows, or leave these rows out with skip_unreadable."
            )
        notes.append(f"The CSV names {told}; these rows were left out, as skip_unreadable asks.")
    for value, names, needed, line in rows:
        if needed and len(names) > 1:
            raise ErsatzError(
                f"{what}: {value!r} fits {len(names)} files ({', '.join(names[:3])}; line {line}); exactly one is "
                "expected. Write the path of each image into the CSV."
            )
    return [names[0] if len(names) == 1 else "" for names in found]


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
            f"{what} names {int(odd.sum())} images more than once (such as {first}, in lines "
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
            f"{what} has {int(unknown.sum())} rows without a value in column {columns.group!r} (first: line "
            f"{values.index[unknown.to_numpy()][0]}); a group is expected in each. Fill or remove these rows."
        )
    known = [value for value, blank in zip(values, unknown, strict=True) if not blank]
    names, _ = one_spelling(known)
    return ["" if blank else names[value] for value, blank in zip(values, unknown, strict=True)]


def _splits(values: pd.Series, column: str, what: str) -> Sequence[str]:
    unknown = [(value, line) for value, line in zip(values, values.index, strict=True) if not split_of(value)]
    if unknown:
        raise ErsatzError(
            f"{what} has the split {unknown[0][0]!r} in column {column!r} (line {unknown[0][1]}); train, valid or test "
            "are expected. Correct it."
        )
    return [split_of(value) for value in values]
