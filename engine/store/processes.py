"""Modules of the engine as processes of their own, wherever the program is installed and whatever folder it is in."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

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
