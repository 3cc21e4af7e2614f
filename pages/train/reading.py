"""The numbers of trainings as they grow, and which trainings belong together."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import streamlit as st

from engine.gans.snapshots import list_generators
from engine.report.training_rows import EMPTY, Rows
from engine.store.runs import Run, list_runs
from pages.components.format import amount
from pages.components.home import home
from pages.components.run_summary import about_of, config_of
from pages.quality.ranking import rankings_of, read_ranking

SCORES = ("kid", "fid")


BLOCK = 8_000_000
"""Bytes of a file that are read and parsed at a time."""
TICK = frozenset({"kimg", "seconds", "images_per_second"})
"""What every row of a training has; one without them is damaged."""


@dataclass
class Tail:
    """The rows of one `metrics.jsonl`, of which every look reads only what is new."""

    run: Run
    rows: Rows = EMPTY
    offset: int = 0
    file: int = 0
    """Which file was read: a resumed run, which drops rows past its snapshot, writes another."""
    lock: Lock = field(default_factory=Lock)

    def read(self) -> Rows:
        """All rows so far; what was returned before is left as it is."""
        with self.lock:
            try:
                file = self.run.metrics_path.stat().st_ino
            except OSError:
                return EMPTY
            if file != self.file:
                self.rows, self.offset, self.file = EMPTY, 0, file
            try:
                self._read_on()
            except ValueError:  # written anew, or damaged: the run itself says what of it can be read
                rows, self.offset = self.run.read_metrics()
                self.rows = Rows.of([row for row in rows if row.keys() >= TICK])
            return self.rows

    def _read_on(self) -> None:
        parts, offset = [self.rows], self.offset
        while True:
            lines, offset = self.run.read_metrics_lines(offset, BLOCK)
            if not lines:
                break
            parts.append(Rows.parse(lines))
        if len(parts) > 1:
            self.rows, self.offset = Rows.joined(parts), offset


@st.cache_resource(max_entries=16, show_spinner=False)
def _tail(path: Path) -> Tail:
    return Tail(Run(home(), path.name))


def read_rows(run: Run) -> Rows:
    """All rows of a training's `metrics.jsonl`; they are kept once for all who look at them."""
    return _tail(run.path).read()


@dataclass(frozen=True)
class Best:
    """The checkpoint with the lowest score, as far as anybody has measured; not always shown to be better."""

    kimg: float
    sentence: str
    snapshot: str
    """Its file's name; empty when it was not kept."""


def best_checkpoint(run: Run, rows: Rows) -> Best | None:
    """By the newest ranking of the snapshots; without one, by the scores of the training itself."""
    ranking = next((found for made in rankings_of(run) if (found := read_ranking(made))), None)
    if ranking is not None:
        rivals = sum(not row.worse for row in ranking.snapshots) - 1
        open_ = f"; {rivals} other{'s' * (rivals > 1)} not told apart from it" if ranking.tested and rivals else ""
        by = f"KID {ranking.best.kid:.4f} to validation images, the lowest of {len(ranking.snapshots)} ranked{open_}"
        return _kept(run, ranking.best.kimg, by)
    for name in SCORES:
        scored = rows.with_field(name)
        if len(scored):
            best = lowest(scored, name)
            by = f"{name.upper()} {best[name]:.4g} to the training images, the lowest of {len(scored)} scored"
            by += ", not tested against the others" if len(scored) > 1 else ""
            return _kept(run, best["kimg"], by)
    return None


def lowest(rows: Rows, field: str) -> dict[str, Any]:
    """The row with the lowest number; the first one of several, and of rows without any."""
    return rows[int(np.argmin(np.nan_to_num(rows.column(field), nan=np.inf)))]


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
