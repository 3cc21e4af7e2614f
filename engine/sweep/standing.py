"""Where a sweep stands among those that read its test set, and when what it claims was fixed.

A test set that was read before is no longer unseen: settings, pools and people have had the chance to adapt to it. So
"declared before" is said only where the ledger shows it: the settings were fixed, by a registered plan or by the
submission of the run, before any other sweep had read one of these test images.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from engine.configs import SweepConfig
from engine.datasets import seal
from engine.datasets.dataset import Dataset
from engine.datasets.test_readings import Reading, own_images, readings
from engine.store import ledger
from engine.store.home import Home
from engine.store.ledger import Event
from engine.store.runs import Run
from engine.sweep.plans import Plan, departures, plan_of, planned_images, plans
from engine.sweep.verdict_words import UNKNOWN

MOST_NAMED = 3
"""Sweeps that a sentence names; of more it tells how many."""


@dataclass(frozen=True)
class Other:
    """Another sweep that has read some of the same test images."""

    reading: Reading
    shared: int
    """Test images that both have read."""
    of: int
    """Test images of the sweep that is told of."""

    @property
    def words(self) -> str:
        """`chest, 3 May 2026, deleted since, 12 of the 40 images`"""
        parts = [self.reading.name, day(self.reading.time)]
        parts += ["found afterwards"] * self.reading.found + ["deleted since"] * self.reading.deleted
        parts += [f"{self.shared} of the {self.of} images"] * (self.shared < self.of)
        return ", ".join(parts)


@dataclass(frozen=True)
class Standing:
    """A sweep among those of its test set; of one that is only planned, `before` are all of them."""

    images: int
    before: tuple[Other, ...] = ()
    """Sweeps that read some of the images earlier, the first first."""
    since: tuple[Other, ...] = ()
    recorded: bool = True
    """Whether it was written down when it read; of sweeps of before the ledger nobody knows who had read by then."""
    fixed: float = 0.0
    """When the settings were fixed: by the plan, else by the submission."""
    plan: Plan | None = None
    """The registered plan that the settings are."""
    other_plan: Plan | None = None
    """A plan that was registered for these images before the sweep was submitted, and that it is not."""
    departures: tuple[str, ...] = ()
    """What differs from either plan."""
    seals: tuple[Event, ...] = ()
    """When the images were sealed and revealed."""

    @property
    def number(self) -> int:
        """1 for the first sweep that reads them."""
        return len(self.before) + 1

    @property
    def read_when_fixed(self) -> int:
        """Other sweeps that had read some of the images when the settings were fixed."""
        return sum(other.reading.time <= self.fixed for other in (*self.before, *self.since))

    @property
    def where(self) -> str:
        """What follows "declared": where, and what is known of the time."""
        where = UNKNOWN
        if self.plan is not None:
            where = f"in the plan {self.plan.id}, registered on {day(self.plan.time)}"
        count = self.read_when_fixed
        if not (self.recorded or count):
            return f"{where}, before there was a ledger that shows who had read this test set"
        others = f"{count} other sweep{'s' * (count > 1)}"
        when = f"after {others} had read this test set" if count else "before any sweep had read this test set"
        return f"{where}, {when}"

    def sentences(self) -> list[str]:
        """What a reader should know of the test set's history, in whole sentences."""
        if not self.before:
            told = ["This is the first sweep that read this test set, as far as the ledger knows."]
        else:
            told = [
                f"This is the {ordinal(self.number)} sweep that read this test set; before it: {_listed(self.before)}."
            ]
        if self.since:
            told.append(f"Since then it was read by {_listed(self.since)}.")
        return [*told, *self._plan_sentences(), *(seal_sentence(event) for event in self.seals)]

    def _plan_sentences(self) -> list[str]:
        if self.plan is not None:
            plan = self.plan
            told = f"Its settings are those of the plan {plan.id} ({plan.sha256[:12]}), registered on {day(plan.time)}."
            return [told, f"It departs from it in {'; '.join(self.departures)}."] if self.departures else [told]
        if self.other_plan is not None:
            plan = self.other_plan
            return [
                f"It is not the plan {plan.id} ({plan.sha256[:12]}) that was registered for these images on "
                f"{day(plan.time)}; what differs: {'; '.join(self.departures)}."
            ]
        return []


def standing_of(run: Run, config: SweepConfig, weights_sha256: str | None = None) -> Standing:
    """The standing of a run by what the ledger and the runs' folders say now; empty before it has read anything."""
    listed = readings(run.home)
    own = next((reading for reading in listed if reading.run == run.id), None)
    images = own_images(run) or (own.images if own is not None else frozenset())
    if not images:
        return Standing(0)
    when = own.time if own is not None else time.time()
    submitted = run.status().created
    others = [other for other in _others(listed, images) if other.reading.run != run.id]
    registered = _for_images(plans(run.home), run.home, images)
    plan = plan_of(config, [each for each in registered if own is None or each.time <= own.time])
    other = None
    if plan is None:
        earlier = [each for each in registered if each.time <= submitted]
        other = min(earlier, key=lambda each: (len(departures(each, config)), -each.time), default=None)
    compared = plan or other
    return Standing(
        images=len(images),
        before=tuple(each for each in others if (each.reading.time, each.reading.run) < (when, run.id)),
        since=tuple(each for each in others if (each.reading.time, each.reading.run) > (when, run.id)),
        recorded=own is None or not own.found,
        fixed=min(submitted, plan.time) if plan is not None else submitted,
        plan=plan,
        other_plan=other,
        departures=tuple(departures(compared, config, weights_sha256)) if compared is not None else (),
        seals=_seals(run.home, images),
    )


def standing_of_plan(home: Home, config: SweepConfig) -> Standing:
    """What a sweep that is only planned would find: who has read its test images so far."""
    images = planned_images(home, config)
    return Standing(
        images=len(images),
        before=tuple(_others(readings(home), images)),
        fixed=time.time(),
        plan=plan_of(config, plans(home)),
        seals=_seals(home, images),
    )


def readers(dataset: Dataset) -> list[Other]:
    """The sweeps that have read images of a data set's test part."""
    return _others(readings(dataset.home), frozenset(seal.images_to_test(dataset)))


def plans_of(dataset: Dataset) -> list[Plan]:
    """The plans that were registered for images of a data set's test part."""
    return _for_images(plans(dataset.home), dataset.home, frozenset(seal.images_to_test(dataset)))


def read_by(home: Home, plan: Plan) -> list[Reading]:
    """The sweeps with the settings of a plan that have read its test images."""
    return [reading for reading in readings(home) if reading.plan == plan.id]


def before_start(standing: Standing) -> str:
    """For whoever is about to start a sweep: how often its test set was read."""
    if not standing.before:
        return "No sweep has read this test set yet, as far as the ledger knows: this would be the first."
    return (
        f"This would be the {ordinal(standing.number)} sweep that reads this test set; before it: "
        f"{_listed(standing.before)}."
    )


def seal_sentence(event: Event) -> str:
    """`Its test images were revealed on 3 May 2026 (final evaluation; plan ...).`"""
    if event["event"] == "seal":
        return f"Its test images were sealed on {day(event['time'])}, as the test part of {event['dataset']}."
    named = "".join(f"; plan {name}" for name in event["plans"]) or "; no plan was registered"
    return f"They were revealed on {day(event['time'])} ({event['reason'].rstrip('.')}{named})."


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `11th`"""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def day(moment: float) -> str:
    """`2026-05-03`"""
    return time.strftime("%Y-%m-%d", time.localtime(moment))


def _others(listed: list[Reading], images: frozenset[str]) -> list[Other]:
    return [Other(reading, len(reading.images & images), len(images)) for reading in listed if reading.images & images]


def _for_images(among: Collection[Plan], home: Home, images: frozenset[str]) -> list[Plan]:
    return [plan for plan in among if ledger.images_of(home, plan.test_set) & images]


def _seals(home: Home, images: frozenset[str]) -> tuple[Event, ...]:
    return tuple(
        event
        for event in ledger.events(home)
        if event["event"] in ("seal", "reveal") and ledger.images_of(home, event["test_set"]) & images
    )


def _listed(others: Sequence[Other]) -> str:
    """The last few by name; a report has all of them in a table."""
    last = "; ".join(f"{other.reading.run} ({other.words})" for other in others[-MOST_NAMED:])
    more = len(others) - MOST_NAMED
    return f"{more} other{'s' * (more > 1)}, and last {last}" if more > 0 else last
