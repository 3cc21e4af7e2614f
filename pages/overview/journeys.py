"""How far each data set has come on the way from its images to a verdict, and what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.datasets.dataset_info import DatasetInfo
from engine.review.quiz import list_quizzes, progress
from engine.sampling.exported import has_generator
from engine.store.errors import ErsatzError
from engine.store.runs import State
from engine.sweep.results import SweepResult
from pages.components.alarms import alarms_of, in_words
from pages.components.files import read_model
from pages.components.home import home
from pages.components.run_summary import RunSummary
from pages.overview.checks import check_warning
from pages.overview.steps import Look, Step, StepState

BROKEN: dict[State, Look] = {State.FAILED: "failed", State.INTERRUPTED: "failed", State.STOPPED: "alarm"}
"""Ends without what was to be made, and how they are to be looked at; taking a run out of the queue is none."""


@dataclass(frozen=True)
class Journey:
    """A data set with everything that was made from it and its folds; runs by kind, the newest first."""

    name: str
    label: str
    phantom: bool
    frozen: bool
    classes: list[str]
    imported: float
    runs: dict[str, list[RunSummary]] = field(default_factory=dict)
    reviewers: int = 0

    def done(self, kind: str) -> list[RunSummary]:
        """What a step has left so far. A stopped training counts once it has a generator."""
        runs = self.runs.get(kind, [])
        if kind == "train":
            return [seen for seen in runs if has_generator(seen.run.path)]
        return [seen for seen in runs if seen.state is State.FINISHED]

    def count(self, kind: str) -> int:
        """How much a step has left so far."""
        if kind == "import":
            return int(self.frozen)
        return self.reviewers if kind == "review" else len(self.done(kind))

    def active(self, kind: str = "") -> list[RunSummary]:
        """What is under way in a step, or in any: what runs before what waits."""
        kinds = [kind] if kind else list(self.runs)
        found = [seen for each in kinds for seen in self.runs.get(each, []) if seen.state.is_active]
        return sorted(found, key=lambda seen: seen.state is State.QUEUED)

    def newest(self, kind: str) -> list[RunSummary]:
        """The newest run of a step; of trainings that of each class and fold."""
        runs = self.runs.get(kind, [])
        if kind != "train":
            return runs[:1]
        found: dict[str, dict[str, RunSummary]] = {}
        for seen in runs:
            those, name = found.setdefault(seen.dataset, {}), seen.config.get("class_name") or ""
            if "" not in those and not (name == "" and those.keys() >= set(self.classes)):  # one for all of them is one
                those.setdefault(name, seen)
        return [seen for those in found.values() for seen in those.values()]

    def broken(self, kind: str) -> list[RunSummary]:
        """Newest runs of a step that ended without what they were to make, failed ones first."""
        found = [
            seen
            for seen in self.newest(kind)
            if seen.state in BROKEN and not (kind == "train" and has_generator(seen.run.path))
        ]
        return sorted(found, key=lambda seen: list(BROKEN).index(seen.state))

    def alarmed(self, kind: str) -> list[RunSummary]:
        """Newest runs of a step that left something, with an alarm."""
        done = {seen.run.id for seen in self.done(kind)}
        return [seen for seen in self.newest(kind) if seen.run.id in done and alarms_of(seen.status)]

    def without_generator(self) -> list[str]:
        """Classes that no generator makes yet."""
        return self._not_among(self.done("train"))

    def not_in_training(self) -> list[str]:
        """Classes that no generator makes, and none is being trained for or waits to be."""
        return self._not_among([*self.done("train"), *self.active("train")])

    def _not_among(self, trainings: Sequence[RunSummary]) -> list[str]:
        made = {seen.config.get("class_name") or "" for seen in trainings}
        return [] if "" in made else [name for name in self.classes if name not in made]

    @property
    def latest(self) -> float:
        """When somebody last did something with it."""
        return max([self.imported, *(seen.status.created for runs in self.runs.values() for seen in runs)])

    def link(self, step: Step) -> dict[str, str]:
        """What the page of a step should show: what runs, else the newest."""
        if step.kind == "import":
            return {"dataset": self.name}
        kind = "pool" if step.kind == "review" else step.kind
        runs = [*self.active(kind), *self.runs.get(kind, [])]
        shown = next((seen for seen in runs if seen.state is not State.QUEUED), runs[0] if runs else None)
        return {"run": shown.run.id} if shown else {"dataset": self.name}

    def state(self, step: Step) -> StepState:
        """How a step stands: what goes on first, then what went wrong, then what it has left."""
        if active := self.active(step.kind):
            waiting = sum(seen.state is State.QUEUED for seen in active)
            running = len(active) - waiting
            several = len(active) > 1
            words = [f"{running} running" if several else "running"] if running else []
            words += [f"{waiting} waiting" if several else "waiting"] if waiting else []
            return StepState(", ".join(words), "running" if running else "waiting")
        if broken := self.broken(step.kind):
            word, alike = broken[0].state.value, sum(seen.state is broken[0].state for seen in broken)
            return StepState(f"{alike} {word}" if alike > 1 else word, BROKEN[broken[0].state])
        if alarmed := self.alarmed(step.kind):
            names = list(dict.fromkeys(in_words(alarm) for seen in alarmed for alarm in alarms_of(seen.status)))
            return StepState(names[0] if len(names) == 1 else f"{len(names)} alarms", "alarm")
        return self._left(step)

    def _left(self, step: Step) -> StepState:
        """What a step has left that nothing is wrong with; empty when nothing was done."""
        count = self.count(step.kind)
        if step.kind == "import":
            return StepState("frozen", "done") if count else StepState("not frozen", "")
        if step.kind == "quality" and count and (warning := check_warning(self.done("quality")[0])):
            return warning
        if step.kind == "sweep" and count:
            results = [seen.status.result_as(SweepResult) for seen in self.done("sweep")]
            found = min(results, key=lambda each: bool(each and each.control))  # the newest that is no control
            return StepState(found.shown if found else "done", "done")
        return StepState(f"{count} {step.noun}{'' if count == 1 else 's'}", "done") if count else StepState("", "")


def journeys(seen: Sequence[RunSummary]) -> list[Journey]:
    """Every data set of the home, the one that was worked on last first.

    Folds count to their data set; archived runs do not count.
    """
    infos = _infos()
    parents = {name: (info.provenance.fold or {}).get("parent", name) for name, info in infos.items()}
    runs: dict[str, dict[str, list[RunSummary]]] = {}
    for one in (one for one in seen if not one.about.archived):
        parent = parents.get(one.dataset, one.dataset)
        runs.setdefault(parent, {}).setdefault(one.kind, []).append(one)
    reviewers = _reviewers()
    found = [
        Journey(
            name=name,
            label=info.label or name,
            phantom=info.phantom,
            frozen=info.frozen is not None,
            classes=info.classes,
            imported=info.provenance.time or 0.0,
            runs=runs.get(name, {}),
            reviewers=len(set[str]().union(*(who for fold, who in reviewers.items() if parents.get(fold) == name))),
        )
        for name, info in infos.items()
        if parents[name] == name
    ]
    return sorted(found, key=lambda journey: journey.latest, reverse=True)


def _infos() -> dict[str, DatasetInfo]:
    """`dataset.json` of every data set; damaged ones are passed over."""
    found = {}
    folder = home().datasets
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        try:
            if not path.name.startswith("."):
                found[path.name] = read_model(path / "dataset.json", DatasetInfo)
        except (FileNotFoundError, NotADirectoryError, ErsatzError):
            continue
    return found


def _reviewers() -> dict[str, set[str]]:
    """Who has answered a quiz, by data set."""
    try:
        quizzes = list_quizzes(home())
        answered = progress(home(), quizzes)
    except ErsatzError:
        return {}
    found: dict[str, set[str]] = {}
    for quiz in quizzes:
        found.setdefault(quiz.dataset, set()).update(answered[quiz.id])
    return found
