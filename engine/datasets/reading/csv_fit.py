"""Which CSVs of a source name its images, and whether they say the same of them as the folders."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import PurePosixPath

from engine.datasets.reading.items import BadPicture
from engine.datasets.reading.questions import Option
from engine.datasets.reading.table import _Index
from engine.datasets.reading.tree import Tree

NEARLY_ALL = 0.9
"""A CSV that names this share of the images may be the one with their labels."""
MOST = 0.5
"""Where no folder can be a class, it is enough that a CSV names this share."""
LARGEST = 64 * 2**20
"""Bytes of a CSV that are looked at."""


@dataclass(frozen=True)
class Fit:
    """How far a CSV is about the images."""

    name: str
    named: int
    """Images that a cell of its best column names."""
    images: int
    others: int
    """Further columns with several values, which could hold labels."""
    agrees: bool
    """Whether another column has one value for each folder class, and one folder class for each value."""

    @property
    def share(self) -> float:
        return self.named / self.images

    @property
    def text(self) -> str:
        """`labels.csv names 190 of 200 images`"""
        return f"{self.name} names {self.named} of {self.images} images"

    @property
    def option(self) -> Option:
        """To read the labels from it."""
        return Option({"layout": "csv", "csv": self.name}, self.text)


def csv_fits(tree: Tree, images: list[str], classes: Mapping[str, str]) -> list[Fit]:
    """The CSVs of the tree that name any image, the one that names the most first.

    `classes`: the class of each image by its folder, as far as folders say any.
    """
    tables = _tables(tree)
    index = _Index(images) if tables else None
    fits = [_fit(name, rows, index, images, classes) for name in tables if index and (rows := _rows(tree, name))]
    return sorted((fit for fit in fits if fit.named), key=lambda fit: -fit.named)


def names_folders(tree: Tree, folders: Collection[str]) -> str:
    """The first CSV with a column that names nearly all of these folders (patients, say), ''."""
    for name in _tables(tree):
        columns = zip_longest(*_rows(tree, name), fillvalue="")
        if any(len({*cells} & {*folders}) >= NEARLY_ALL * len(folders) for cells in columns):
            return name
    return ""


def _tables(tree: Tree) -> list[str]:
    return [name for name in tree.names if PurePosixPath(name).suffix.lower() in (".csv", ".tsv")]


def _rows(tree: Tree, name: str) -> list[list[str]]:
    """Cells of a CSV in any encoding, without its empty rows; none if it cannot be read."""
    try:
        with tree.open(name) as file:
            content = file.read(LARGEST)
    except BadPicture:
        return []
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    lines = text.lstrip().partition("\n")[0]
    separator = max(",;\t|", key=lines.count)
    try:
        return [
            [cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), delimiter=separator) if any(row)
        ]
    except csv.Error:
        return []


def _fit(name: str, rows: list[list[str]], index: _Index, images: list[str], classes: Mapping[str, str]) -> Fit:
    columns = max(map(len, rows))
    found = [[index.find(row[column]) if len(row) > column else [] for row in rows] for column in range(columns)]
    counts = [len({image for images in column for image in images}) for column in found]
    best = max(range(columns), key=lambda column: counts[column])
    several, agrees = 0, False
    for column in range(columns):
        if column == best:
            continue
        values = {images[0]: row[column] for row, images in zip(rows, found[best], strict=True)
                  if images and len(row) > column}  # fmt: skip
        different = len(set(values.values()))
        several += 1 < different <= max(2, len(values) / 2)
        agrees = agrees or _one_to_one({image: value for image, value in values.items() if image in classes}, classes)
    return Fit(name, counts[best], len(images), several, agrees)


def _one_to_one(values: Mapping[str, str], classes: Mapping[str, str]) -> bool:
    """Whether each value goes with one class and each class with one value."""
    by_value, by_class = defaultdict(set), defaultdict(set)
    for image, value in values.items():
        by_value[value].add(classes[image])
        by_class[classes[image]].add(value)
    return len(by_class) > 1 and all(len(found) == 1 for found in (*by_value.values(), *by_class.values()))
