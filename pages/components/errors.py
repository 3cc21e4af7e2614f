"""What could not be done, and why: an error's one sentence on the page instead of a stack trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import streamlit as st

from engine.store.errors import ErsatzError
from pages.components.format import plain_sentence

Made = TypeVar("Made")

UNSAVED = "unsaved"


def show_error(error: object) -> None:
    """The one sentence of an error, in which a file's name is never more than text."""
    st.error(plain_sentence(error), icon=":material/error:")


def done(change: Callable[..., object], *arguments: Any) -> bool:
    """Whether `change` could be made; else its sentence is on the page."""
    try:
        change(*arguments)
    except ErsatzError as error:
        show_error(error)
        return False
    return True


def made(make: Callable[[], Made]) -> Made | None:
    """What `make` gives; None, after its sentence, when it cannot."""
    try:
        return make()
    except ErsatzError as error:
        show_error(error)
        return None


def keep(change: Callable[..., object], *arguments: Any) -> None:
    """For `on_click`: make `change` before the page is drawn; `show_unsaved` says why it could not be made."""
    try:
        change(*arguments)
    except ErsatzError as error:
        st.session_state[UNSAVED] = str(error)


def show_unsaved() -> None:
    """The sentence of a press that could not be kept."""
    if why := st.session_state.pop(UNSAVED, ""):
        show_error(why)
