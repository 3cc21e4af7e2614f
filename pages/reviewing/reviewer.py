"""Under which name somebody reviews and comments."""

from __future__ import annotations

import streamlit as st

from pages.parts.people import login_is_on, person

KEPT = "reviewer"
"""In the link, so that a tab that was closed comes back to the same person, and in the session for the other pages."""


def reviewer() -> str:
    """The name that answers and comments are kept under."""
    if login_is_on():
        return person().name
    linked = st.query_params.get(KEPT)
    return linked or st.session_state.get(KEPT) or person().name


def call_me(name: str) -> None:
    """Go on under this name."""
    st.session_state[KEPT] = name.strip()


def name_field(key: str) -> str:
    """Who reviews: the login's name, or a field, whose content stays in the link and for the session."""
    if login_is_on():
        return person().name
    if st.session_state.get(key) != reviewer():
        st.session_state[key] = reviewer()

    def choose() -> None:
        call_me(st.session_state[key])
        st.query_params[KEPT] = reviewer()

    st.text_input(
        "Your name",
        key=key,
        max_chars=60,
        on_change=choose,
        width=260,
        help="Answers, decisions and comments are kept under it. Use the same name when you come back.",
    )
    return reviewer()
