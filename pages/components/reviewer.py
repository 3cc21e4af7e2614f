"""Under which name somebody reviews and comments."""

from __future__ import annotations

import streamlit as st

from pages.components.people import login_is_on, person

KEPT = "reviewer"
"""In the link, so that a tab that was closed comes back to the same person, and in the session for the other pages."""


def reviewer() -> str:
    """The name that answers and decisions are kept under: the login's, or what was entered; empty before that.

    Without a login nobody is taken for the machine's user: two people under one name would lose each other's answers.
    """
    if login_is_on():
        return person().name
    if linked := st.query_params.get(KEPT, "").strip():
        st.session_state[KEPT] = linked
    return st.session_state.get(KEPT, "")


def author() -> str:
    """The name under a comment."""
    return reviewer() or person().name


def name_field(key: str) -> None:
    """A field for the name where no login gives one; it stays in the link and for the session."""
    if login_is_on():
        return
    st.session_state[key] = reviewer()

    def choose() -> None:
        st.session_state[KEPT] = st.session_state[key].strip()
        st.query_params.pop(KEPT, None)

    st.text_input(
        "Your name",
        key=key,
        max_chars=60,
        on_change=choose,
        width=240,
        placeholder="So that others know who said it",
        help="Answers, decisions and comments are kept under it. Use the same name when you come back.",
    )
    if st.session_state.get(KEPT) and KEPT not in st.query_params:
        st.query_params[KEPT] = st.session_state[KEPT]
