"""Modules of the engine as processes of their own, wherever the program is installed and whatever folder it is in."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from engine.store import disk
from engine.store.errors import ErsatzError
from engine.store.home import REPOSITORY, is_checkout


def module_command(module: str, *arguments: str) -> list[str]:
    """Start `python -m module`. `-P` keeps the working directory out of the imports: it may hold anything."""
    return [sys.executable, "-P", "-m", module, *arguments]


def module_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """`environment` in which a module of the engine is found, also from a checkout that was not installed."""
    if not is_checkout():
        return dict(environment)
    others = environment.get("PYTHONPATH")
    return {**environment, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *([others] if others else [])])}


def start(command: Sequence[str], **arguments: Any) -> subprocess.Popen[Any]:
    """`subprocess.Popen`; an `ErsatzError` when the system does not let it start."""
    try:
        return disk.spawn(command, **arguments)
    except OSError as error:
        raise ErsatzError(
            f"No process could be started ({error.strerror}); {command[0]} and some free memory are expected. Mend "
            "that, and start or resume the run again."
        ) from error
