"""The one next step of a data set: what goes on is watched, what went wrong is looked at, else the way goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from engine.store.runs import State
from engine.sweep.results import SweepResult
from engine.sweep.verdict import QUICK_LOOK
from pages.components.alarms import alarm_words
from pages.components.run_summary import RunSummary
from pages.evaluate.views import NEW as NEW_SWEEP
from pages.overview.checks import check_warning
from pages.overview.journeys import Journey

PAGES = {"train": "train", "pool": "generate", "quality": "quality", "sweep": "evaluate"}
NOUNS = {"train": "training", "pool": "pool", "quality": "check", "sweep": "evaluation"}


class Next(NamedTuple):
    """The one next step: a sentence, and the button that leads there."""

    sentence: str
    label: str
    page: str
    query: dict[str, str]
    other: tuple[str, str, dict[str, str]] | None = None
    """The way on all the same, as label, page and query, where the step asks for a look first."""


def next_step(journey: Journey) -> Next:
    """What to do next with a data set."""
    name, label = journey.name, journey.label
    if not journey.frozen:
        sentence = f"Look at what was found in {label}, mend it, and freeze the split into training and test images."
        return Next(sentence, "Look at the findings", "datasets", {"dataset": name, "view": "findings"})
    return next(_steps(journey))


def _steps(journey: Journey) -> Iterator[Next]:
    """What could be next, the first of it first."""
    if journey.active("journey"):
        yield _watch_the_journey(journey)
    pools, checks, sweeps = (journey.done(kind) for kind in ("pool", "quality", "sweep"))
    for kind, done in (("sweep", sweeps), ("quality", checks or sweeps), ("pool", pools)):
        if not done and journey.active(kind):
            yield _watch(journey.active(kind), kind)
    if not pools and not sweeps:
        yield from _training(journey)
        yield from _mend(journey, "pool")
        trained = journey.done("train")
        query = {"run": trained[0].run.id} if trained else {}
        sentence = "Look at what the generators make, and save a pool of synthetic images."
        yield Next(sentence, "Look at its images", "generate", query)
    if not checks and not sweeps:
        yield from _mend(journey, "quality")
        sentence = "Hold the synthetic images beside real ones, and search them for copies of training images."
        yield Next(sentence, "Check the pool", "quality", {"run": pools[0].run.id})
    if not sweeps:
        yield from _mend(journey, "sweep")
        plan = ("Plan the sweep", "evaluate", {"view": NEW_SWEEP, "pool": pools[0].run.id} if pools else {})
        if checks and (warning := check_warning(checks[0])):
            sentence = f"The check found: {warning.words}. Look at it before you spend a sweep on this pool."
            yield Next(sentence, "Look at the check", "quality", {"run": checks[0].run.id}, plan)
        sentence = "Train the classifier with and without synthetic images, and see whether it gets better."
        yield Next(sentence, *plan)
    result = sweeps[0].status.result_as(SweepResult)
    if result is not None and QUICK_LOOK.lower() in result.shown:
        sentence = "Read what the quick look found, and evaluate thoroughly where you want a verdict."
        yield Next(sentence, "Read the quick look", "evaluate", {"run": sweeps[0].run.id})
    sentence = "Read the verdict and take the report with you."
    if not journey.reviewers:
        sentence += " Then let people who know such images say which are real and which are fake (Review)."
    yield Next(sentence, "Read the verdict", "evaluate", {"run": sweeps[0].run.id})


def _training(journey: Journey) -> Iterator[Next]:
    """Generators that lack, that are being trained, that failed, or that are not to be relied on."""
    lacking = journey.without_generator()
    broken = [seen for seen in journey.broken("train") if lacking and _class_of(seen) in ("", *lacking)]
    missing = [name for name in journey.not_in_training() if name not in {_class_of(seen) for seen in broken}]
    if any(_class_of(seen) == "" for seen in broken):
        missing = []
    if broken:
        yield _look_at(broken[0], "train")
    if missing:
        classes = _listed(missing) if len(missing) < len(journey.classes) else "its classes"
        going_on = _under_way(journey.active("train"))
        sentence = f"{going_on} " if going_on else ""
        sentence += f"Train a generator for {classes} on the training images of {journey.label}."
        yield Next(sentence, "Train a generator", "train", {"view": "new", "dataset": journey.name})
    if active := journey.active("train"):
        yield _watch(active, "train")
    if alarmed := journey.alarmed("train"):
        worst = alarmed[0]
        sentence = f"{worst.title}: {alarm_words(worst.status)}. Look at the alarm and its remedies before you go on."
        on = ("Look at its images all the same", "generate", {"run": worst.run.id})
        yield Next(sentence, "Look at the alarm", "train", {"run": worst.run.id}, on)


def _mend(journey: Journey, kind: str) -> Iterator[Next]:
    """A step that has nothing to show because its newest run broke."""
    if broken := journey.broken(kind):
        yield _look_at(broken[0], kind)


def _look_at(seen: RunSummary, kind: str) -> Next:
    ended = "failed" if seen.state is State.FAILED else f"was {seen.state.value}"
    sentence = f"{seen.title} {ended}. {seen.status.error or 'It can be resumed from what it had saved.'}"
    return Next(sentence, f"Look at the {NOUNS[kind]}", PAGES[kind], {"run": seen.run.id})


def _watch(active: Sequence[RunSummary], kind: str) -> Next:
    """The first of `active` is what runs, if anything does."""
    first = active[0]
    if first.state is State.QUEUED:
        return Next(_under_way(active), "See what it waits for", "runs", {"run": first.run.id})
    return Next(_under_way(active), f"Watch the {NOUNS[kind]}", PAGES[kind], {"run": first.run.id})


def _watch_the_journey(journey: Journey) -> Next:
    """A journey takes every step itself: what it does now is watched."""
    whole = journey.active("journey")[0]
    inside = [seen for seen in journey.active() if seen.kind in PAGES and seen.state is not State.QUEUED]
    sentence = f"{whole.title} takes every step by itself, to the verdict."
    if inside:
        sentence += f" {_under_way(inside)}"
        return Next(sentence, f"Watch the {NOUNS[inside[0].kind]}", PAGES[inside[0].kind], {"run": inside[0].run.id})
    return Next(sentence, "Watch the journey", "runs", {"run": whole.run.id})


def _under_way(active: Sequence[RunSummary]) -> str:
    """`Train phantom · bleed is running; Train phantom · normal waits for its turn.`"""
    running = [seen.title for seen in active if seen.state is not State.QUEUED]
    waiting = [seen.title for seen in active if seen.state is State.QUEUED]
    parts = [f"{_listed(running)} {'is' if len(running) == 1 else 'are'} under way"] if running else []
    if waiting:
        parts.append(f"{_listed(waiting)} {'waits' if len(waiting) == 1 else 'wait'} in the queue")
    return f"{'; '.join(parts)}." if parts else ""


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _class_of(seen: RunSummary) -> str:
    return str(seen.config.get("class_name") or "")
