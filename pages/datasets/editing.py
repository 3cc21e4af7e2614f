"""One change to a data set, as every part of the page does it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from pages.components.errors import done


def edited(working: str, edit: Callable[[], None]) -> None:
    """Do one change, then draw the page again; a change that is refused is one sentence."""
    with st.spinner(working):
        changed = done(edit)
    if changed:
        st.rerun()
