"""pip as it is called here, and its failures in one sentence."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from engine.store import disk
from engine.store.errors import ErsatzError

OFFLINE = ("connection broken", "NewConnectionError", "Max retries exceeded", "name resolution", "timed out")
"""What pip says where it cannot reach its index."""
NO_SPACE = "No space left on device"


def run_pip(words: Sequence[str], temporary: Path, tell: Callable[[str], None], what: str, hint: str = "") -> None:
    """Run pip to its end, from wherever it is configured to download; its larger downloads are told.

    pip unpacks in `temporary`, because the system's temporary folder may be a small one in memory. An `ErsatzError`
    when it fails, which says of `what` pip was asked, and of a missing wheel the `hint`.
    """
    if find_spec("pip") is None:
        raise ErsatzError(
            f"The environment of {sys.executable} has no pip, with which wheels are downloaded. "
            "Install it with `python -m ensurepip`, and start again."
        )
    disk.make_folder(temporary)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *words]
    environment = os.environ | {"TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"}
    lines = []
    with disk.spawn(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment
    ) as process:
        for line in process.stdout or ():
            lines.append(line.strip())
            if re.match(r"Downloading \S+ \([\d.]+ [MG]B\)", line.strip()):
                tell(line.strip())
    if process.returncode:
        raise ErsatzError(failure("\n".join(lines), what, hint))


def failure(said: str, what: str, hint: str = "") -> str:
    """One sentence for what pip `said` before it failed."""
    if NO_SPACE in said:
        return f"The disk became full while pip fetched {what}; nothing was half-written. Free some, and start again."
    if any(sign in said for sign in OFFLINE):
        return (
            f"pip could not reach its package index for {what}; a machine with internet is expected, or a mirror that "
            "pip is configured with (`pip config list`). Start again there: what came already is in pip's cache."
        )
    if lacking := re.search(r"No matching distribution found for (.+)", said):
        return f"There is no wheel of {lacking[1].partition(';')[0].strip()} for {what}. {hint}".strip()
    if "ResolutionImpossible" in said:
        told = re.search(r"Cannot install (.+) because", said)
        which = f": {told[1]}" if told else ""
        return f"Requirements contradict each other for {what}{which}. {hint}".strip()
    errors = [line for line in said.splitlines() if line.lower().startswith("error")]
    last = (errors or said.splitlines() or ["it said nothing"])[-1]
    return f"pip failed for {what}: {last.removeprefix('ERROR: ')} Run `python -m pip --version` to look at pip itself."
