"""A registered plan: the complete settings of a sweep, frozen, hashed and dated before it reads the test images.

<home>/ledger/plans/<id>.json   the plan; a line in the ledger says when it was registered

A plan is its settings, data set, pool and weights of the classifier (by their hashes). A sweep with exactly these is
the plan's, however it was started; what a sweep is called, where it runs and what its report shows beside it is no
part of it.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, ClassVar

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.datasets.seal import images_to_test
from engine.datasets.test_readings import readings, write_down
from engine.features.sources import checked_digest, resolve_weights
from engine.store import ledger
from engine.store.errors import ErsatzError
from engine.store.hashing import sha256_value
from engine.store.home import Home, checked_name
from engine.store.versioned import Versioned
from engine.sweep.splits import named_splits

NO_PART = frozenset({"kind", "name", "device", "gpus", "quality", "beside", "repeats", "weights"})
"""Settings that bear on no number of the result; weights are known by their hash."""


class Plan(Versioned):
    """The content of a plan's file; times are seconds since the epoch."""

    LATEST: ClassVar[int] = 1

    id: str
    name: str
    time: float
    by: str = ""
    sha256: str
    """Hash of the frozen settings and of the classifier's weights."""
    config: dict[str, Any]
    weights_sha256: str = ""
    """Of the classifier's pretrained weights; empty where it has none."""
    test_set: str
    """Hash by which the ledger knows the test images."""
    images: int
    """How many test images that are."""
    read_before: int = 0
    """Sweeps that had read some of them when it was registered."""

    def sweep(self) -> SweepConfig:
        """The sweep that was planned."""
        return SweepConfig.build(self.config)


def register(home: Home, config: SweepConfig, by: str = "") -> Plan:
    """Freeze a prepared config (its data sets and pools named by hash); a plan that is there already stays as it is."""
    weights = _weights(config)
    digest = sha256_value({"settings": frozen(config), "weights": weights})
    for plan in plans(home):
        if plan.sha256 == digest:
            return plan
    images = planned_images(home, config)
    write_down(home)
    test_set = ledger.keep_test_set(home, images)
    now = time.time()
    plan = Plan(
        version=Plan.LATEST,
        id=f"{time.strftime('%Y%m%d', time.localtime(now))}-plan-{digest[:8]}",
        name=config.name,
        time=now,
        by=by,
        sha256=digest,
        config=config.completed().plain(),
        weights_sha256=weights,
        test_set=test_set,
        images=len(images),
        read_before=sum(bool(reading.images & images) for reading in readings(home)),
    )
    plan.write_to(_path(home, plan.id))
    event = {"event": "plan", "id": plan.id, "time": now, "name": plan.name, "sha256": digest, "test_set": test_set}
    ledger.add(home, lambda events: [] if any(e.get("id") == plan.id for e in events) else [event | {"by": by}])
    return plan


def plans(home: Home) -> list[Plan]:
    """The plans that the ledger has, the first registered first."""
    ids = [event["id"] for event in ledger.events(home) if event["event"] == "plan"]
    return [open_plan(home, name) for name in ids]


def open_plan(home: Home, name: str) -> Plan:
    """The plan of that id; an `ErsatzError` when there is none, or its file is not what the ledger has."""
    dates = {event["id"]: event for event in ledger.events(home) if event["event"] == "plan"}
    if name not in dates:
        known = ", ".join(dates) or "none was registered yet"
        raise ErsatzError(f"There is no plan {name}; expected one of those registered ({known}). Correct the id.")
    plan = Plan.read(_path(home, name))
    found = sha256_value({"settings": frozen(plan.sweep()), "weights": plan.weights_sha256})
    if (plan.sha256, plan.sha256, plan.time) != (found, dates[name]["sha256"], dates[name]["time"]):
        raise ErsatzError(
            f"The plan {name} is not the one that was registered: its settings or its date were changed since. "
            "Restore its file from a backup, or register a new plan."
        )
    return plan


def frozen(config: SweepConfig) -> dict[str, Any]:
    """The settings of a sweep that a plan freezes: all but those that bear on no number.

    Settings at their defaults are left out, so that a later version's new ones change no hash.
    """
    values, fields = config.completed().plain(), type(config).model_fields
    usual = {name: field.get_default(call_default_factory=True) for name, field in fields.items()}
    plain_default = {name: list(value) if isinstance(value, tuple) else value for name, value in usual.items()}
    return {name: value for name, value in values.items() if name not in NO_PART and value != plain_default[name]}


def plan_of(config: SweepConfig, among: Collection[Plan]) -> Plan | None:
    """The plan whose settings these are exactly, if it was registered; weights apart."""
    own = frozen(config)
    return next((plan for plan in among if frozen(plan.sweep()) == own), None)


def departures(plan: Plan, config: SweepConfig, weights_sha256: str | None = None) -> list[str]:
    """Where a sweep is not the plan's, as `seeds 12 (planned: 8)`; `weights_sha256` of the classifier, if known."""
    planned, done = plan.sweep().completed().plain(), config.completed().plain()
    found = [
        f"{name} {_shown(done[name])} (planned: {_shown(planned[name])})"
        for name in done
        if name not in NO_PART and done[name] != planned.get(name)
    ]
    if weights_sha256 is not None and weights_sha256 != plan.weights_sha256:
        found.append(f"weights {weights_sha256[:8] or 'none'} (planned: {plan.weights_sha256[:8] or 'none'})")
    return found


def planned_images(home: Home, config: SweepConfig) -> frozenset[str]:
    """The hashes of the real images that a sweep of this config tests on, over all of its folds."""
    datasets = (Dataset.open(home, split.dataset) for split in named_splits(config))
    return frozenset().union(*(images_to_test(dataset) for dataset in datasets))


def _weights(config: SweepConfig) -> str:
    if config.classifier == "small-cnn":
        return ""
    path = resolve_weights(config.classifier, config.weights)
    return checked_digest(path, path.name)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_shown(each) for each in value) or "none"
    if isinstance(value, dict):
        return " ".join(_shown(each) for each in value.values())
    return "none" if value in ("", None) else f"{value:g}" if isinstance(value, float) else str(value)


def _path(home: Home, name: str) -> Path:
    return ledger.folder(home) / "plans" / f"{checked_name(name, 'plan')}.json"
