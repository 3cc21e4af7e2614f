"""A preset from import to verdict: a chain of ordinary runs, each made once and reused ever after.

Killed at any moment and started again, a journey picks up where it was: `ensure` reuses a finished run, attaches to
one that lives, and resumes one that was interrupted.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from engine.configs import (
    Config,
    GeneratorReference,
    ImportConfig,
    JourneyConfig,
    PoolConfig,
    SweepConfig,
    parse_training,
)
from engine.datasets.dataset import Dataset
from engine.jobs.submit import ensure, stop
from engine.presets import step_settings
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.progress import Outcome, Progress, Report, ShouldStop
from engine.store.runs import Run, State

POLL_SECONDS = 0.3


class _StopRequested(Exception):
    """Somebody asked the journey to stop; its current child has been stopped."""


@dataclass
class _Journey:
    """The chain while it runs: what was made so far, and the two hooks."""

    run: Run
    report: Report
    should_stop: ShouldStop
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def home(self) -> Home:
        return self.run.home

    def note(self, **result: Any) -> None:
        """Keep what was made in `status.json`, where the pages and the command line read it."""
        self.result.update(result)
        self.run.update(result=self.result)

    def start(self, config: Config) -> Run:
        """Make sure that the run of this config exists and is on its way."""
        if self.should_stop():
            raise _StopRequested
        return ensure(self.home, config)

    def follow(self, child: Run, title: str) -> None:
        """Mirror the child's progress until it finishes."""
        stopping = False
        while (state := child.state()).is_active:
            status = child.status()
            self.report(Progress(title, status.done, status.total, status.unit))
            if self.should_stop() and not stopping:
                stop(child)
                stopping = True
            time.sleep(POLL_SECONDS)
        if state is State.FINISHED:
            return
        if stopping or state in (State.STOPPED, State.CANCELLED):
            raise _StopRequested
        reason = child.status().error or f"Its worker ended without a word; the last lines are in {child.log_path}."
        raise ErsatzError(f"The step '{title}' did not finish. {reason}")


def run_journey(run: Run, config: JourneyConfig, report: Report, should_stop: ShouldStop) -> Outcome:
    """Import, train a generator a class, sample a pool, sweep and report; returns how it ended."""
    settings = step_settings(config)
    journey = _Journey(run, report, should_stop)
    try:
        dataset = _import(journey, settings["import"])
        generators = _train(journey, settings["train"], dataset)
        pool = _pool(journey, settings["pool"], dataset, generators)
        _sweep(journey, settings["sweep"], dataset, pool)
    except _StopRequested:
        return "stopped"
    return "finished"


def _import(journey: _Journey, settings: dict[str, Any]) -> Dataset:
    config = ImportConfig.build(settings)
    if journey.home.dataset(config.name).is_dir():
        dataset = Dataset.open(journey.home, config.name)
        if dataset.info["config"] != config.plain():
            raise ErsatzError(
                f"There is a data set {config.name} already that was imported with other settings; "
                "a name of its own is expected. Delete that one, or choose another name with --set import.name=NAME."
            )
    else:
        child = journey.start(config)
        journey.note(**{"import": child.id})
        journey.follow(child, "Import")
        dataset = Dataset.open(journey.home, config.name)
    dataset.require_frozen()
    journey.note(dataset=dataset.name)
    return dataset


def _train(journey: _Journey, settings: dict[str, Any], dataset: Dataset) -> list[Run]:
    names = [""] if settings.get("conditional") else dataset.classes
    generators = []
    for index, name in enumerate(names, start=1):
        child = journey.start(parse_training({**settings, "dataset": dataset.name, "class_name": name}))
        generators.append(child)
        journey.note(train=[generator.id for generator in generators])
        journey.follow(child, f"Train generator {index} of {len(names)}" + (f" ({name})" if name else ""))
    return generators


def _pool(journey: _Journey, settings: dict[str, Any], dataset: Dataset, generators: list[Run]) -> Run:
    references = tuple(GeneratorReference(run=generator.id) for generator in generators)
    values = {"name": dataset.name, **settings, "dataset": dataset.name, "generators": references}
    child = journey.start(PoolConfig.build(values))
    journey.note(pool=child.id)
    journey.follow(child, "Sample the pool")
    return child


def _sweep(journey: _Journey, settings: dict[str, Any], dataset: Dataset, pool: Run) -> None:
    values = {"name": dataset.name, **settings, "dataset": dataset.name, "pool": pool.id}
    child = journey.start(SweepConfig.build(values))
    journey.note(sweep=child.id)
    journey.follow(child, "Sweep")
    journey.note(**child.status().result)
