"""The numbers of trainings as they grow, and which trainings belong together."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import streamlit as st

from engine.gans.snapshots import list_generators
from engine.store.runs import Run, list_runs
from pages.components.format import amount
from pages.components.home import home
from pages.components.run_summary import about_of, config_of
from pages.quality.ranking import rankings_of, read_ranking

SCORES = ("kid", "fid")


TICK = frozenset({"kimg", "seconds", "images_per_second"})
"""What every row of a training has."""


@dataclass
class Tail:
    """The rows of one `metrics.jsonl`, of which every look reads only what is new."""

    run: Run
    rows: list[dict[str, Any]] = field(default_factory=list)
    offset: int = 0
    file: int = 0
    """Which file was read: a resumed run, which drops rows past its snapshot, writes another."""
    lock: Lock = field(default_factory=Lock)

    def read(self) -> list[dict[str, Any]]:
        """All rows so far; what was returned before is left as it is."""
        with self.lock:
            try:
                file = self.run.metrics_path.stat().st_ino
            except OSError:
                return []
            if file != self.file:
                self.rows, self.offset, self.file = [], 0, file
            try:
                new, self.offset = self.run.read_metrics(self.offset)
            except ValueError:
                self.rows, (new, self.offset) = [], self.run.read_metrics()
            new = [row for row in new if row.keys() >= TICK]  # a row without them is damaged
            if new:
                self.rows = [*self.rows, *new]
            return self.rows


@st.cache_resource(max_entries=16, show_spinner=False)
def _tail(path: Path) -> Tail:
    return Tail(Run(home(), path.name))


def read_rows(run: Run) -> list[dict[str, Any]]:
    """All rows of a training's `metrics.jsonl`; they are kept once for all who look at them."""
    return _tail(run.path).read()


@dataclass(frozen=True)
class Best:
    """The checkpoint with the lowest score, as far as anybody has measured; not always shown to be better."""

    kimg: float
    sentence: str
    snapshot: str
    """Its file's name; empty when it was not kept."""


def best_checkpoint(run: Run, rows: list[dict[str, Any]]) -> Best | None:
    """By the newest ranking of the snapshots; without one, by the scores of the training itself."""
    ranking = next((found for made in rankings_of(run) if (found := read_ranking(made))), None)
    if ranking is not None:
        rivals = sum(not row.worse for row in ranking.snapshots) - 1
        open_ = f"; {rivals} other{'s' * (rivals > 1)} not told apart from it" if ranking.tested and rivals else ""
        by = f"KID {ranking.best.kid:.4f} to validation images, the lowest of {len(ranking.snapshots)} ranked{open_}"
        return _kept(run, ranking.best.kimg, by)
    for name in SCORES:
        scored = [row for row in rows if row.get(name) is not None]
        if scored:
            best = min(scored, key=lambda row: row[name])
            by = f"{name.upper()} {best[name]:.4g} to the training images, the lowest of {len(scored)} scored"
            by += ", not tested against the others" if len(scored) > 1 else ""
            return _kept(run, best["kimg"], by)
    return None


def _kept(run: Run, kimg: float, by: str) -> Best:
    name = f"network-{round(1000 * kimg):09d}.safetensors"
    there = {path.name for path in list_generators(run.path)}
    return Best(kimg, f"Checkpoint with the lowest score: {amount(kimg)} kimg ({by}).", name if name in there else "")


def siblings(run: Run) -> list[Run]:
    """The newest training of each class with otherwise the same settings, in the order of the classes; `run` is one.

    Only generators of one class each have any: a form or a journey starts them together.
    """
    config = config_of(run)
    if not config["class_name"]:
        return [run]
    found = {config["class_name"]: run}
    for other in list_runs(home(), "train"):
        theirs = config_of(other)
        same = theirs["class_name"] and _shared(theirs) == _shared(config)
        if same and theirs["class_name"] not in found and not about_of(other).archived:
            found[theirs["class_name"]] = other
    return [found[class_name] for class_name in sorted(found)]


def _shared(config: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name != "class_name"}
