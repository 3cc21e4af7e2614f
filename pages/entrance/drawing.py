"""Draws a page: a user's error is one sentence, and what somebody else has just deleted is no error at all."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from engine.store.errors import ErsatzError, Missing
from pages.components.errors import show_error
from pages.components.page_end import PageEnded

TRIES = "drawn-again"
MOST_TRIES = 2


def draw(page: Callable[[], None]) -> None:
    """Draw a page, and once more when a run or data set went between two looks at it: its lists are without it then."""
    try:
        page()
    except PageEnded:
        pass
    except Missing as error:
        tries = st.session_state.get(TRIES, 0)
        if tries < MOST_TRIES:
            st.session_state[TRIES] = tries + 1
            st.rerun()
        show_error(error)
    except ErsatzError as error:
        show_error(error)
    st.session_state[TRIES] = 0
