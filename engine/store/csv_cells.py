"""CSV that a spreadsheet opens without computing anything of what came from outside.

A spreadsheet takes a cell of text that begins with =, +, -, @, a tab or a line break for a formula, which may send the
rest of the table away (CWE-1236, OWASP "CSV Injection"; the signs' wide forms of Japanese keyboards count too). Such
a cell or header gets an apostrophe in front, the sign of all spreadsheets for "this is text". Numbers stay as they are,
also those that stand in a column of text. `read_table` takes exactly these apostrophes off again.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Literal

import pandas as pd

BEGINNINGS = "=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20"
LIVE = re.compile(f"'*[{BEGINNINGS}]")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
KEPT = re.compile(f"'+[{BEGINNINGS}]")


def as_text(value: Any) -> Any:
    """A cell that no spreadsheet computes. One that has apostrophes before such a sign gets one more, so that the way
    back is exact."""
    if not isinstance(value, str) or not LIVE.match(value) or NUMBER.fullmatch(value):
        return value
    return f"'{value}"


def as_it_was(value: Any) -> Any:
    """What `as_text` was given."""
    return value[1:] if isinstance(value, str) and KEPT.match(value) else value


def write_table(table: pd.DataFrame, target: str | Path | IO[str]) -> None:
    """Write a table as CSV, without its index."""
    safe = _each_text(table, _as_texts)
    safe.to_csv(target, index=False, quoting=_quoting(safe))


def table_text(table: pd.DataFrame) -> str:
    """A table as the text of a CSV file, without its index."""
    safe = _each_text(table, _as_texts)
    return safe.to_csv(index=False, quoting=_quoting(safe))


def read_table(source: str | Path | IO[Any], **options: Any) -> pd.DataFrame:
    """A table that `write_table` wrote; `options` are those of `pandas.read_csv`."""
    content: str | bytes = Path(source).read_bytes() if isinstance(source, str | Path) else source.read()
    if isinstance(content, str):
        content = content.encode()
    table = pd.read_csv(io.BytesIO(content), **options)
    # where nothing is marked, as nearly always, a look at every cell would take longer than the reading
    return _each_text(table, _as_they_were) if b"'" in content else table


def _quoting(table: pd.DataFrame) -> Literal[0, 2]:
    """All text in quotes where some of it has a carriage return: Python's `csv` puts none around it for that, and the
    row would end there for whoever reads it."""
    columns = [table.iloc[:, place] for place in range(table.shape[1])]
    texts = [cell for column in columns if not pd.api.types.is_numeric_dtype(column.dtype) for cell in column]
    broken = any(isinstance(cell, str) and "\r" in cell for cell in [*table.columns, *texts])
    return csv.QUOTE_NONNUMERIC if broken else csv.QUOTE_MINIMAL


def _as_texts(cells: pd.Series) -> pd.Series:
    return cells.map(as_text)


def _as_they_were(cells: pd.Series) -> pd.Series:
    if isinstance(cells.dtype, pd.StringDtype):  # looked through at once: cell by cell took longer than the reading
        marked = bool(cells.str.startswith("'", na=False).any())
    else:
        marked = any(isinstance(cell, str) and cell.startswith("'") for cell in cells)
    return cells.map(as_it_was) if marked else cells


def _each_text(table: pd.DataFrame, change: Callable[[pd.Series], pd.Series]) -> pd.DataFrame:
    """A table with its headers and its cells of text changed; columns of numbers are not looked into."""
    changed = table.copy(deep=False)
    changed.columns = pd.Index(change(pd.Series(list(table.columns), dtype=object)).tolist())
    for place, kind in enumerate(table.dtypes):
        if isinstance(kind, pd.CategoricalDtype):
            cells = table.iloc[:, place].astype(object)
        elif pd.api.types.is_object_dtype(kind) or pd.api.types.is_string_dtype(kind):
            cells = table.iloc[:, place]
        else:
            continue
        new = change(cells)
        if new is not cells and not new.equals(cells):
            changed.isetitem(place, new.to_numpy())
    return changed
