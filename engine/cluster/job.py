"""`<run>/job.json`: the jobs of a run on the cluster, and what the scheduler last said of them."""

from __future__ import annotations

from contextlib import suppress
from typing import Self

from engine.cluster.states import JobState
from engine.store.errors import ErsatzError, Missing
from engine.store.runs import Run
from engine.store.versioned import Versioned

JOB_FILE = "job.json"

SPREAD = "its trials go to the cluster"
"""The stage of a sweep that has left its trials to others."""
WANTS_TO_GO_ON = "saved, and goes on in a new job"
"""The stage of a run whose job was about to end."""


class Job(Versioned):
    """The jobs of a run, in the supervisor's words for the pages: `status.json` stays the truth of the work itself."""

    ids: tuple[str, ...] = ()
    """As squeue writes them: 123, or 123_0, 123_1, ... for the tasks of an array."""
    parts: bool = False
    """Whether they are groups of a sweep's trials, and not the run's own worker."""
    submitted: float = 0.0
    """Unix time."""
    id: str = ""
    """The job that the following tells of: one that runs, if any does."""
    state: str = ""
    """The scheduler's word, such as PENDING; empty before it was asked."""
    reason: str = ""
    """The scheduler's word for why it waits, such as Resources."""
    node: str = ""
    words: str = ""
    """What it waits for, for a person; empty while it runs."""
    start: float | None = None
    """Unix time at which the scheduler expects it to start, or at which it has started."""
    running: int = 0
    waiting: int = 0

    @classmethod
    def read(cls, run: Run) -> Self | None:  # type: ignore[override]
        """The jobs of a run; None where it has none. `ErsatzError` when the file is damaged."""
        try:
            return super().read(run.path / JOB_FILE)
        except Missing:
            return None

    @classmethod
    def of(cls, run: Run) -> Self:
        """As `read`, with no jobs where it has none."""
        return cls.read(run) or cls()

    def write(self, run: Run) -> None:
        """Write the file, if it says something new; no folder is made again for a run that was deleted."""
        if not run.exists():
            return
        with suppress(ErsatzError):  # a damaged one is written anew
            if self == self.read(run):
                return
        self.write_to(run.path / JOB_FILE)

    def mirroring(self, shown: JobState, words: str, running: int, waiting: int) -> Self:
        """The same jobs, with what the scheduler says of them now."""
        said = {"id": shown.id, "state": shown.state, "reason": shown.reason, "node": shown.node, "start": shown.start}
        return self.model_copy(update={**said, "words": words, "running": running, "waiting": waiting})
