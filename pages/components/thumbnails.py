"""How a wall of pictures looks: the size of its thumbnails, and whether classes stand side by side; kept in the URL."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import pandas as pd
import streamlit as st

from pages.components.format import plain
from pages.components.paging import part_shown

WIDTHS = {"S": 64, "M": 104, "L": 176}
"""Pixels of a thumbnail."""
WORDS = {"S": "Small", "M": "Medium", "L": "Large"}
SIZE, BESIDE = "size", "side-by-side"
"""Of the URL."""
MOST = 4
"""Classes side by side at most; more would leave no room for pictures."""


def thumbnail_width() -> int:
    """Pixels of a thumbnail, as somebody chooses here."""
    chosen = st.segmented_control(
        "Thumbnails", list(WIDTHS), default="M", required=True, key=SIZE, bind="query-params", help=_help()
    )
    return WIDTHS[chosen or "M"]


def _help() -> str:
    return ", ".join(f"{letter}: {word.lower()}" for letter, word in WORDS.items())


def side_by_side(classes: Sequence[str]) -> bool:
    """Whether the classes are to stand side by side; there is no choice with one class, or with too many."""
    if not 2 <= len(classes) <= MOST:
        return False
    return st.toggle("Classes side by side", key=BESIDE, bind="query-params")


def in_columns(
    rows: pd.DataFrame, classes: Sequence[str], size: int, of: Hashable, wall: Callable[[pd.DataFrame, str], None]
) -> None:
    """The rows of each class in a column of its own, page by page, `size` pictures together on a page.

    `wall` draws the pictures of a class on this page; it is given their rows and the class.
    """
    each = size // len(classes)
    groups = {name: rows[rows["class"] == name] for name in classes}
    here = part_shown(max(map(len, groups.values())), each, of=of)
    for column, (name, group) in zip(st.columns(len(classes), gap="medium"), groups.items(), strict=True):
        with column:
            st.markdown(f"**{plain(name)}** ({len(group):,})")
            if len(group.iloc[here]):
                wall(group.iloc[here], name)
            else:
                st.caption("No more pictures.")
