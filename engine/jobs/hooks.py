"""What a worker, or the first of several ranks, does towards the run folder: the two hooks, and errors as sentences."""

from __future__ import annotations

import signal
import time
from typing import Any

from engine.store.errors import ErsatzError, RunDeleted, is_out_of_memory
from engine.store.progress import Progress
from engine.store.runs import Run

REPORT_SECONDS = 0.2
LOOK_SECONDS = 0.2


class Hooks:
    """`report` and `should_stop` of one run, both cheap enough for an inner loop."""

    def __init__(self, run: Run, stages: tuple[str, ...] = ()):
        self._run = run
        self._stages = stages
        self._count: dict[str, Any] = {}
        """What was counted last of the run's own steps, whether it is written by now or not."""
        self._pending: Progress | None = None
        self._stage = ""
        self._reported = self._looked = 0.0
        self.stopping = False
        self.orphaned = False

    def report(self, progress: Progress) -> None:
        """Write progress to `status.json`, a few times a second at most, and a new stage at once."""
        if progress.stage in self._stages:
            self._count = self._counted(progress)
        self._pending = progress
        if progress.stage != self._stage or time.monotonic() - self._reported > REPORT_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the progress that is still waiting."""
        if self._pending is not None:
            progress, self._pending = self._pending, None
            self._run.update(**self._placed(progress))
            self._stage, self._reported = progress.stage, time.monotonic()

    def _placed(self, progress: Progress) -> dict[str, Any]:
        """The fields of `status.json`: which step of the run this is.

        What is none of its steps is named, with its own count, beside the count of the run as it was last.
        """
        if not self._stages:
            return {"stage": progress.stage, **_numbers(progress), "step": 0, "steps": 0}
        if progress.stage in self._stages or progress.total <= 1 or progress.unit == self._count.get("unit"):
            return {"stage": progress.stage, **self._count}
        named = f"{progress.stage}, {progress.done:,.0f} of {progress.total:,.0f} {progress.unit}"
        return {"stage": named, **self._count}

    def _counted(self, progress: Progress) -> dict[str, Any]:
        steps = len(self._stages) if len(self._stages) > 1 else 0
        step = self._stages.index(progress.stage) + 1 if steps else 0
        return {**_numbers(progress), "step": step, "steps": steps}

    def should_stop(self) -> bool:
        """Whether a stop was requested; looks at the disk a few times a second at most."""
        if not self.stopping and time.monotonic() - self._looked > LOOK_SECONDS:
            if not self._run.exists():
                raise RunDeleted(self._run.id)
            self.stopping = self._run.stop_requested()
            self._looked = time.monotonic()
        return self.stopping

    def heed_signals(self, warned: bool = False) -> None:
        """Take SIGTERM and SIGINT for requests to stop: a machine that shuts down loses nothing.

        `warned`: SIGUSR2 too, by which a scheduler tells a job that its time is nearly over.
        """
        for name in (signal.SIGTERM, signal.SIGINT, *([signal.SIGUSR2] if warned else [])):
            signal.signal(name, self.on_signal)

    def on_signal(self, *_: Any) -> None:
        """As if a stop was requested."""
        self.stopping = True

    def on_orphaned(self) -> None:
        """The supervisor has died: as if a stop was requested."""
        self.orphaned = self.stopping = True


def _numbers(progress: Progress) -> dict[str, Any]:
    return {"done": progress.done, "total": progress.total, "unit": progress.unit}


def sentence(error: Exception, run: Run) -> str:
    """What the user reads: the sentence of an `ErsatzError`, or one about memory, or where to find the stack trace."""
    if isinstance(error, ErsatzError):
        return str(error)
    text = f"{type(error).__name__}: {error}"
    if is_out_of_memory(error):
        return (
            "The memory ran out; choose a smaller batch or smaller images, or end other programs, "
            f"and start again. ({_shorten(text)})"
        )
    return (
        f"An error that Ersatz does not know ended the run ({_shorten(text)}). "
        f"The stack trace is at the end of {run.log_path}."
    )


def _shorten(text: str) -> str:
    first = text.strip().splitlines()[0]
    return first if len(first) <= 200 else first[:200] + "..."
