"""Under which name somebody reviews and comments.

The name is in the session of the tab alone and never in an address: whoever opens a link is nobody yet. Addresses are
sent to others, kept in histories and written into the logs of servers.
"""

from __future__ import annotations

import streamlit as st

from pages.components.people import login_is_on, person

KEPT = "reviewer"
"""In the session, for all pages of this tab."""


def reviewer() -> str:
    """The name that answers and decisions are kept under: the login's, or what was entered; empty before that.

    Without a login nobody is taken for the machine's user: two people under one name would lose each other's answers.
    """
    return person().name if login_is_on() else st.session_state.get(KEPT, "")


def author() -> str:
    """The name under a comment."""
    return reviewer() or person().name


def name_field(key: str) -> None:
    """A field for the name where no login gives one; it stays for the session of this tab."""
    if login_is_on():
        return
    st.session_state[key] = reviewer()

    def choose() -> None:
        st.session_state[KEPT] = " ".join(st.session_state[key].split())

    st.text_input(
        "Your name",
        key=key,
        max_chars=60,
        on_change=choose,
        width=240,
        placeholder="So that others know who said it",
        help="Answers, decisions and comments are kept under it. Enter the same name when you come back: it is in no "
        "link, and a tab that is loaded anew does not know it any more.",
    )
