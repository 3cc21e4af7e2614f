"""How far each data set has come on the way from its images to a verdict, and what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from engine.datasets.dataset_info import DatasetInfo
from engine.review.quiz import list_quizzes, progress
from engine.sampling.exported import has_generator
from engine.store.errors import ErsatzError
from engine.store.runs import State
from engine.sweep.results import SweepResult
from pages.components.files import read_model
from pages.components.home import home
from pages.components.run_summary import RunSummary
from pages.evaluate.views import NEW as NEW_SWEEP


class Step(NamedTuple):
    """A step of the way: its kind of run, its page, and what it leaves."""

    kind: str
    name: str
    page: str
    icon: str
    what: str
    noun: str


STEPS = (
    Step("import", "Import", "datasets", ":material/photo_library:", "Bring in images, freeze the split", ""),
    Step(
        "train", "Train", "train", ":material/model_training:", "Teach a generator on the training images", "generator"
    ),
    Step("pool", "Generate", "generate", ":material/auto_awesome:", "Save a pool of synthetic images", "pool"),
    Step("quality", "Quality", "quality", ":material/fact_check:", "Hold it beside real images", "check"),
    Step("sweep", "Evaluate", "evaluate", ":material/query_stats:", "Does the classifier get better?", "sweep"),
    Step("review", "Review", "review", ":material/rate_review:", "Let people say real or fake", "reviewer"),
)


class Next(NamedTuple):
    """The one next step: a sentence, and the button that leads there."""

    sentence: str
    label: str
    page: str
    query: dict[str, str]


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
        """What is under way in a step, or in any."""
        kinds = [kind] if kind else list(self.runs)
        return [seen for each in kinds for seen in self.runs.get(each, []) if seen.state.is_active]

    def without_generator(self) -> list[str]:
        """Classes that no generator makes yet."""
        made = {name for seen in self.done("train") for name in [seen.config.get("class_name") or ""]}
        return [] if "" in made else [name for name in self.classes if name not in made]

    @property
    def latest(self) -> float:
        """When somebody last did something with it."""
        return max([self.imported, *(seen.status.created for runs in self.runs.values() for seen in runs)])

    def link(self, step: Step) -> dict[str, str]:
        """What the page of a step should show."""
        if step.kind == "import":
            return {"dataset": self.name}
        runs = self.runs.get("pool" if step.kind == "review" else step.kind, [])
        return {"run": runs[0].run.id} if runs else {"dataset": self.name}

    def state(self, step: Step) -> str:
        """How a step stands, in a word or two; empty when nothing was done."""
        if self.active(step.kind):
            return "under way"
        count = self.count(step.kind)
        if step.kind == "import":
            return "frozen" if count else "not frozen"
        if step.kind == "sweep" and count:
            results = [seen.status.result_as(SweepResult) for seen in self.done("sweep")]
            found = min(results, key=lambda each: bool(each and each.control))  # the newest that is no control
            return found.shown if found else "done"
        return f"{count} {step.noun}{'' if count == 1 else 's'}" if count else ""


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


def next_step(journey: Journey) -> Next:
    """What to do next with a data set."""
    name, label = journey.name, journey.label
    if not journey.frozen:
        sentence = f"Look at what was found in {label}, mend it, and freeze the split into training and test images."
        return Next(sentence, "Look at the findings", "datasets", {"dataset": name, "view": "findings"})
    lacking = journey.without_generator()
    pools = journey.done("pool")
    if lacking and not pools:
        classes = " and ".join(lacking) if len(lacking) < len(journey.classes) else "its classes"
        sentence = f"Train a generator for {classes} on the training images of {label}."
        return Next(sentence, "Train a generator", "train", {"view": "new", "dataset": name})
    if not pools:
        generator = journey.done("train")[0].run.id
        sentence = "Look at what the generators make, and save a pool of synthetic images."
        return Next(sentence, "Look at its images", "generate", {"run": generator})
    pool = pools[0].run.id
    if not journey.done("quality"):
        sentence = "Hold the synthetic images beside real ones, and search them for copies of training images."
        return Next(sentence, "Check the pool", "quality", {"run": pool})
    sweeps = journey.done("sweep")
    if not sweeps:
        sentence = "Train the classifier with and without synthetic images, and see whether it gets better."
        return Next(sentence, "Plan the sweep", "evaluate", {"view": NEW_SWEEP, "pool": pool})
    sentence = "Read the verdict and take the report with you."
    if not journey.reviewers:
        sentence += " Then let people who know such images say which are real and which are fake (Review)."
    return Next(sentence, "Read the verdict", "evaluate", {"run": sweeps[0].run.id})


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
