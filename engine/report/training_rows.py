"""The rows of a training's `metrics.jsonl` as columns: hundreds of thousands of them in little memory, read fast.

A dictionary for each of 200,000 rows takes half a gigabyte, and to look at each of them in Python takes seconds; a
column of them is an array of 1.6 MB.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, overload

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import json as arrow_json

MANY_BYTES = 100_000
"""From here on Arrow is quicker than the parser of Python."""


class Rows(Sequence[dict[str, Any]]):
    """Rows of numbers by columns; a row is a dictionary of the fields that it has, made when asked for."""

    def __init__(self, columns: Mapping[str, np.ndarray], known: Mapping[str, np.ndarray], count: int):
        """`columns` are float64 `[count]`; `known`, bool `[count]`, the rows that have a field not all have."""
        self._columns, self._known, self._count = dict(columns), dict(known), count

    @staticmethod
    def of(rows: Sequence[Mapping[str, Any]]) -> Rows:
        """Dictionaries as columns; what is no number is left out, and None counts as not there."""
        if isinstance(rows, Rows):
            return rows
        columns: dict[str, np.ndarray] = {}
        known: dict[str, np.ndarray] = {}
        for name in dict.fromkeys(name for row in rows for name in row):
            values = [row.get(name) for row in rows]
            there = np.array([isinstance(value, int | float) for value in values], bool)
            if there.any():
                columns[name] = np.array([value if ok else np.nan for value, ok in zip(values, there, strict=True)])
                if not there.all():
                    known[name] = there
        return Rows({name: column.astype(np.float64) for name, column in columns.items()}, known, len(rows))

    @staticmethod
    def parse(lines: bytes) -> Rows:
        """Whole lines of JSON objects; a ValueError when one is none."""
        if len(lines) >= MANY_BYTES:
            try:
                return Rows._of_table(arrow_json.read_json(io.BytesIO(lines)))
            except (pa.ArrowException, ValueError):  # Arrow knows no NaN, nor a field that is now a number, now a text
                pass
        try:
            rows = [json.loads(line) for line in lines.splitlines()]
        except RecursionError as error:
            raise ValueError("a line is nested too deeply") from error
        if not all(isinstance(row, dict) for row in rows):
            raise ValueError("a line is no JSON object")
        return Rows.of(rows)

    @staticmethod
    def _of_table(table: pa.Table) -> Rows:
        columns: dict[str, np.ndarray] = {}
        known: dict[str, np.ndarray] = {}
        for name, column in zip(table.column_names, table.columns, strict=True):
            if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
                columns[name] = column.cast(pa.float64()).to_numpy()
                if column.null_count:
                    known[name] = column.is_valid().to_numpy()
        return Rows(columns, known, table.num_rows)

    @staticmethod
    def joined(parts: Iterable[Rows]) -> Rows:
        """Rows after rows, as one."""
        found = [part for part in parts if len(part)]
        if len(found) == 1:
            return found[0]
        columns: dict[str, np.ndarray] = {}
        known: dict[str, np.ndarray] = {}
        for name in dict.fromkeys(name for part in found for name in part.fields):
            columns[name] = np.concatenate([part.column(name) for part in found])
            there = np.concatenate([part.has(name) for part in found])
            if not there.all():
                known[name] = there
        return Rows(columns, known, sum(map(len, found)))

    @property
    def fields(self) -> list[str]:
        """Every field that some row has."""
        return list(self._columns)

    def column(self, field: str) -> np.ndarray:
        """The values of a field, float64 `[len(self)]`, nan where a row has none; look, but do not change it."""
        found = self._columns.get(field)
        return np.full(self._count, np.nan) if found is None else found

    def has(self, field: str) -> np.ndarray:
        """Which rows have a field, bool `[len(self)]`."""
        if field not in self._columns:
            return np.zeros(self._count, bool)
        found = self._known.get(field)
        return np.ones(self._count, bool) if found is None else found

    def with_field(self, field: str) -> Rows:
        """The rows that have a field."""
        if field in self._known:
            return self.taken(np.flatnonzero(self._known[field]))
        return self if self.knows(field) else EMPTY

    def knows(self, field: str) -> bool:
        """Whether any row has a field."""
        return field in self._columns

    def taken(self, places: np.ndarray | slice) -> Rows:
        """The rows at these places; fields that none of them has are left out."""
        count = len(range(*places.indices(self._count))) if isinstance(places, slice) else len(places)
        known = {name: there[places] for name, there in self._known.items()}
        gone = {name for name, there in known.items() if not there.any()}
        columns = {name: column[places] for name, column in self._columns.items() if name not in gone}
        return Rows(columns, {name: there for name, there in known.items() if name in columns}, count)

    def frame(self, fields: Sequence[str]) -> pd.DataFrame:
        """Some fields as a table."""
        return pd.DataFrame({name: self.column(name) for name in fields})

    @overload
    def __getitem__(self, place: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, place: slice) -> Rows: ...

    def __getitem__(self, place: int | slice) -> dict[str, Any] | Rows:
        if isinstance(place, slice):
            return self.taken(place)
        if not -self._count <= place < self._count:  # else the end of a loop over the rows would be missed
            raise IndexError(place)
        return {
            name: float(column[place])
            for name, column in self._columns.items()
            if name not in self._known or self._known[name][place]
        }

    def __len__(self) -> int:
        return self._count


EMPTY = Rows({}, {}, 0)
