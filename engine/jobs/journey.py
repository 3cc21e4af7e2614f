"""A preset from import to verdict: a chain of ordinary runs, each made once and reused ever after.

import -> (folds) -> generators -> pool -> quality -> sweep as published, if there is one -> sound sweep beside it.
With folds, each has generators, a pool and a quality check of its own, and one sweep covers all of them.

Killed at any moment and started again, a journey picks up where it was: `ensure` reuses a finished run, attaches to
one that lives, and resumes one that was interrupted.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from engine.configs import (
    Config,
    Fold,
    GeneratorReference,
    ImportConfig,
    JourneyConfig,
    PoolConfig,
    QualityConfig,
    SweepConfig,
    parse_training,
)
from engine.datasets.dataset import Dataset
from engine.datasets.folds import make_folds
from engine.jobs.pool_size import images_per_class, needed_classes
from engine.jobs.submit import ensure, stop
from engine.presets import step_settings
from engine.store.about import about
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.progress import Outcome, Progress, Report, ShouldStop
from engine.store.runs import Run, State

POLL_SECONDS = 0.3


class _StopRequested(Exception):
    """Somebody asked the journey to stop; its current child has been stopped."""


@dataclass(frozen=True)
class _Part:
    """A data set, or one of its folds, with the checked pool that was made for it."""

    dataset: Dataset
    pool: Run
    quality: Run


@dataclass
class _Journey:
    """The chain while it runs: what was made so far, and the two hooks."""

    run: Run
    report: Report
    should_stop: ShouldStop
    result: dict[str, Any] = field(default_factory=dict)
    parts: list[_Part] = field(default_factory=list)

    @property
    def home(self) -> Home:
        return self.run.home

    def note(self, **result: Any) -> None:
        """Keep what was made in `status.json`, where the pages and the command line read it."""
        self.result.update(result)
        self.run.update(result=self.result)

    def note_part(self, step: str, child: Run) -> None:
        """Keep a run of which each fold has one: its id, or with folds the list of them."""
        earlier = [getattr(part, step).id for part in self.parts]
        self.note(**{step: [*earlier, child.id] if "folds" in self.result else child.id})

    def start(self, config: Config) -> Run:
        """Make sure that the run of this config exists and is on its way."""
        if self.should_stop():
            raise _StopRequested
        return ensure(self.home, config, owner=about(self.run).owner)

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
    """Every step of a preset in turn, to the report of its last sweep; returns how it ended."""
    settings = step_settings(config)
    journey = _Journey(run, report, should_stop)
    try:
        dataset = _import(journey, settings["import"])
        folds = _folds(journey, dataset, config.folds)
        sweeps = [step for step in ("published", "sweep") if settings[step]]
        for part in folds or [dataset]:  # a sweep that cannot be is refused before the generators are trained
            _pool_settings(settings, part, sweeps)
        for part in folds or [dataset]:
            place = f"Fold {len(journey.parts) + 1} of {len(folds)}: " if folds else ""
            generators = _train(journey, settings["train"], part, place)
            pool = _pool(journey, _pool_settings(settings, part, sweeps), part, generators, place)
            quality = _quality(journey, settings["quality"], part, pool, place)
            journey.parts.append(_Part(part, pool, quality))
        for step in sweeps:
            _sweep(journey, step, settings[step], dataset)
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


def _folds(journey: _Journey, dataset: Dataset, folds: int) -> list[Dataset]:
    """The data sets of a cross-validation; none without."""
    if not folds:
        return []
    journey.report(Progress(f"Divide into {folds} folds", 0, 1, "steps"))
    made = make_folds(dataset, folds)
    journey.note(folds=[fold.name for fold in made])
    return made


def _pool_settings(settings: dict[str, dict[str, Any]], dataset: Dataset, sweeps: list[str]) -> dict[str, Any]:
    """The settings of the pool with the classes and the number of images that the sweeps need, unless they say so."""
    parents = {"name": dataset.name, "dataset": dataset.name, "pool": "none yet"}
    configs = [SweepConfig.build({**parents, **settings[step]}) for step in sweeps]
    pool = {"only_classes": needed_classes(configs, dataset), **settings["pool"]}
    number = images_per_class(configs, dataset, pool.get("images_per_class", 0), pool["only_classes"])
    return {**pool, "images_per_class": number}


def _train(journey: _Journey, settings: dict[str, Any], dataset: Dataset, place: str) -> list[Run]:
    names = [""] if settings.get("conditional") else dataset.classes
    generators = []
    for index, name in enumerate(names, start=1):
        child = journey.start(parse_training({**settings, "dataset": dataset.name, "class_name": name}))
        generators.append(child)
        journey.note(train=[*journey.result.get("train", []), child.id])
        journey.follow(child, f"{place}Train generator {index} of {len(names)}" + (f" ({name})" if name else ""))
    return generators


def _pool(journey: _Journey, settings: dict[str, Any], dataset: Dataset, generators: list[Run], place: str) -> Run:
    references = tuple(GeneratorReference(run=generator.id) for generator in generators)
    values = {"name": dataset.name, **settings, "dataset": dataset.name, "generators": references}
    child = journey.start(PoolConfig.build(values))
    journey.note_part("pool", child)
    journey.follow(child, f"{place}Sample the pool")
    return child


def _quality(journey: _Journey, settings: dict[str, Any], dataset: Dataset, pool: Run, place: str) -> Run:
    values = {"name": dataset.name, **settings, "dataset": dataset.name, "pool": pool.id}
    child = journey.start(QualityConfig.build(values))
    journey.note_part("quality", child)
    journey.follow(child, f"{place}Check the pool")
    return child


def _sweep(journey: _Journey, step: str, settings: dict[str, Any], dataset: Dataset) -> None:
    """The sweep as published, or the sound one beside it; both lead to the same keys of the result, the last stays."""
    if "folds" in journey.result:
        folds = tuple(Fold(dataset=part.dataset.name, pool=part.pool.id) for part in journey.parts)
        images: dict[str, Any] = {"folds": folds}
    else:
        images = {"pool": journey.parts[0].pool.id, "quality": journey.parts[0].quality.id}
    name = f"{dataset.name} as published" if step == "published" else dataset.name
    values = {"name": name, **settings, "dataset": dataset.name, **images}
    if step == "sweep":
        values["beside"] = settings.get("beside", journey.result.get("published", ""))
    child = journey.start(SweepConfig.build(values))
    journey.note(**{step: child.id, "sweep": child.id})
    journey.follow(child, "Sweep as published" if step == "published" else "Sweep")
    journey.note(**child.status().result)
