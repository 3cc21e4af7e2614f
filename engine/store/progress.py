"""The two hooks between the engine and whatever shows it: `report` and `should_stop`; and times in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Progress:
    """How far a run is: `done` of `total`, counted in `unit` (`kimg`, `images`, `trials`, ...)."""

    stage: str
    done: float
    total: float
    unit: str


Report = Callable[[Progress], None]
ShouldStop = Callable[[], bool]
Outcome = Literal["finished", "stopped", "spread"]
"""How a worker's part of a run has ended; "spread": what is left was left to others."""


def silent(_: Progress) -> None:
    """A `report` that shows nothing."""


def never() -> bool:
    """A `should_stop` that never stops."""
    return False


def duration(seconds: float) -> str:
    """Such as 40 s, 12 min, 3.5 h or 4.2 days."""
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.{0 if unit == 'min' else 1}f} {unit}"
    return f"{seconds:.0f} s"
