"""The views of a page: a row of them below its title, kept in `?view=`, and the ways from one to another.

A link to the page that is open leaves the browser's address as it was. Ways within a page are buttons, therefore, that
change the address: it can be shared, and gone back from.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Literal, NoReturn

import streamlit as st

from pages.components.query_params import put, put_all

LEADING = (
    *("view", "dataset", "from", "again", "new", "change"),
    *("pool", "compare", "trial", "image", "with", "at", "other", "like"),
)
"""Parameters that say what a view shows, and mean nothing in the next one. `run` stays from view to view, as does what
widgets keep in the URL themselves."""


def view_in_url(views: Sequence[str], usual: str) -> str:
    """The view that the URL names, else the `usual` one."""
    wanted = st.query_params.get("view")
    return wanted if wanted is not None and wanted in views else usual


def choose_view(
    views: Sequence[str], usual: str, words: Callable[[str], str] = str, *, label: str = "View", key: str = "view"
) -> str:
    """The view to show; a press on another one changes the URL. `words` are what the row calls a view."""
    st.session_state[key] = view_in_url(views, usual)

    def choose() -> None:
        put("view", st.session_state[key])

    chosen = st.segmented_control(
        label, views, required=True, format_func=words, key=key, on_change=choose, label_visibility="collapsed"
    )
    return usual if chosen is None else chosen


def lead_to(view: str = "", without: Collection[str] = (), **query: str) -> None:
    """Let the URL name another view of this page, or the usual one, with what it is to show; empty: not at all.

    `without` names what widgets of the view that is left hold in the URL.
    """
    put_all(dict.fromkeys(LEADING, "") | query | {"view": view}, without)


def go(view: str = "", without: Collection[str] = (), **query: str) -> NoReturn:
    """Show another view of this page at once."""
    lead_to(view, without, **query)
    st.rerun()


def way_to(
    label: str,
    icon: str,
    key: str,
    view: str = "",
    kind: Literal["secondary", "tertiary"] = "secondary",
    /,
    **query: str,
) -> None:
    """A button that leads to another view of this page."""
    if st.button(label, icon=icon, key=key, type=kind):
        go(view, **query)
