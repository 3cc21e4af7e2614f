"""Long work that somebody watches: it says how far it is, and stops when it is asked to."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from engine.store.errors import ErsatzError
from engine.store.progress import Progress, Report, ShouldStop, never, silent

REPORT_SECONDS = 0.25
"""Progress is reported this often at most, since a report may write a file."""


class ImportStopped(ErsatzError):
    """The import was asked to stop; nothing was written."""

    def __init__(self) -> None:
        super().__init__("The import was stopped as asked; nothing was written. Start it again any time.")


@dataclass
class Watched:
    """The two hooks of a stage of an import."""

    report: Report = silent
    should_stop: ShouldStop = never
    _last: float = field(default=0.0, init=False)

    def at(self, stage: str, done: float, total: float, unit: str = "images") -> None:
        """Say that `done` of `total` are done, not too often; raises `ImportStopped` when asked to stop."""
        if self.should_stop():
            raise ImportStopped
        if time.monotonic() - self._last > REPORT_SECONDS or done >= total:
            self._last = time.monotonic()
            self.report(Progress(stage, done, total, unit))


UNWATCHED = Watched()
