"""Tabs that draw only what is looked at."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from pages.components.runs import live


def tabs(parts: dict[str, Callable[[], None]], key: str) -> None:
    """A tab for each part, drawn when it is opened; `?key=` of the URL names the open one.

    They are drawn without the page around them: a press on a tab, or on anything in it, leaves that as it is.
    """
    live(_tabs, active=False)(parts, key)


def _tabs(parts: dict[str, Callable[[], None]], key: str) -> None:
    for tab, draw in zip(
        st.tabs(list(parts), key=key, on_change="rerun", bind="query-params"), parts.values(), strict=True
    ):
        if tab.open:
            with tab:
                draw()
