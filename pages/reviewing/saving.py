"""Writing from a press, with the one sentence when it cannot be done."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from engine.store.errors import ErsatzError
from pages.parts.people import Role, require


def saved(change: Callable[[], object], role: Role = Role.REVIEWER) -> bool:
    """Whether `change` could be made by somebody with this role; else its sentence is on the page."""
    try:
        require(role)
        change()
    except ErsatzError as error:
        st.error(str(error), icon=":material/error:")
        return False
    return True
