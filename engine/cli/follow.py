"""Progress bars for runs that live in processes of their own."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from engine.cli.output import notices
from engine.jobs.submit import stop
from engine.store.errors import ErsatzError
from engine.store.runs import Run, State

POLL_SECONDS = 0.3
EXIT_STOPPED = 4
JOURNEY_CHILDREN = ("import", "train", "pool", "quality", "published", "sweep")


def follow(run: Run, title: str) -> State:
    """Show the run's progress, and a journey's step by step, until it ends.

    The first Ctrl-C stops the run properly (it can be resumed); a second one leaves it in the background.
    """
    bars = _Bars()
    stopping = False
    with bars.progress:
        while True:
            try:
                state = run.state()
                for child, label in _children(run, title):
                    bars.show(child, label)
                if not state.is_active:
                    return state
                time.sleep(POLL_SECONDS)
            except KeyboardInterrupt:
                if stopping:
                    notices.print(f"It goes on in the background as {run.id}.")
                    raise
                stopping = True
                notices.print("Stopping at the next safe point; press Ctrl-C again to leave it in the background.")
                stop(run)


def follow_to_end(run: Run, title: str) -> Run:
    """`follow`, with a failed run as an `ErsatzError` and a stopped one as the exit code 4."""
    state = follow(run, title)
    if state is State.FINISHED:
        return run
    if state in (State.STOPPED, State.CANCELLED):
        notices.print(f"Stopped. `python -m engine resume {run.id}` goes on from here.")
        raise typer.Exit(EXIT_STOPPED)
    raise ErsatzError(
        run.status().error or f"Run {run.id} was interrupted. `python -m engine resume {run.id}` goes on from here."
    )


def _children(run: Run, title: str) -> list[tuple[Run, str]]:
    """The runs to show: a journey's steps as far as they exist, else the run itself."""
    if run.kind != "journey":
        return [(run, title)]
    result = run.status().result
    steps = [(step, result[step]) for step in JOURNEY_CHILDREN if step in result]
    children = [(step, ids) for step, value in steps for ids in (value if isinstance(value, list) else [value])]
    runs = [(Run(run.home, run_id), _label(step, Run(run.home, run_id))) for step, run_id in children]
    return [(child, label) for child, label in runs if child.exists()]


def _label(step: str, run: Run) -> str:
    class_name = (run.config().get("class_name") if run.exists() else "") or ""
    return f"{step} {class_name}".strip()


@dataclass
class _Bars:
    """One bar a run; on a terminal they move, elsewhere each stage is printed once."""

    progress: Progress = field(
        default_factory=lambda: Progress(
            TextColumn("{task.description:<24}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]:<8}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[stage]}"),
            console=notices,
        )
    )
    tasks: dict[str, TaskID] = field(default_factory=dict)
    stages: dict[str, str] = field(default_factory=dict)

    def show(self, run: Run, label: str) -> None:
        status = run.status()
        state = run.state()
        if run.id not in self.tasks:
            self.tasks[run.id] = self.progress.add_task(label, total=None, unit="", stage="")
        finished = state is State.FINISHED
        total = status.total or None
        self.progress.update(
            self.tasks[run.id],
            total=1 if finished and total is None else total,
            completed=(total or 1) if finished else status.done,
            unit=status.unit,
            stage="" if finished else status.stage or str(state),
        )
        if not state.is_active:
            self.progress.stop_task(self.tasks[run.id])
        if not notices.is_terminal and self.stages.get(run.id) != (line := f"{state} {status.stage}".strip()):
            self.stages[run.id] = line
            notices.print(f"{label}: {line}")
