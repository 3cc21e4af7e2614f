"""A CSV with a label for each image of a folder or ZIP."""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from pathlib import Path, PurePosixPath

import pandas as pd

from engine.configs import ImportConfig
from engine.datasets.reading.folder import SPLIT_NAMES, left_out, pictures_below
from engine.datasets.reading.items import BadPicture, Item, Reading
from engine.datasets.reading.pictures import FilePicture, stem
from engine.datasets.reading.tree import Tree
from engine.store.errors import ErsatzError

LABEL_COLUMNS = ("label", "class", "target", "diagnosis", "dx", "category", "labels", "class_name", "finding", "y")
BLANK = frozenset({"", "nan", "na", "n/a"})


def csv_names(tree: Tree) -> list[str]:
    """The CSVs of a tree, those nearest to its root only."""
    names = [name for name in tree.names if PurePosixPath(name).suffix.lower() in (".csv", ".tsv")]
    depth = min((len(PurePosixPath(name).parts) for name in names), default=0)
    return [name for name in names if len(PurePosixPath(name).parts) == depth]


def read_csv(tree: Tree, config: ImportConfig) -> Reading:
    """Items named by the rows of a CSV; every row must have its image and a label."""
    what, table = _load(tree, config)
    pictures = pictures_below(tree.names, bare=True)
    index = _Index(pictures)
    image_column = _column(table, config.image_column, "image_column", what) or _guess_images(table, index, what)
    group_column = _column(table, config.group_column, "group_column", what)
    split_column = _column(table, config.split_column, "split_column", what)
    label_column = _column(table, config.label_column, "label_column", what) or _guess_labels(
        table, {image_column, group_column, split_column}, what
    )
    names = _images(table[image_column], index, what)
    labels = table[label_column]
    _no_blank(labels, label_column, what, "a label")
    splits = _splits(table[split_column], split_column, what) if split_column else [""] * len(table)
    groups = list(table[group_column]) if group_column else [""] * len(table)
    if group_column:
        _no_blank(table[group_column], group_column, what, "a group")
    others = [name for name in table if name not in (image_column, label_column, group_column, split_column)]
    meta = table[others].add_prefix("meta_").to_dict("records") if others else [{}] * len(table)
    return Reading(
        layout=f"CSV (images by {image_column!r}, classes by {label_column!r})",
        items=[
            Item(
                name, label, FilePicture(tree, name, config.window), split, group, {str(k): v for k, v in more.items()}
            )
            for name, label, split, group, more in zip(names, labels, splits, groups, meta, strict=True)
        ],
        closed_labels=True,
        notes=left_out(sorted(set(pictures_below(tree.names)) - set(names)), "are not in the CSV"),
    )


class _Index:
    """Files by the ways in which a CSV may name them: path, name, name without ending, number without zeros."""

    def __init__(self, names: list[str]):
        self._by: list[defaultdict[str, list[str]]] = [defaultdict(list) for _ in range(4)]
        for name in names:
            path = PurePosixPath(name)
            bare = stem(name)
            for found, key in zip(self._by, (name, path.name, bare, _number(bare)), strict=True):
                if key:
                    found[key].append(name)

    def find(self, value: str) -> list[str]:
        """The files meant by `value`: one, none, or several when it is ambiguous."""
        path = PurePosixPath(value.replace("\\", "/"))
        for found, key in zip(self._by, (path.as_posix(), path.name, path.name, _number(value)), strict=True):
            if key in found:
                return found[key]
        return []


def _number(text: str) -> str:
    """`007` and `7.0` -> `7`; '' if it is no whole number."""
    match = re.fullmatch(r"(\d+)(\.0+)?", text)
    return str(int(match[1])) if match else ""


def _load(tree: Tree, config: ImportConfig) -> tuple[str, pd.DataFrame]:
    """The name of the CSV for messages, and its cells as text without spaces around them."""
    if config.csv and Path(config.csv).expanduser().is_file():
        what, content = config.csv, Path(config.csv).expanduser().read_bytes()
    else:
        name = _choose(tree, config.csv)
        what = f"{tree.path}/{name}"
        try:
            with tree.open(name) as file:
                content = file.read()
        except BadPicture as error:
            raise ErsatzError(f"{what} {error}; a readable CSV is expected. Mend or replace it.") from error
    try:
        text = content.decode("utf-8-sig")
        dialect = csv.Sniffer().sniff(text.partition("\n")[0], delimiters=",;\t|") if text.strip() else csv.excel
        table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, sep=dialect.delimiter)
    except UnicodeDecodeError as error:
        raise ErsatzError(f"{what} is not UTF-8 text ({error}); save it as CSV in UTF-8 and try again.") from error
    except (csv.Error, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ErsatzError(
            f"{what} cannot be read as a CSV ({str(error).strip()}); a header and one row per image, separated by "
            "commas, semicolons or tabs, are expected. Correct it."
        ) from error
    table.columns = [str(name).strip() for name in table.columns]
    if table.empty:
        raise ErsatzError(f"{what} has no rows; one row per image is expected. Fill it or choose another CSV.")
    if not table.columns.is_unique:
        twice = table.columns[table.columns.duplicated()][0]
        raise ErsatzError(f"{what} has the column {twice!r} twice; columns that differ are expected. Rename one.")
    return what, table.fillna("").apply(lambda cells: cells.str.strip())


def _choose(tree: Tree, wanted: str) -> str:
    if wanted:
        matches = [name for name in tree.names if name == wanted or PurePosixPath(name).name == Path(wanted).name]
        if len(matches) != 1:
            raise ErsatzError(
                f"The CSV {wanted} is not there; a file on this machine or inside {tree.path} is expected. "
                "Correct its path."
            )
        return matches[0]
    names = csv_names(tree)
    if len(names) != 1:
        found = f"holds {len(names)} CSV files ({', '.join(names[:4])})" if names else "holds no CSV file"
        raise ErsatzError(f"{tree.path} {found}; one with the labels is expected. Name it in the setting csv.")
    return names[0]


def _column(table: pd.DataFrame, wanted: str, setting: str, what: str) -> str:
    """The column named in a setting, capitals and spaces around it forgiven; '' if the setting is empty."""
    if not wanted:
        return ""
    matches = [name for name in table.columns if name == wanted.strip()] or [
        name for name in table.columns if name.lower() == wanted.strip().lower()
    ]
    if len(matches) != 1:
        raise ErsatzError(
            f"{what} has no column {wanted!r} ({setting}); it has {', '.join(map(repr, table.columns))}. "
            "Choose one of these."
        )
    return matches[0]


def _guess_images(table: pd.DataFrame, index: _Index, what: str) -> str:
    """The column that names the most different files (a column of labels 0 and 1 may also read as two file numbers)."""
    counts = {name: len({tuple(index.find(value)) for value in table[name]} - {()}) for name in table.columns}
    best = max(counts, key=lambda name: counts[name])
    if not counts[best]:
        raise ErsatzError(
            f"{what}: no column names the images beside it (columns {', '.join(map(repr, table.columns))}); file names "
            "or ids are expected in one of them. Choose the folder that holds the images, or correct the CSV."
        )
    return best


def _guess_labels(table: pd.DataFrame, taken: set[str], what: str) -> str:
    free = [name for name in table.columns if name not in taken]
    known = [name for wanted in LABEL_COLUMNS for name in free if name.lower() == wanted]
    if known:
        return known[0]
    if len(free) == 1:
        return free[0]
    raise ErsatzError(
        f"{what}: it is not clear which column holds the class (found {', '.join(map(repr, free)) or 'no other'}); "
        "one is expected. Name it in the setting label_column."
    )


def _images(values: pd.Series, index: _Index, what: str) -> list[str]:
    found = [index.find(value) for value in values]
    missing = [value for value, names in zip(values, found, strict=True) if not names]
    if missing:
        raise ErsatzError(
            f"{what} names {len(missing)} images that are not there (such as {', '.join(map(repr, missing[:3]))}); "
            f"an image for each of its {len(values)} rows is expected. Add the files or remove the rows."
        )
    for value, names in zip(values, found, strict=True):
        if len(names) > 1:
            raise ErsatzError(
                f"{what}: {value!r} fits {len(names)} files ({', '.join(names[:3])}); exactly one is expected. "
                "Write the path of each image into the CSV."
            )
    chosen = pd.Series([names[0] for names in found])
    twice = chosen[chosen.duplicated()].unique()
    if len(twice):
        raise ErsatzError(
            f"{what} names {len(twice)} images more than once (such as {twice[0]}); one row per image is expected. "
            "Remove the duplicate rows."
        )
    return list(chosen)


def _no_blank(values: pd.Series, column: str, what: str, expected: str) -> None:
    blank = values.index[values.str.lower().isin(BLANK)]
    if len(blank):
        raise ErsatzError(
            f"{what} has {len(blank)} rows without a value in column {column!r} (first: line {blank[0] + 2}); "
            f"{expected} is expected in each. Fill or remove these rows."
        )


def _splits(values: pd.Series, column: str, what: str) -> list[str]:
    unknown = sorted(set(values.str.lower()) - set(SPLIT_NAMES))
    if unknown:
        raise ErsatzError(
            f"{what} has the split {unknown[0]!r} in column {column!r}; train, valid or test are expected. Correct it."
        )
    return [SPLIT_NAMES[value.lower()] for value in values]
