"""Which sweeps have read which test images: from the ledger, and of before there was one from the runs' own folders.

A reading is known by the hashes of its images (SHA-256 of the stored pixels), so that a data set imported again, a
fold or any other data set that tests on the same pictures counts. The same pictures stored at another size, or cut
otherwise, have other hashes and are not recognised.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from engine.store import ledger
from engine.store.hashing import sha256_value
from engine.store.home import Home
from engine.store.ledger import Event
from engine.store.runs import Run, each, list_runs

TEST_FILE = "test_images.csv"
"""Of a sweep's folder: the images it tests on. Written after the reading is in the ledger, so that one without a line
there is of before the ledger."""


@dataclass(frozen=True)
class Reading:
    """One sweep and the test images that it has read, however often it was resumed and over however many folds."""

    run: str
    name: str
    time: float
    """When it read the first of them, in seconds since the epoch; of one that was found afterwards, when it was
    submitted."""
    submitted: float
    """When its settings were fixed."""
    dataset: str
    classifier: str
    metric: str
    config_sha256: str
    plan: str
    """Id of the registered plan that its settings are; empty: none."""
    images: frozenset[str]
    found: bool = False
    """Whether it was found in its folder afterwards, because it began before there was a ledger."""
    deleted: bool = False
    """Whether its folder is gone."""


def readings(home: Home) -> list[Reading]:
    """All sweeps that have read test images, in the order in which they first did."""
    written = _by_run(ledger.events(home))
    known = [_recorded(home, events) for events in written.values()]
    found = [_recorded(home, [event], images) for event, images in _found(home, set(written))]
    return sorted([*known, *found], key=lambda reading: (reading.time, reading.run))


def record(run: Run, fold: int, images: Iterable[str], plan: str = "") -> None:
    """Write into the ledger that `run` is about to read these test images; once for every fold of it.

    Sweeps of before the ledger are written down with it, so that they stay known when they are deleted.
    """
    images = set(images)
    write_down(run.home)
    config = run.config()

    def new(events: list[Event]) -> list[Event]:
        own = [event for event in events if event["event"] == "reading" and event["run"] == run.id]
        if any(event["fold"] in (fold, None) and images <= ledger.images_of(run.home, event["test_set"])
               for event in own):  # fmt: skip
            return []
        test_set = ledger.keep_test_set(run.home, images)
        return [{"event": "reading", **_facts(run, config), "fold": fold, "plan": plan, "test_set": test_set}]

    ledger.add(run.home, new)


def write_down(home: Home) -> None:
    """Write sweeps into the ledger that are not there yet, because they are of before it."""
    if not _found(home, set(_by_run(ledger.events(home)))):
        return

    def new(events: list[Event]) -> list[Event]:
        missing = _found(home, set(_by_run(events)))
        return [{**event, "test_set": ledger.keep_test_set(home, images)} for event, images in missing]

    ledger.add(home, new)


def own_images(run: Run) -> frozenset[str]:
    """The real images on which a sweep tests, from its folder; none before it has begun."""
    path = run.path / TEST_FILE
    if not path.is_file():
        return frozenset()
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return frozenset(row["sha256"] for row in csv.DictReader(file) if row.get("synthetic", "0") in ("0", ""))
    except (OSError, ValueError, KeyError, csv.Error):  # damaged: the ledger knows of every sweep of today by itself
        return frozenset()


def _by_run(events: list[Event]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = {}
    for event in events:
        if event["event"] == "reading":
            found.setdefault(event["run"], []).append(event)
    return found


def _found(home: Home, known: set[str]) -> list[tuple[Event, frozenset[str]]]:
    """Readings of sweeps whose folder has test images and that are not `known`, as events without their test set."""
    missing = [run for run in list_runs(home, "sweep") if run.id not in known]
    pairs = [(facts, images) for run, facts in each(missing, _facts_of) if (images := own_images(run))]
    return [
        ({"event": "reading", "time": facts["submitted"], **facts} | {"fold": None, "plan": "", "found": True}, images)
        for facts, images in pairs
    ]


def _facts_of(run: Run) -> dict[str, Any]:
    return _facts(run, run.config())


def _facts(run: Run, config: dict[str, Any]) -> dict[str, Any]:
    return {
        "run": run.id,
        "name": config["name"],
        "submitted": run.status().created,
        "dataset": config["dataset"],
        "classifier": config.get("classifier", "small-cnn"),
        "metric": config.get("metric", "accuracy"),
        "config_sha256": sha256_value(config),
    }


def _recorded(home: Home, events: list[Event], images: frozenset[str] | None = None) -> Reading:
    first = min(events, key=lambda event: event["time"])
    if images is None:
        images = frozenset().union(*(ledger.images_of(home, event["test_set"]) for event in events))
    return Reading(
        **{name: first[name] for name in ("run", "name", "time", "submitted", "dataset", "classifier", "metric")},
        config_sha256=first["config_sha256"],
        plan=next((event["plan"] for event in events if event["plan"]), ""),
        images=images,
        found=bool(first.get("found")),
        deleted=not Run(home, first["run"]).exists(),
    )
