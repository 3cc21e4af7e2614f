"""A choice among classes: a row of buttons, or a list to search in where a row would fill the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.format import plain

ROW = 12
"""Most classes that stand side by side."""


def choose_class(
    label: str,
    classes: Sequence[str],
    key: str,
    *,
    words: Callable[[str], str] = plain,
    in_url: bool = False,
    place: DeltaGenerator | None = None,
) -> str:
    """The chosen one of two or more classes, the first to begin with; `in_url` where the address holds it."""
    where = place if place is not None else st
    if len(classes) > ROW:
        chosen = where.selectbox(
            label, classes, format_func=words, key=key, bind="query-params" if in_url else None, width=320
        )
    else:
        chosen = where.segmented_control(
            label,
            classes,
            default=classes[0],
            required=True,
            format_func=words,
            key=key,
            bind="query-params" if in_url else None,
        )
    return classes[0] if chosen is None else chosen
