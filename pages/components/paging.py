"""Walls of many pictures are shown page by page."""

from __future__ import annotations

from collections.abc import Hashable

import streamlit as st

PAGE = "page"
"""The parameter of the address that says which page of a wall is shown."""
TURNED = "paging-turned"


def part_shown(count: int, size: int, *, of: Hashable = None, key: str = PAGE, in_url: bool = True) -> slice:
    """Which of `count` things are on the page that is chosen here, `size` of them on each; one page needs no choice.

    `of` is what is shown: another class, filter or data set begins on its first page. The number of the page, from 1,
    is `st.session_state[key]`, and `?page=` of the address; a wall whose pictures change with time is not `in_url`.
    """
    pages = -(-count // size)
    known, shown = st.session_state.get(f"{TURNED}-{key}", (of, 1))
    number = st.session_state.get(key, 1)
    # a page that was turned together with what is shown was asked for: somebody went back in the browser's history
    if number > pages or (of != known and number == shown):
        st.session_state[key] = 1
    number = st.pagination(pages, key=key, bind="query-params" if in_url else None) if pages > 1 else 1
    st.session_state[f"{TURNED}-{key}"] = of, number
    return slice((number - 1) * size, number * size)
