"""Ersatz: do synthetic images help a classifier of a small medical image set, how many, and can they be trusted?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.version import __version__

if TYPE_CHECKING:
    from engine.api import Run, Workspace

__all__ = ["Run", "Workspace", "__version__"]


def __getattr__(name: str) -> Any:
    """Loaded when asked for: `import engine` itself takes no time, and no torch."""
    if name in ("Run", "Workspace"):
        from engine import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
