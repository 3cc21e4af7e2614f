"""The two hooks between the engine and whatever shows it: `report` and `should_stop`."""

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
Outcome = Literal["finished", "stopped"]


def silent(_: Progress) -> None:
    """A `report` that shows nothing."""


def never() -> bool:
    """A `should_stop` that never stops."""
    return False
