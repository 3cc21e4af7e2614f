"""What a projection has found, for everybody who reads it without torch."""

from __future__ import annotations

from engine.store.versioned import Number, Result


class ProjectionResult(Result):
    """How near the picture comes to the real image."""

    loss: str
    """The distance that was made small: lpips or pixels."""
    distance: Number
    distance_of_w_alone: Number
    """With the generator's own noise planes."""
    notice: str
    """Why another distance was taken than the one asked for; empty when it was that one."""
