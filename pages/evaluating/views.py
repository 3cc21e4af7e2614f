"""The views of the Evaluate page, and how a part of one leads to another."""

from __future__ import annotations

import streamlit as st

READ, COMPARE, NEW = "Results", "Compare", "New sweep"
VIEW_NEXT = "evaluate-next"
"""In the session: the view to show at the next turn, once."""
AGAIN = "again"
"""Of the URL: the sweep whose settings a new one starts from."""


def go(view: str, **query: str) -> None:
    """Show another view of this page."""
    st.query_params.update(query)
    st.session_state[VIEW_NEXT] = view
    st.rerun()
