"""Which CSVs of a source name its images, and whether they say the same of them as the folders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pandas as pd

from engine.datasets.reading.folders.level_names import split_of
from engine.datasets.reading.questions import Option
from engine.datasets.reading.tables.csv_columns import GROUP_COLUMNS, NO_CLASSES, SPLIT_COLUMNS
from engine.datasets.reading.tables.csv_files import all_csv_names, cells_of
from engine.datasets.reading.tables.csv_header import key
from engine.datasets.reading.tables.picture_names import PictureNames
from engine.datasets.reading.tree import Tree

NEARLY_ALL = 0.9
"""A CSV that names this share of the images may be the one with their labels."""
MOST = 0.5
"""Where no folder can be a class, it is enough that a CSV names this share."""


@dataclass(frozen=True)
class Fit:
    """How far a CSV is about the images."""

    name: str
    named: int
    """Images that a cell of its best column names."""
    images: int
    others: int
    """Further columns with several values, which could hold labels: not those of patients, splits, sex and the like."""
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
    tables = all_csv_names(tree)
    index = PictureNames(images if tables else [])
    cells = {name: cells_of(tree, name, index) for name in tables}
    fits = [_fit(name, table, index, images, classes) for name, table in cells.items() if not table.empty]
    return sorted((fit for fit in fits if fit.named), key=lambda fit: -fit.named)


def names_folders(tree: Tree, folders: Collection[str]) -> str:
    """The first CSV with a column that names nearly all of these folders (patients, say), ''."""
    for name in all_csv_names(tree):
        table = cells_of(tree, name, PictureNames([]), of_images=False)
        if any(len({*table[column]} & {*folders}) >= NEARLY_ALL * len(folders) for column in table):
            return name
    return ""


def _fit(name: str, cells: pd.DataFrame, index: PictureNames, images: list[str], classes: Mapping[str, str]) -> Fit:
    found = {column: [index.find(value) for value in cells[column]] for column in cells}
    counts = {column: len({image for files in rows for image in files}) for column, rows in found.items()}
    best = max(counts, key=lambda column: counts[column])
    several, agrees = 0, False
    for column in cells:
        if column == best:
            continue
        values = {files[0]: value for value, files in zip(cells[column], found[best], strict=True) if files}
        different = len(set(values.values()))
        several += 1 < different <= max(2, len(values) / 2) and not _describes(str(column), values.values())
        agrees = agrees or _one_to_one({image: value for image, value in values.items() if image in classes}, classes)
    return Fit(name, counts[best], len(images), several, agrees)


def _describes(column: str, values: Collection[str]) -> bool:
    """Whether a column says by its name that it holds no classes."""
    name = key(column)
    return name in GROUP_COLUMNS or name in NO_CLASSES or (name in SPLIT_COLUMNS and all(map(split_of, values)))


def _one_to_one(values: Mapping[str, str], classes: Mapping[str, str]) -> bool:
    """Whether each value goes with one class and each class with one value, its own where they share their names."""
    by_value, by_class = defaultdict(set), defaultdict(set)
    for image, value in values.items():
        by_value[value].add(classes[image])
        by_class[classes[image]].add(value)
    if len(by_class) < 2 or any(len(found) > 1 for found in (*by_value.values(), *by_class.values())):
        return False
    named = {key(name) for name in by_class} - {""}
    return all(key(value) not in named or key(min(found)) == key(value) for value, found in by_value.items())
