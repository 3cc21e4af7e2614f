"""Walls of many pictures are shown page by page."""

from __future__ import annotations

from typing import Literal

import streamlit as st


def part_shown(count: int, size: int, key: str, bind: Literal["query-params"] | None = None) -> slice:
    """Which of `count` things are on the page that is chosen here, `size` of them on each; one page needs no choice.

    `st.session_state[key]` is the number of the page, from 1; it begins anew where there are fewer pages than that.
    """
    pages = -(-count // size)
    if pages < 2:
        return slice(0, size)
    if st.session_state.get(key, 1) > pages:
        st.session_state[key] = 1
    number = st.pagination(pages, key=key, bind=bind)
    return slice((number - 1) * size, number * size)
