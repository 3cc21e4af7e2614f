"""What a page knows of a run at a glance: its files are read again only once they have changed.

A list of two thousand runs looks at six thousand small files in every run of a script. `st.cache_data` copies and
hashes at each of them, which takes longer than reading the file; here a look costs a `stat`, of which a network's file
system answers a thousand a second: a list makes one summary of each run and asks no more than that.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from engine.cluster.job import JOB_FILE, Job
from engine.jobs.kinds import kind_shown
from engine.jobs.whereabouts import Whereabouts, job_of, placed
from engine.store.about import ABOUT_FILE, About, about
from engine.store.errors import ErsatzError, Missing
from engine.store.files import read_json
from engine.store.home import NAME_PATTERN, Home
from engine.store.runs import HERE, Run, State, Status
from pages.components.home import home

MEMORY = 16_384
"""Files of a kind that are remembered, of all homes and sessions: a list of more runs than that reads them all anew."""
CURVE_POINTS = 32
CURVE_BLOCK = 16_384

Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class RunSummary:
    """A run in a list."""

    run: Run
    config: dict[str, Any]
    status: Status
    state: State
    about: About

    @property
    def kind(self) -> str:
        return self.config["kind"]

    @cached_property
    def title(self) -> str:
        return self.about.title or usual_title(self.run, self.config)

    @cached_property
    def dataset(self) -> str:
        return dataset_of(self.run, self.config, self.status)

    @cached_property
    def where(self) -> Whereabouts:
        return where_of(self.run, self.status, self.state)

    @property
    def share(self) -> float | None:
        """How much of it is done, from 0 to 1; None when nobody knows. A finished run has done all."""
        if self.state is State.FINISHED:
            return 1.0
        return self.status.share


def summary_of(run: Run) -> RunSummary:
    """Everything that a list shows of a run; an `ErsatzError` when its folder is damaged."""
    status = status_of(run)
    return RunSummary(run, config_of(run), status, run.state_of(status), about_of(run))


def summaries_of(runs: list[Run]) -> list[RunSummary]:
    """Those of `runs` whose folders are not damaged."""
    found = []
    for run in runs:
        try:
            found.append(summary_of(run))
        except ErsatzError:
            continue
    return found


def config_of(run: Run) -> dict[str, Any]:
    """The run's config."""
    file = f"{run.path}/config.json"
    try:
        values = _json(file, _stamp(file))
    except (OSError, ErsatzError):
        return run.config()  # which says what is wrong
    return dict(values) if isinstance(values, dict) and isinstance(values.get("kind"), str) else run.config()


def status_of(run: Run) -> Status:
    """The run's `status.json`; look, but do not change what is in it."""
    try:
        return _status(run, _stamp(f"{run.path}/status.json"))
    except OSError:
        return run.status()


def state_of(run: Run) -> State:
    """The state of a run."""
    try:
        return run.state_of(status_of(run))
    except Missing:
        raise
    except ErsatzError:
        return State.DAMAGED


def where_of(run: Run, status: Status, state: State) -> Whereabouts:
    """Where a run is, and what it waits for there."""
    if status.place == HERE:
        return Whereabouts()
    file = f"{run.path}/{JOB_FILE}"
    try:
        job = _job(run, _stamp(file))
    except OSError:
        job = Job()
    return placed(config_of(run)["kind"], status, state, job)


def about_of(run: Run) -> About:
    """What people said of a run; nothing when what they said is damaged."""
    try:
        return _about(run, _stamp(f"{run.path}/{ABOUT_FILE}"))
    except (OSError, ErsatzError):
        return About()


def title(run: Run) -> str:
    """The title that somebody gave to a run, else what it is in a few words: `Train phantom · bleed`."""
    return about_of(run).title or usual_title(run)


def usual_title(run: Run, config: dict[str, Any] | None = None) -> str:
    """What a run is, in a few words; its `config` is read unless it is given."""
    config = config_of(run) if config is None else config
    kind = kind_shown(config["kind"])
    about_run = run_named(run.home, config[kind.about_run]) if kind.about_run else None
    return kind.usual_title(config, title(about_run) if about_run else "") or run.id


def dataset_of(run: Run, config: dict[str, Any] | None = None, status: Status | None = None) -> str:
    """The data set that a run is about; empty when it is about none. What is not given of it is read."""
    config = config_of(run) if config is None else config
    kind = kind_shown(config["kind"])
    if kind.about_run:
        other = run_named(run.home, config[kind.about_run])
        return dataset_of(other) if other else ""
    if kind.dataset_of_result is not None:
        found = kind.result_of(status_of(run) if status is None else status)
        return kind.dataset_of_result(found) if found else ""
    return kind.dataset_of(config)


def run_named(at: Home, run_id: str) -> Run | None:
    """The run of that id, if there is one and it is whole."""
    if not NAME_PATTERN.fullmatch(run_id):
        return None
    try:
        return None if Run(at, run_id).damage() else Run(at, run_id)
    except Missing:
        return None


def runs_named(run_ids: list[str]) -> list[Run]:
    """The runs of these ids that there are."""
    return [run for run_id in run_ids if (run := run_named(home(), run_id)) is not None]


def curve(run: Run, kind_name: str = "") -> list[float]:
    """The course of the number that tells most of this run, in a few points; empty when it has none."""
    kind = kind_shown(kind_name or config_of(run)["kind"])
    try:
        if kind.curve_of is not None:
            return _drawn(run, _stamp(run.metrics_path), kind.curve_of)
        return _curve(run.metrics_path, _stamp(run.metrics_path), kind.curve) if kind.curve else []
    except (OSError, ErsatzError, LookupError, TypeError, ValueError, ArithmeticError):  # none yet, or damaged
        return []


def last_number(run: Run, field: str) -> float | None:
    """The newest value of a field in a run's `metrics.jsonl`; None when there is none yet."""
    try:
        found = _curve(run.metrics_path, _stamp(run.metrics_path), (field,))
    except (OSError, ValueError):
        return None
    return found[-1] if found else None


def outcome(seen: RunSummary) -> str:
    """What came out of a run, in a few words."""
    if seen.status.error:
        return seen.status.error
    return kind_shown(seen.kind).outcome(seen.status) if seen.state is State.FINISHED else ""


def _stamp(file: Path | str) -> Stamp:
    facts = os.stat(file)  # noqa: PTH116  (thousands a page: no Path is made)
    return facts.st_mtime_ns, facts.st_size, facts.st_ino


@lru_cache(MEMORY)
def _json(file: str, stamp: Stamp) -> Any:
    return read_json(Path(file))


@lru_cache(MEMORY)
def _status(run: Run, stamp: Stamp) -> Status:
    return run.status()


@lru_cache(MEMORY)
def _job(run: Run, stamp: Stamp) -> Job:
    return job_of(run)


@lru_cache(MEMORY)
def _about(run: Run, stamp: Stamp) -> About:
    return about(run)


@lru_cache(MEMORY)
def _curve(file: Path, stamp: Stamp, fields: tuple[str, ...]) -> list[float]:
    """Found without parsing whole lines, and of a large file in evenly spaced blocks alone."""
    content = _blocks(file, stamp[1])
    for field in fields:
        found = re.findall(rb'"%s": (-?[0-9.][0-9.eE+-]*)' % field.encode(), content)
        if found:
            last = len(found) - 1
            places = range(len(found)) if last < CURVE_POINTS else [round(i * last / 31) for i in range(CURVE_POINTS)]
            return [float(found[place]) for place in places]
    return []


@lru_cache(MEMORY)
def _drawn(run: Run, stamp: Stamp, draw: Callable[[list[dict[str, Any]]], list[float]]) -> list[float]:
    return draw(run.read_metrics()[0])


def _blocks(file: Path, size: int) -> bytes:
    with file.open("rb") as opened:
        if size <= CURVE_POINTS * CURVE_BLOCK:
            return opened.read()
        blocks = []
        for number in range(CURVE_POINTS):
            opened.seek(round(number * (size - CURVE_BLOCK) / (CURVE_POINTS - 1)))
            blocks.append(opened.read(CURVE_BLOCK).partition(b"\n")[2].rpartition(b"\n")[0])
        return b"\n".join(blocks)
