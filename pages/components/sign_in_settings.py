"""Whether people sign in at this dashboard, decided so that a mistake shuts people out and lets nobody in.

Streamlit takes secrets that it cannot read for secrets that there are not, and reads them anew when they change: a
mistyped character, or the moment in which an editor replaces the file, would otherwise make everybody an editor.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

_had = False
"""Whether this server has had a sign-in; it then has one until it ends."""


def auth() -> dict[str, Any] | None:
    """The part `[auth]` of the secrets; None when there is none, or none that can be read."""
    if not st.secrets.load_if_toml_exists():
        return None
    section = st.secrets.get("auth")
    return dict(section) if isinstance(section, Mapping) else None


def are_readable() -> bool:
    """Whether no file with secrets is there that cannot be read."""
    return st.secrets.load_if_toml_exists() or not any(Path(file).exists() for file in st.get_option("secrets.files"))


def is_required() -> bool:
    """Whether people have to sign in."""
    return _had or auth() is not None or not are_readable()


def remember() -> None:
    """Called by the server itself: where people sign in now, they do so until it ends."""
    global _had
    _had = _had or is_required()
