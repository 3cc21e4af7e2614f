"""How a worker notices at once that its supervisor has died, on every system and without asking again and again.

The supervisor holds the other end of the pipe that is the worker's standard input, and never writes: the end of the
file is the end of the supervisor, however it came. A worker without one must not go on alone, since nobody would record
how it ends, kill what it leaves behind, or heed a request to stop by force. So it stops at its next safe point, as when
it is asked to, and records that it was interrupted; one that does not reach a safe point within `GRACE_SECONDS` is
killed with all that it has started. Either way its locks are free then, and a resumed run ends in the same numbers.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

GRACE_SECONDS = 6.0
"""From the supervisor's death to that of a worker that has not stopped by then: a page tells within 10 seconds."""

SENTENCE = (
    "The process that watched over this run was ended from outside, so the run stopped too. "
    "Resume it, and it goes on from what it had saved."
)


def watch(orphaned: Callable[[], None]) -> None:
    """Call `orphaned` once the supervisor is dead, and end this process by force if it lives on for too long."""
    threading.Thread(target=_wait, args=(sys.stdin.fileno(), orphaned), name="lifeline", daemon=True).start()


def _wait(descriptor: int, orphaned: Callable[[], None]) -> None:
    with suppress(OSError):
        while os.read(descriptor, 1):
            pass
    orphaned()
    time.sleep(min(GRACE_SECONDS, float(os.environ.get("ERSATZ_STOP_GRACE", GRACE_SECONDS))))
    end_children()
    psutil.Process().kill()


def end_children() -> None:
    """Kill what this process has started, in other sessions too; the supervisor would have done so."""
    with suppress(psutil.Error):
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                process.kill()
