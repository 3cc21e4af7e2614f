"""Files that a resumed run can make again when it finds them damaged, and how it says that it did."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from engine.store.errors import ErsatzError, RunDeleted
from engine.store.files import set_aside
from engine.store.runs import Run
from engine.store.versioned import LaterVersion

logger = logging.getLogger(__name__)

T = TypeVar("T")

UNREADABLE = (ErsatzError, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, EOFError)
"""What readers of JSON, CSV and Parquet raise for files that are damaged; Arrow's errors are among them."""


def whole(run: Run, path: Path, read: Callable[[Path], T], lost: str = "it is made again") -> T | None:
    """What `read` finds in a file that the run can make again; None when there is none yet, or it was damaged.

    A damaged one is set aside under another name, in case that somebody can save something of it; an alarm says so,
    and what that means (`lost`). One of a later version of this program is not damaged: `ErsatzError`.
    """
    if not (path.exists() or path.is_symlink()):
        return None
    try:
        return read(path)
    except (RunDeleted, LaterVersion):
        raise
    except UNREADABLE as error:
        aside = set_aside(path)
        reason = " ".join(str(error).split())[:200]
        tell(run, path.name, f"{path.name} was damaged ({reason}); {lost}. What was there is kept as {aside.name}.")
        return None


def tell(run: Run, what: str, sentence: str) -> None:
    """Say in the log and as an alarm of the run that something of it was repaired."""
    logger.warning(sentence)
    run.raise_alarm(f"repaired {what}", sentence)
