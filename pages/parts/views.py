"""The views of a page: a row of them below its title, bound to `?view=`, and the way from one to another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import streamlit as st

NEXT = "view-next"
"""In the session: the view to show at the next turn, once."""


def choose_view(views: Sequence[str], first: str) -> str:
    """The view that is to be shown: that of the URL, else `first`; a press on another one changes the URL."""
    if (wanted := st.session_state.pop(NEXT, "")) in views:
        st.session_state["view"] = wanted
    elif st.session_state.get("view") not in views and st.query_params.get("view") not in views:  # another page's view
        st.session_state["view"] = first
    return st.segmented_control(
        "View", views, required=True, key="view", bind="query-params", label_visibility="collapsed"
    )


def go(view: str, **query: str) -> NoReturn:
    """Show another view of this page."""
    st.query_params.update(query)
    st.session_state[NEXT] = view
    st.rerun()
