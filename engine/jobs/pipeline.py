"""A preset from import to verdict: a chain of ordinary runs, each made once and reused ever after.

import -> (folds) -> generators -> pool -> quality -> sweep as published, if there is one -> sound sweep beside it.
With folds, each has generators, a pool and a quality check of its own, and one sweep covers all of them. The generators
are trained side by side where the devices allow. Of a pipeline that has a size, the time left is known throughout.

Killed at any moment and started again, a pipeline picks up where it was: `ensure` reuses a finished run, attaches to
one that lives, and resumes one that was interrupted.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from engine.configs import (
    Config,
    Fold,
    GeneratorReference,
    ImportConfig,
    PipelineConfig,
    PoolConfig,
    QualityConfig,
    SweepConfig,
    TrainConfig,
)
from engine.datasets.dataset import Dataset
from engine.datasets.editing import MENDABLE, import_changes
from engine.datasets.finalize import MOVED
from engine.datasets.folds import make_folds
from engine.features.sources import resolve_weights
from engine.jobs.kinds import kind_of
from engine.jobs.pool_size import images_per_class, needed_classes
from engine.jobs.prepare import prepare_import, prepare_sweep
from engine.jobs.results import PipelineResult
from engine.jobs.sizing import size_of
from engine.jobs.submit import ensure, resume, stop, trainings_by_class
from engine.publications.presets import STEPS, step_settings
from engine.store.about import about
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.progress import Outcome, Progress, Report, ShouldStop
from engine.store.runs import HERE, RESUMABLE, Run, State, find_runs
from engine.sweep.plans import register
from engine.sweep.results import SweepResult
from engine.sweep.standing import standing_of_plan

POLL_SECONDS = 0.3
BROKEN = frozenset({State.FAILED, State.INTERRUPTED})


class _StopRequested(Exception):
    """The pipeline was asked to stop; its current child has been stopped."""


@dataclass(frozen=True)
class _Part:
    """A data set, or one of its folds, with the checked pool that was made for it."""

    dataset: Dataset
    pool: Run
    quality: Run


@dataclass
class _Pipeline:
    """The chain while it runs: what was made so far, how much is ahead, and the two hooks."""

    run: Run
    report: Report
    should_stop: ShouldStop
    result: PipelineResult = field(default_factory=PipelineResult)
    parts: list[_Part] = field(default_factory=list)
    ahead: list[Run] = field(default_factory=list)
    """Generators of folds whose turn may be yet to come."""
    steps: int = 1
    """Steps of the whole pipeline, as far as they are known."""
    done: int = 0
    expected: list[float] = field(default_factory=list)
    """Seconds that each step should take; empty where that is not known."""
    began: float = field(default_factory=time.monotonic)

    @property
    def home(self) -> Home:
        return self.run.home

    @property
    def on_cluster(self) -> bool:
        """Whether its runs are done by a cluster, which has room for many at once."""
        return self.run.status().place != HERE

    def note(self, **result: Any) -> None:
        """Keep what was made in `status.json`, where the pages and the command line read it."""
        self.result = self.result.model_copy(update=result)
        self.run.update(result=self.result.plain())

    def note_part(self, step: str, child: Run) -> None:
        """Keep a run of which each fold has one."""
        self.note(**{step: (*(getattr(part, step).id for part in self.parts), child.id)})

    def start(self, config: Config, beside: int = 1) -> Run:
        """Make sure that the run of this config exists and is on its way."""
        if self.should_stop():
            raise _StopRequested
        place = self.run.status().place if kind_of(config).can_go else HERE
        return ensure(self.home, config, owner=about(self.run).owner, beside=beside, place=place)

    def follow(self, children: Sequence[Run], title: str) -> None:
        """Mirror the progress of a step's runs until all have ended; where one does not finish, the others stop too."""
        began, before = time.monotonic(), _share(children)
        stopping = False
        while True:
            states = [child.state() for child in children]
            if not any(state.is_active for state in states):
                break
            self._tell(title, time.monotonic() - began, before, _share(children))
            if not stopping and (self.should_stop() or any(state in RESUMABLE for state in states)):
                stopping = True
                _stop_all(children)
            time.sleep(POLL_SECONDS)
        self.done += 1
        if all(state is State.FINISHED for state in states):
            return
        failed = [child for child, state in zip(children, states, strict=True) if state in BROKEN]
        if not failed or self.should_stop():
            raise _StopRequested
        reason = failed[0].status().error or f"Its worker ended without a word; see the end of {failed[0].log_path}."
        raise ErsatzError(f"The step '{title}' did not finish. {reason}")

    def _tell(self, title: str, elapsed: float, before: float, share: float) -> None:
        """Report the seconds that are over and those that are expected; or steps, where no time is known.

        `share` of the present step is done, of which the seconds `elapsed` brought what is more than `before`.
        """
        expected = self.expected[self.done :]
        if not expected:
            self.report(Progress(title, self.done + share, self.steps, "steps"))
            return
        # What was expected of this step gives way to what is seen of it, the more of it is seen.
        gained = share - before
        weight = min(1.0, 4 * gained)
        seen = elapsed * (1 - share) / gained if gained else 0.0
        left = weight * seen + (1 - weight) * max(expected[0] * (1 - before) - elapsed, 0.0) + sum(expected[1:])
        over = time.monotonic() - self.began
        self.report(Progress(title, over, over + left, "s"))


def _share(runs: Sequence[Run]) -> float:
    """How much of the runs of a step is done, from 0 to 1; their other stages take next to no time."""
    done = 0.0
    for run in runs:
        status = run.status()
        if run.state_of(status) is State.FINISHED:
            done += 1
        elif status.total and status.unit in ("kimg", "trials"):
            done += min(1.0, status.done / status.total)
    return done / len(runs)


def execute(run: Run, config: PipelineConfig, report: Report, should_stop: ShouldStop) -> Outcome:
    """The whole pipeline, once every network that it will ask for is here; returns how it ended."""
    settings = step_settings(config)
    sweeps = [settings[step] for step in ("published", "sweep") if settings[step]]
    networks = {(sweep.get("classifier", "small-cnn"), sweep.get("weights", "")) for sweep in sweeps}
    networks.add((settings["quality"].get("extractor", "auto"), settings["quality"].get("weights", "")))
    for name, weights in sorted(networks):
        if name not in ("small-cnn", "auto", "pixels"):
            # Found or downloaded now: their lack must not show after hours of training.
            resolve_weights(name, weights)
    return run_pipeline(run, config, report, should_stop)


def run_pipeline(run: Run, config: PipelineConfig, report: Report, should_stop: ShouldStop) -> Outcome:
    """Every step of a preset in turn, to the report of its last sweep; returns how it ended."""
    pipeline = _Pipeline(run, report, should_stop)
    try:
        settings = _sized(pipeline, config)
        dataset = _import(pipeline, settings["import"])
        folds = _folds(pipeline, dataset, config.folds)
        sweeps = [step for step in ("published", "sweep") if settings[step]]
        pipeline.steps = 1 + 3 * len(folds or [dataset]) + len(sweeps)
        for part in folds or [dataset]:  # a sweep that cannot be is refused before the generators are trained
            _pool_settings(settings, part, sweeps)
        if pipeline.on_cluster:
            _train_ahead(pipeline, settings["train"], folds, config.generators)
        for part in folds or [dataset]:
            place = f"Fold {len(pipeline.parts) + 1} of {len(folds)}: " if folds else ""
            generators = _train(pipeline, settings["train"], part, place, config.generators)
            pool = _pool(pipeline, _pool_settings(settings, part, sweeps), part, generators, place)
            quality = _quality(pipeline, settings["quality"], part, pool, place)
            pipeline.parts.append(_Part(part, pool, quality))
        _register(pipeline, settings, sweeps, dataset)
        for step in sweeps:
            _sweep(pipeline, step, settings[step], dataset)
    except _StopRequested:
        _stop_all(pipeline.ahead)
        return "stopped"
    except ErsatzError:
        _stop_all(pipeline.ahead)
        raise
    return "finished"


def _stop_all(runs: Sequence[Run]) -> None:
    for run in runs:
        with suppress(ErsatzError):  # it has ended by now
            stop(run)


def _sized(pipeline: _Pipeline, config: PipelineConfig) -> dict[str, dict[str, Any]]:
    """The settings of every step in the size of the pipeline, which may first have to be found."""
    if not config.size:
        return step_settings(config)
    pipeline.report(Progress("Measure this machine", 0, 1, "steps"))
    sized = size_of(pipeline.run, config)
    pipeline.note(size=sized.size, size_sentence=sized.sentence)
    settings = step_settings(config, sized.size)
    if not config.folds:
        pipeline.expected = [sized.seconds[step] for step in STEPS if settings[step]]
    return settings


def _import(pipeline: _Pipeline, settings: dict[str, Any]) -> Dataset:
    config = ImportConfig.build(settings)
    if pipeline.home.dataset(config.name).is_dir():
        pipeline.done += 1
        dataset = Dataset.open(pipeline.home, config.name)
        _note_import(pipeline, config, dataset)
        pipeline.note(mended=_as_it_is(dataset, config))
    else:
        child = pipeline.start(config)
        pipeline.note(imported=child.id)
        pipeline.follow([child], "Import")
        dataset = Dataset.open(pipeline.home, config.name)
    pipeline.note(notes=(*dataset.info.provenance.notes, *dataset.info.provenance.offers))
    try:
        dataset.require_frozen()
    except ErsatzError as error:
        if dataset.frozen:
            raise
        raise ErsatzError(f"{error} After that, the same journey goes on from there.") from None
    pipeline.note(dataset=dataset.name)
    return dataset


def _note_import(pipeline: _Pipeline, config: ImportConfig, dataset: Dataset) -> None:
    """The import that a journey which is taken up again has made; one that was killed at its last word says it now."""
    for run in find_runs(pipeline.home, prepare_import(pipeline.home, config).plain()):
        with suppress(ErsatzError):  # deleted meanwhile, or damaged, or somebody else was quicker to resume it
            pipeline.note(imported=run.id)
            if run.state() in BROKEN and not import_changes(dataset, config):
                resume(run)
            return


def _as_it_is(dataset: Dataset, config: ImportConfig) -> str:
    """A sentence on what was changed after the import; an `ErsatzError` when it was another import.

    What can be mended afterwards (remedies, split, moves, findings that were accepted) may differ from the settings:
    whoever changed it by hand has looked at the data.
    """
    changes = import_changes(dataset, config)
    others = [f"{name} {_told(there)} (asked for: {_told(wanted)})" for name, (there, wanted) in changes.items()]
    if set(changes) - MENDABLE:
        raise ErsatzError(
            f"There is a data set {config.name} already that was imported with other settings ({'; '.join(others)}); "
            "a name of its own is expected. Delete that one, or choose another name with --set import.name=NAME."
        )
    told = [other for name, other in zip(changes, others, strict=True) if name != "freeze"]
    moved = int((dataset.rows()[MOVED] != "").sum()) if MOVED in dataset.manifest else 0
    told += [f"{moved} image{' was' if moved == 1 else 's were'} moved by hand"] if moved else []
    accepted = dataset.info.frozen.accepted if dataset.info.frozen else ()
    told += [f"accepted findings: {', '.join(accepted)}"] if accepted else []
    return (
        f"The data set {dataset.name} is taken as it was changed after its import: {'; '.join(told)}." if told else ""
    )


def _told(value: Any) -> str:
    """A setting in a sentence."""
    if isinstance(value, list):
        return ", ".join(map(_told, value)) or "none"
    return "none" if value in ("", None) else str(value)


def _folds(pipeline: _Pipeline, dataset: Dataset, folds: int) -> list[Dataset]:
    """The data sets of a cross-validation; none without."""
    if not folds:
        return []
    pipeline.report(Progress(f"Divide into {folds} folds", 0, 1, "steps"))
    made = make_folds(dataset, folds)
    pipeline.note(folds=tuple(fold.name for fold in made))
    return made


def _pool_settings(settings: dict[str, dict[str, Any]], dataset: Dataset, sweeps: list[str]) -> dict[str, Any]:
    """The settings of the pool with the classes and the number of images that the sweeps need, unless they say so."""
    parents = {"name": dataset.name, "dataset": dataset.name, "pool": "none yet"}
    configs = [SweepConfig.build({**parents, **settings[step]}) for step in sweeps]
    pool = {"only_classes": needed_classes(configs, dataset), **settings["pool"]}
    number = images_per_class(configs, dataset, pool.get("images_per_class", 0), pool["only_classes"])
    return {**pool, "images_per_class": number}


def _train_ahead(pipeline: _Pipeline, settings: dict[str, Any], folds: Sequence[Dataset], of_each: int) -> None:
    """Start the generators of all folds, so that none waits for the steps of a fold before its own."""
    for fold in folds:
        configs, beside = _trainings(settings, fold, of_each)
        for config in configs:
            pipeline.ahead.append(pipeline.start(config, beside))


def _trainings(settings: dict[str, Any], dataset: Dataset, of_each: int) -> tuple[list[TrainConfig], int]:
    values = {**settings, "dataset": dataset.name, "class_name": ""}
    return trainings_by_class(values, lambda: dataset.classes, of_each)


def _train(pipeline: _Pipeline, settings: dict[str, Any], dataset: Dataset, place: str, of_each: int) -> list[Run]:
    configs, beside = _trainings(settings, dataset, of_each)
    names = list(dict.fromkeys(config.class_name for config in configs))
    generators = []
    for config in configs:
        generators.append(pipeline.start(config, beside))
        pipeline.note(train=(*pipeline.result.train, generators[-1].id))
    what = f"{len(generators)} generators" if len(generators) > 1 else "the generator"
    pipeline.follow(generators, f"{place}Train {what}" + (f" ({', '.join(names)})" if names[0] else ""))
    return generators


def _pool(pipeline: _Pipeline, settings: dict[str, Any], dataset: Dataset, generators: list[Run], place: str) -> Run:
    references = tuple(GeneratorReference(run=generator.id) for generator in generators)
    values = {"name": dataset.name, **settings, "dataset": dataset.name, "generators": references}
    child = pipeline.start(PoolConfig.build(values))
    pipeline.note_part("pool", child)
    pipeline.follow([child], f"{place}Sample the pool")
    return child


def _quality(pipeline: _Pipeline, settings: dict[str, Any], dataset: Dataset, pool: Run, place: str) -> Run:
    values = {"name": dataset.name, **settings, "dataset": dataset.name, "pool": pool.id}
    child = pipeline.start(QualityConfig.build(values))
    pipeline.note_part("quality", child)
    pipeline.follow([child], f"{place}Check the pool")
    return child


def _register(
    pipeline: _Pipeline, settings: dict[str, dict[str, Any]], sweeps: Sequence[str], dataset: Dataset
) -> None:
    """Of several sweeps, register those that come later: the first reads the test images, and their settings stand."""
    for step in sweeps[1:]:
        config = _sweep_config(pipeline, step, settings[step], dataset)
        with suppress(ErsatzError):  # what cannot be swept says so when it starts
            if not standing_of_plan(pipeline.home, config).before:
                register(pipeline.home, prepare_sweep(pipeline.home, config), about(pipeline.run).owner)


def _sweep_config(pipeline: _Pipeline, step: str, settings: dict[str, Any], dataset: Dataset) -> SweepConfig:
    """The sweep as published, or the sound one beside it."""
    if pipeline.result.folds:
        folds = tuple(Fold(dataset=part.dataset.name, pool=part.pool.id) for part in pipeline.parts)
        images: dict[str, Any] = {"folds": folds}
    else:
        images = {"pool": pipeline.parts[0].pool.id, "quality": pipeline.parts[0].quality.id}
    name = f"{dataset.name} as published" if step == "published" else dataset.name
    values = {"name": name, **settings, "dataset": dataset.name, **images}
    if step == "sweep":
        values["beside"] = settings.get("beside", pipeline.result.published)
    return SweepConfig.build(values)


def _sweep(pipeline: _Pipeline, step: str, settings: dict[str, Any], dataset: Dataset) -> None:
    """Sweep as published, or soundly; both lead to the same keys of the result, the last stays."""
    child = pipeline.start(_sweep_config(pipeline, step, settings, dataset))
    pipeline.note(**{step: child.id, "sweep": child.id})
    pipeline.follow([child], "Sweep as published" if step == "published" else "Sweep")
    found = child.status().result_as(SweepResult)
    assert found is not None
    pipeline.note(verdict=found.verdict, sentence=found.sentence, word=found.word, headline=found.headline)
