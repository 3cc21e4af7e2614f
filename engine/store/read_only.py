"""The read-only mode of a public demo: with `ERSATZ_READ_ONLY=1` this process writes nothing to the home."""

from __future__ import annotations

import os
from pathlib import Path

from engine.store.errors import ErsatzError
from engine.store.home import Home

READ_ONLY = "ERSATZ_READ_ONLY"
"""Set to 1 for a public demo: all users are viewers, and nothing is written."""

SENTENCE = "This is a read-only demo: nothing can be changed here. Install Ersatz to do this with your own images."


def read_only() -> bool:
    """Whether this process serves a public demo."""
    return os.environ.get(READ_ONLY, "") not in ("", "0")


def refuse_writing(path: Path) -> None:
    """Raise `ErsatzError` in a public demo if `path` is in the home; the store asks before everything it writes."""
    if read_only() and path.absolute().is_relative_to(Home.from_environment().root):
        raise ErsatzError(SENTENCE)
