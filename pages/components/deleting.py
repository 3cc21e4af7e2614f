"""The button that deletes: red, as nothing else is.

Streamlit has no red button; a red label, of which the icon is a part, is what it offers without styles of our own.
"""

from __future__ import annotations

from typing import Literal

import streamlit as st

from pages.components.people import Role, guarded


def delete_button(
    label: str,
    key: str,
    *,
    role: Role = Role.EDITOR,
    disabled: bool = False,
    kind: Literal["secondary", "tertiary"] = "secondary",
) -> bool:
    """Whether it was pressed. Grey where it cannot be: a red one would look as if it could."""
    state = guarded(role, disabled=disabled)
    if state["disabled"]:
        return st.button(label, key=key, type=kind, icon=":material/delete:", **state)
    return st.button(f":red[:material/delete: {label}]", key=key, type=kind, **state)
