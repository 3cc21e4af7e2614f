"""Modules of other packages that add to the tables of this program: `ERSATZ_PLUGINS` names them, by commas."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

from engine.store.errors import ErsatzError

PLUGINS = "ERSATZ_PLUGINS"


def import_plugins() -> None:
    """Import every module that the environment names, once. Raises `ErsatzError` when one cannot be imported."""
    for module in filter(None, (name.strip() for name in os.environ.get(PLUGINS, "").split(","))):
        if module in sys.modules:
            continue
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise ErsatzError(
                f"{PLUGINS} names {module}, which cannot be imported ({error}); a Python module that calls "
                "engine.jobs.kinds.register or engine.configs.gans.register is expected. Install it, or take its name "
                "out."
            ) from error


def named(reference: str) -> Callable[..., Any]:
    """The function or class of "module:name", imported now."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)
