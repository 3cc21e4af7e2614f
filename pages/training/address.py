"""Ways from one view of the Train page to another; all that a view depends on is in the URL."""

from __future__ import annotations

from typing import Literal

import streamlit as st

VIEW = ("view", "dataset", "from", "again", "change", "with", "at", "other")
"""Parameters of the page's own, beside `run` and those that widgets keep there themselves."""


def go_to(**query: str) -> None:
    """Ask for another view of this page."""
    for name in VIEW:
        st.query_params.pop(name, None)
    for name, value in query.items():
        st.query_params[name] = value


def way_to(label: str, icon: str, key: str, kind: Literal["secondary", "tertiary"] = "secondary", **query: str) -> None:
    """A button that leads to another view; a link to the page that is open would leave the address as it was."""
    if st.button(label, icon=icon, key=key, type=kind):
        go_to(**query)
        st.rerun()
