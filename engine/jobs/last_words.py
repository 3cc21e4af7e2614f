"""How a worker died, in sentences: from its exit code, and the last lines of its log."""

from __future__ import annotations

import os
import signal
from pathlib import Path


def death(returncode: int) -> str:
    """What an exit code, or the signal that it stands for, says to a person."""
    if returncode >= 0:
        return f"The worker ended with exit code {returncode} before it had finished."
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    hint = "Resume it, and it goes on from what it had saved."
    if name == "SIGKILL":
        hint = (
            "Most often the system had run out of memory: resume it with fewer other programs running, "
            "or start it again with a smaller batch."
        )
    return f"The worker was killed by {name} before it had finished. {hint}"


def last_lines(log: Path, count: int = 3) -> str:
    """The end of a log in one sentence; empty for an empty log."""
    with log.open("rb") as file:
        file.seek(max(file.seek(0, os.SEEK_END) - 4000, 0))
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    return f"The log ends with: {' | '.join(lines[-count:])}" if lines else ""
