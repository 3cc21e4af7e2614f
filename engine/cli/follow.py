"""Live bars for runs that live in processes of their own: one for each run, and a single one for a whole journey."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from engine.cli.output import notices
from engine.jobs.kinds import kind_shown
from engine.jobs.results import PipelineResult
from engine.jobs.submit import stop
from engine.jobs.whereabouts import job_of, placed
from engine.store.errors import ErsatzError
from engine.store.progress import duration
from engine.store.runs import HERE, Run, State, Status

POLL_SECONDS = 0.3
EXIT_STOPPED = 4
WATCHED_SECONDS = 4.0
"""Seconds that a run is watched before its time left is guessed."""


def follow(runs: Sequence[Run], titles: Sequence[str]) -> list[State]:
    """Show the progress of runs until all have ended.

    The first Ctrl-C stops them properly (they can be resumed); a second one leaves them in the background.
    """
    bars = _Bars()
    stopping = False
    with bars.progress:
        while True:
            try:
                states = [bars.show(run, title) for run, title in zip(runs, titles, strict=True)]
                if not any(state.is_active for state in states):
                    return states
                time.sleep(POLL_SECONDS)
            except KeyboardInterrupt:
                active = [run for run in runs if run.state().is_active]
                if stopping:
                    notices.print(f"It goes on in the background as {', '.join(run.id for run in active)}.")
                    raise
                stopping = True
                notices.print("Stopping at the next safe point; press Ctrl-C again to leave it in the background.")
                for run in active:
                    stop(run)


def follow_to_end(runs: Sequence[Run], titles: Sequence[str]) -> None:
    """`follow`, with the first failed run as an `ErsatzError` and stopped ones as the exit code 4."""
    states = follow(runs, titles)
    for run, state in zip(runs, states, strict=True):
        if state in (State.FAILED, State.INTERRUPTED):
            raise ErsatzError(
                run.status().error
                or f"Run {run.id} was interrupted. `python -m engine resume {run.id}` goes on from here."
            )
    if stopped := [run for run, state in zip(runs, states, strict=True) if state is not State.FINISHED]:
        for run in stopped:
            notices.print(f"Stopped. `python -m engine resume {run.id}` goes on from here.")
        raise typer.Exit(EXIT_STOPPED)


@dataclass
class _Bars:
    """One bar a run; on a terminal they move, elsewhere each stage is printed once."""

    progress: Progress = field(
        default_factory=lambda: Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[told]}"),
            TimeElapsedColumn(),
            console=notices,
        )
    )
    tasks: dict[str, TaskID] = field(default_factory=dict)
    told: dict[str, list[str]] = field(default_factory=dict)
    first: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)
    """When a stage of a run was first seen, and how much of it was done by then."""

    def show(self, run: Run, title: str) -> State:
        """One look at a run; its state."""
        status = run.status()
        state = run.state_of(status)
        if run.id not in self.tasks:
            self.tasks[run.id] = self.progress.add_task(title, total=None, told="")
        finished = state is State.FINISHED
        elsewhere = "" if status.place == HERE else placed(run.kind, status, state, job_of(run)).told
        stage = "" if finished else elsewhere or status.stage or str(state)
        self.progress.update(
            self.tasks[run.id],
            description=f"{title}: {stage}" if stage else title,
            total=1 if finished or status.total else None,
            completed=1 if finished else status.share or 0,
            told="" if finished else self._told(run, status),
        )
        if not state.is_active:
            self.progress.stop_task(self.tasks[run.id])
        if status.result and isinstance(made := kind_shown(run.kind).result_of(status), PipelineResult):
            for line in (made.size_sentence, made.mended, *made.notes):
                self._tell_once(run, line)
        if not notices.is_terminal:
            self._tell_once(run, f"{title}: {stage or state}")
        return state

    def _tell_once(self, run: Run, line: str) -> None:
        told = self.told.setdefault(run.id, [])
        if line and line not in told:
            told.append(line)
            notices.print(line, soft_wrap=True, markup=False)

    def _told(self, run: Run, status: Status) -> str:
        """How far it is and the time left, as far as that is known."""
        if not status.total:
            return ""
        if status.unit == "s":  # a journey that knows its time
            return f"about {duration(status.total - status.done)} left"
        if kind_shown(run.kind).made_of_runs:
            return f"step {int(status.done) + 1} of {status.total:.0f}"
        if status.steps > 1:
            return f"step {status.step} of {status.steps}, {status.done:.4g} of {status.total:.4g} {status.unit}"
        left = self._left(run, status)
        text = f"{status.done:.4g} of {status.total:.4g} {status.unit}"
        return text if left is None else f"{text}, about {duration(left)} left"

    def _left(self, run: Run, status: Status) -> float | None:
        """Seconds left in this stage at the speed seen; None until that is known."""
        seen, before = self.first.setdefault((run.id, status.stage), (time.monotonic(), status.done))
        elapsed, gained = time.monotonic() - seen, status.done - before
        return elapsed * (status.total - status.done) / gained if elapsed > WATCHED_SECONDS and gained > 0 else None
