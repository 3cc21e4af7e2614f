"""Writing from a press, with the one sentence when it cannot be done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from engine.store.errors import ErsatzError

UNSAVED = "review-unsaved"


def saved(change: Callable[[], object]) -> bool:
    """Whether `change` could be made; else its sentence is on the page."""
    try:
        change()
    except ErsatzError as error:
        st.error(str(error), icon=":material/error:")
        return False
    return True


def keep(change: Callable[..., object], *arguments: Any) -> None:
    """For `on_click`: make `change` before the page is drawn; `show_unsaved` says why it could not be made."""
    try:
        change(*arguments)
    except ErsatzError as error:
        st.session_state[UNSAVED] = str(error)


def show_unsaved() -> None:
    """The sentence of a press that could not be kept."""
    if sentence := st.session_state.pop(UNSAVED, ""):
        st.error(sentence, icon=":material/error:")
