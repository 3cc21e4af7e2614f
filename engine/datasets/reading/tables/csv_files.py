"""Which CSV of a source holds the labels, and what those beside it add: further splits, or further columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import pandas as pd

from engine.configs import ImportConfig
from engine.datasets.reading.folders.level_names import split_of
from engine.datasets.reading.items import BadPicture
from engine.datasets.reading.pictures.files import is_picture, stem
from engine.datasets.reading.questions import Option, Question
from engine.datasets.reading.tables.csv_columns import NoClassColumn, columns_of, image_column
from engine.datasets.reading.tables.csv_header import key, with_columns
from engine.datasets.reading.tables.csv_text import SHEET_ENDINGS, decoded, not_a_csv, parsed
from engine.datasets.reading.tables.picture_names import PictureNames
from engine.datasets.reading.tree import Tree
from engine.store.errors import ErsatzError

TABLE_ENDINGS = (".csv", ".tsv", ".tab")
TEXT_ENDINGS = (".txt", ".dat", "")
"""A table may have these too (HAM10000 is published with a metadata file without ending)."""
FEW_TEXTS = 20
"""More files of text than this are not looked at: they are labels of single images, or have no ending for a reason."""
GLANCE = 2**16
"""Bytes of each of several CSVs that are read to see which one names the images: tables of pixels are huge."""
LARGEST = 64 * 2**20
"""Bytes of a CSV beside folders that are looked at."""

SPLIT_COLUMN = "split"
"""Column that is added to the rows of one CSV for each split."""


@dataclass(frozen=True)
class Table:
    """The rows of a source's CSV."""

    what: str
    """Its name for messages."""
    cells: pd.DataFrame
    """Text, each row under its place, such as `line 5`."""
    own: list[str]
    """Columns of the CSV that holds the labels; the others are of CSVs beside it."""
    notes: list[str] = field(default_factory=list)


def csv_names(tree: Tree) -> list[str]:
    """The CSVs of a tree, those nearest to its root only."""
    names = all_csv_names(tree)
    depth = min((len(PurePosixPath(name).parts) for name in names), default=0)
    return [name for name in names if len(PurePosixPath(name).parts) == depth]


def all_csv_names(tree: Tree) -> list[str]:
    """All CSVs of a tree, those too that are called otherwise but are tables that name its images."""
    endings = {name: PurePosixPath(name).suffix.lower() for name in tree.names}
    texts = [name for name, ending in endings.items() if ending in TEXT_ENDINGS]
    if len(texts) > FEW_TEXTS:
        texts = []
    stems = {stem(PurePosixPath(name).name) for name in tree.names if is_picture(name)} if texts else set()
    tables = {name for name in texts if _is_table(_content(tree, name, GLANCE), stems)}
    return [name for name, ending in endings.items() if ending in TABLE_ENDINGS or name in tables]


def _is_table(content: bytes, stems: set[str]) -> bool:
    """Whether most lines of a text hold the name of an image and something beside it."""
    if b"\0" in content[:1024]:
        return False
    lines = [re.split(r"[\s,;|]+", line.strip()) for line in content.decode("latin-1").splitlines()[1:-1]]
    named = [
        len(cells) > 1 and any(stem(PurePosixPath(cell.strip('"')).name) in stems for cell in cells) for cells in lines
    ]
    return len(named) > 1 and sum(named) > len(named) / 2


def cells_of(tree: Tree, name: str, index: PictureNames, of_images: bool = True) -> pd.DataFrame:
    """The cells of a CSV, however it is written; none if it cannot be read, or if a long one begins with rows that name
    no image, as tables of pixels do (without `of_images` it may be about something else).
    """
    config = ImportConfig(name="glance", source="glance")
    table = _glance(tree, name, config, index)
    if table is not None and len(_content(tree, name, GLANCE + 1)) > GLANCE:
        if of_images and not any(index.fit(list(table[column])) for column in table.columns):
            return pd.DataFrame()
        table = _glance(tree, name, config, index, LARGEST)
    return pd.DataFrame() if table is None else table


def load(tree: Tree, config: ImportConfig, index: PictureNames) -> Table:
    """The table with the labels: the CSV that the config names, else the one that names images and has classes.

    CSVs called after splits that have the same columns are read as one; columns of the same images in a CSV without
    classes are joined (ISIC keeps age and lesion so). Raises `Question` when several CSVs could be meant.
    """
    if config.csv.lower().endswith(SHEET_ENDINGS):
        raise not_a_csv(config.csv)
    if config.csv and Path(config.csv).expanduser().is_file():
        return _whole(config.csv, Path(config.csv).expanduser().read_bytes(), config, index)
    names = [_named(tree, config.csv)] if config.csv else csv_names(tree)
    if not names:
        if sheets := [name for name in tree.names if name.lower().endswith(SHEET_ENDINGS)]:
            raise not_a_csv(f"{tree.path}/{sheets[0]}")
        raise ErsatzError(
            f"{tree.path} holds no CSV file; one with the labels is expected. Name it in the setting csv."
        )
    deeper = [] if config.csv else [name for name in all_csv_names(tree) if name not in names]
    if deeper and not any(_names_images(_glance(tree, name, config, index), index) for name in names):
        names = [*names, *deeper]
    if len(names) == 1:
        return _whole(f"{tree.path}/{names[0]}", _content(tree, names[0]), config, index)
    chosen, fitting = _choose(tree, names, config, index)
    tables = [_whole(f"{tree.path}/{name}", _content(tree, name), config, index) for name in chosen]
    table = tables[0] if len(chosen) == 1 else _stacked(tables, chosen)
    unused = [name for name in names if name not in chosen]
    for name in [name for name in fitting if name not in chosen]:
        other = _whole(f"{tree.path}/{name}", _content(tree, name), config, index)
        if (joined := _joined(table, other.cells, name, index, config)) is not None:
            table = joined
            unused.remove(name)
    if unused:
        told = f"{', '.join(unused[:3])}{', ...' if len(unused) > 3 else ''}"
        note = f"{', '.join(chosen)} holds the classes; {_others(len(unused))} left out ({told})."
        table = replace(table, notes=[*table.notes, note])
    return table


def _named(tree: Tree, wanted: str) -> str:
    matches = [name for name in tree.names if name == wanted] or [
        name for name in tree.names if PurePosixPath(name).name == Path(wanted).name
    ]
    if len(matches) != 1:
        raise ErsatzError(
            f"The CSV {wanted} is not there; a file on this machine or inside {tree.path} is expected. "
            "Correct its path."
        )
    return matches[0]


def _content(tree: Tree, name: str, most: int = -1) -> bytes:
    try:
        with tree.open(name) as file:
            return file.read(most)
    except BadPicture as error:
        raise ErsatzError(f"{tree.path}/{name} {error}; a readable CSV is expected. Mend or replace it.") from error


def _whole(what: str, content: bytes, config: ImportConfig, index: PictureNames) -> Table:
    sheet = parsed(decoded(content, what, config.csv_encoding), what, index.fit)
    cells, notes = with_columns(sheet, config.csv_header, index, what)
    return Table(what, cells, list(cells.columns), notes)


def _glance(
    tree: Tree, name: str, config: ImportConfig, index: PictureNames, most: int = GLANCE
) -> pd.DataFrame | None:
    """The first rows of a CSV, `most` bytes of it; None if it cannot be read."""
    try:
        content = _content(tree, name, most + 1)
        if len(content) > most:
            content = content[: content.rfind(b"\n", 0, most) + 1]
        try:
            return _whole(name, content, config, index).cells
        except Question:  # what is unclear of encoding or header hardly matters here
            settings = {"csv_encoding": "latin-1", "csv_header": "yes"}
            return _whole(name, content, config.model_copy(update=settings), index).cells
    except ErsatzError:
        return None


def _names_images(table: pd.DataFrame | None, index: PictureNames) -> bool:
    return table is not None and any(index.fit(list(table[name])) >= 0.15 for name in table.columns)


def _choose(tree: Tree, names: Sequence[str], config: ImportConfig, index: PictureNames) -> tuple[list[str], list[str]]:
    """The CSV with the labels, or one for each split, and all that name images."""
    tables = {name: _glance(tree, name, config, index) for name in names if "submission" not in name.lower()}
    fitting = {name: table for name, table in tables.items() if table is not None and _names_images(table, index)}
    labelled = {name: table for name, table in fitting.items() if _has_classes(table, config, index)}
    some = labelled or fitting
    if len(some) == 1:
        return list(some), list(fitting)
    splits = {_split_in(name) for name in some}
    columns = {tuple(table.columns) for table in some.values()}
    if "" not in splits and len(splits) == len(some) > 1 and len(columns) == 1:
        return list(some), list(fitting)
    listed = f"{', '.join(names[:4])}{', ...' if len(names) > 4 else ''}"
    raise Question(
        f"{tree.path} holds {len(names)} CSV files ({listed}), of which {len(fitting) or 'none'} name its images; one "
        "with the labels is expected.",
        [
            Option(
                {"csv": name}, "unreadable" if table is None else f"columns {', '.join(map(str, table.columns[:6]))}"
            )
            for name, table in list((some or tables or dict.fromkeys(names)).items())[:8]
        ],
    )


def _has_classes(table: pd.DataFrame, config: ImportConfig, index: PictureNames) -> bool:
    try:
        columns_of(table, config, index, "")
    except NoClassColumn:
        return False
    except Question:  # several columns named as classes are still classes
        return True
    except ErsatzError:
        return False
    return True


def _split_in(name: str) -> str:
    """The split in the name of a CSV, else in that of its folder; '' if it names none or several."""
    for part in (PurePosixPath(name).stem, PurePosixPath(name).parent.name):
        words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", part)
        if found := {split_of(word) for word in words} - {""}:
            return found.pop() if len(found) == 1 else ""
    return ""


def _stacked(tables: Sequence[Table], names: Sequence[str]) -> Table:
    """One table of the CSVs of all splits."""
    parts = []
    for table, name in zip(tables, names, strict=True):
        part = table.cells.set_axis([f"{place} of {name}" for place in table.cells.index])
        parts.append(part if SPLIT_COLUMN in part else part.assign(**{SPLIT_COLUMN: _split_in(name)}))
    cells = pd.concat(parts)
    told = ", ".join(f"{name} ({len(table.cells)})" for name, table in zip(names, tables, strict=True))
    notes = [f"The CSVs of the splits are read as one: {told}.", *(note for table in tables for note in table.notes)]
    return Table(
        f"{tables[0].what} (with {', '.join(names[1:])})", cells, list(cells.columns), list(dict.fromkeys(notes))
    )


def _joined(table: Table, other: pd.DataFrame, name: str, index: PictureNames, config: ImportConfig) -> Table | None:
    """`table` with the columns that `other` has of the same images; None where it has not one row for each of them."""
    mine = image_column(table.cells, config, index, table.what)
    try:
        theirs = image_column(other, config, index, name)
    except ErsatzError:
        return None
    known = {key(column) for column in table.cells.columns}
    new = [column for column in other.columns if column != theirs and key(column) not in known]
    other = other.set_axis([tuple(index.find(value)) for value in other[theirs]])
    files = [tuple(index.find(value)) for value in table.cells[mine]]
    if not new or not other.index.is_unique or not set(files) - {()} <= set(other.index):
        return None
    added = other[new].reindex(files).fillna("").set_axis(table.cells.index)
    note = f"The columns {', '.join(new[:6])}{', ...' if len(new) > 6 else ''} of {name} were added by image."
    return replace(table, cells=pd.concat([table.cells, added], axis=1), notes=[*table.notes, note])


def _others(count: int) -> str:
    return "1 other CSV file was" if count == 1 else f"{count} other CSV files were"
