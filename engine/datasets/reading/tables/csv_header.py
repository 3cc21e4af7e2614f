"""The columns of a CSV: whether its first row names them, and rows that are longer or shorter than it."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import pandas as pd

from engine.datasets.reading.pictures.files import PICTURE_ENDINGS
from engine.datasets.reading.questions import Option, Question
from engine.datasets.reading.tables.csv_text import Sheet
from engine.datasets.reading.tables.picture_names import PictureNames
from engine.store.errors import ErsatzError

_IMAGES = (
    "image images imageid imagename imagefile imagefilename imagepath imageindex img imgid imgname imgpath imgfile "
    "file filename filenames filepath path name id idcode isicid picture photo scan slice dicom dicomid fname frame "
    "bild datei dateiname archivo imagen fichier"
)
IMAGE_COLUMNS = frozenset(_IMAGES.split())
"""Names of columns that name images, without signs."""


def key(name: str) -> str:
    """The name of a column without capitals and signs: `Patient ID` -> `patientid`."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFC", name).casefold())


def with_columns(
    sheet: Sheet, header: Literal["auto", "yes", "no"], index: PictureNames, what: str
) -> tuple[pd.DataFrame, list[str]]:
    """The cells as text in columns, each row under its place, such as `line 5`, and notes.

    Without a header, and where the header is blank, columns are called 1, 2, ... Raises `Question` when it is not
    clear whether the first row is one, and `ErsatzError` for rows that do not fit the header.
    """
    notes = list(sheet.notes)
    rows = [_short(row) for row in sheet.rows]
    if header == "yes" or (header == "auto" and _has_header(rows, sheet.lines, index, what)):
        names, rows, lines = sheet.rows[0], rows[1:], sheet.lines[1:]
        if not any(row != _short(names) for row in rows):
            raise ErsatzError(f"{what} has no rows; one row per image is expected. Fill it or choose another CSV.")
        repeated = {number for number, row in enumerate(rows) if row == _short(names)}
        if repeated:
            rows = [row for number, row in enumerate(rows) if number not in repeated]
            lines = [line for number, line in enumerate(lines) if number not in repeated]
            notes.append(f"The header of the CSV stands in it {len(repeated)} times more; these lines were left out.")
        if all(len(row) == len(names) + 1 for row in sheet.rows[1:]) and any(len(row) > len(names) for row in rows):
            # R writes a column of row names without a name of its own.
            names = ["", *names]
            notes.append("The header of the CSV lacks a name; the first column is taken for one of row names.")
    else:
        names, lines = [], sheet.lines
        notes.append(
            "The CSV has no header line; its columns are called "
            f"{', '.join(str(n + 1) for n in range(min(3, max(map(len, rows)))))}"
            f"{', ...' if max(map(len, rows)) > 3 else ''} (csv_header yes would take its first line for one)."
        )
    width = max(len(_short(names)), max(map(len, rows)))
    if names and width > len(names):
        long = next(n for n, row in enumerate(rows) if len(row) > len(names))
        raise ErsatzError(
            f"{what} cannot be read as a CSV (line {lines[long]} has {len(rows[long])} cells, the header "
            f"{len(_short(names))}); as many cells as columns are expected. Put cells that hold a separator in quotes, "
            "or correct the header."
        )
    named = [*names, *[""] * width][:width]
    columns = [unicodedata.normalize("NFC", name) or str(n + 1) for n, name in enumerate(named)]
    if twice := [name for name, count in Counter(columns).items() if count > 1]:
        raise ErsatzError(
            f"{what} has the column {twice[0]!r} twice; columns that differ are expected. Rename one "
            "(or set csv_header to no, if its first line is no header)."
        )
    return pd.DataFrame(
        [[*row, *[""] * (width - len(row))] for row in rows], [f"line {line}" for line in lines], columns, dtype=str
    ), notes


def _short(row: Sequence[str]) -> list[str]:
    """The cells without blank ones at the end, which stray separators make."""
    count = len(row)
    while count and not row[count - 1]:
        count -= 1
    return list(row[:count])


def _has_header(rows: list[list[str]], lines: list[int], index: PictureNames, what: str) -> bool:
    """Whether the first row names columns: not when its cell in the column of images names one."""
    below = rows[1:]
    if not below:
        return True
    width = max(map(len, rows))
    fits = [index.fit([row[n] for row in below if n < len(row)]) for n in range(width)]
    best = fits.index(max(fits))
    first = rows[0][best] if best < len(rows[0]) else ""
    if not fits[best] or not first or key(first) in IMAGE_COLUMNS:
        return True
    if index.find(first) or first.lower().endswith(tuple(PICTURE_ENDINGS)):
        return False
    shapes = Counter(_shape(row[best]) for row in below if best < len(row))
    if re.search(r"\d", first) and shapes[_shape(first)] > len(below) / 2:
        raise Question(
            f"{what} may have no header: its first line (line {lines[0]}) begins with {first!r}, which looks like the "
            "name of an image that is not there.",
            [
                Option({"csv_header": "no"}, f"{len(rows)} rows, the first of which is {', '.join(rows[0][:4])}"),
                Option({"csv_header": "yes"}, f"{len(below)} rows, with columns called {', '.join(rows[0][:4])}"),
            ],
        )
    return True


def _shape(text: str) -> str:
    return re.sub(r"\d+", "0", text)
