"""Why a picture is rejected: chosen once, it holds for every press until another reason is chosen."""

from __future__ import annotations

import streamlit as st

from engine.review.decisions import REASONS

USUAL, WORDS = "reject-because", "reject-words"
OTHER = "other…"


def reason_field() -> None:
    """The usual reasons, and room for others."""
    st.selectbox(
        "Reject because",
        [*REASONS, OTHER],
        key=USUAL,
        width=240,
        help="Every press on Reject gives this reason, until another is chosen.",
    )
    if st.session_state[USUAL] == OTHER:
        st.text_input("In your words", key=WORDS, max_chars=120, width=280)


def chosen_reason() -> str:
    """What the field says now, and not when the button was drawn."""
    chosen = st.session_state.get(USUAL, REASONS[0])
    return st.session_state.get(WORDS, "") if chosen == OTHER else chosen
