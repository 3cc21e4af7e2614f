"""Metadata columns: what is known of each image besides its class, kept for subgroups in the evaluation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from engine.datasets.reading.items import Item
from engine.store.errors import ErsatzError

PREFIX = "meta_"
"""Before the names of a source's further columns, so that none meets a column of the manifest."""


def keep_metadata(items: Sequence[Item], columns: Sequence[str], taken: Sequence[str]) -> list[Item]:
    """The items with the metadata `columns` under their plain names, which become columns of the manifest.

    Capitals and spaces around a name are forgiven. Raises `ErsatzError` when the source has no such column, or when
    the name is one of those `taken` by the manifest.
    """
    known = {key.removeprefix(PREFIX): key for item in items for key in item.meta}
    by_lower = {name.strip().lower(): key for name, key in known.items()}
    renames: dict[str, str] = {}
    for column in columns:
        if column in taken or column.startswith(PREFIX):
            raise ErsatzError(
                f"The metadata column {column!r} has the name of a column that every data set has "
                f"({', '.join(taken)}); another name is expected. Rename it in the CSV."
            )
        key = known.get(column) or by_lower.get(column.strip().lower())
        if key is None:
            raise ErsatzError(
                f"There is no metadata column {column!r}; "
                + (
                    f"expected one of {', '.join(map(repr, known))} (a column that names the images, classes, groups "
                    "or splits is none)."
                    if known
                    else "this source has none, only a CSV brings some."
                )
                + " Correct metadata_columns."
            )
        if key in renames:
            raise ErsatzError(f"The metadata column {column!r} is named twice; each is expected once. Leave one out.")
        renames[key] = column
    return [
        replace(item, meta={renames.get(key, key): value for key, value in item.meta.items()} if renames else item.meta)
        for item in items
    ]


def metadata_counts(items: Sequence[Item], columns: Sequence[str]) -> dict[str, dict[str, int]]:
    """Images by value of each column, the most frequent first; '' where it is unknown."""
    return {name: dict(Counter(item.meta.get(name, "") for item in items).most_common()) for name in columns}
