"""A sweep whose trials are trained by others: one part for each fold and seed, each with a file of its own.

The sweep's worker computes the features once, writes down which groups of trials are left (`hand_out`), and ends. Parts
train them (`train_part`), anywhere and in any order. The next worker takes in what they have done (`take_in`) and goes
on as if it had trained them itself; what is missing is left to others again, or trained by it. A trial's numbers depend
on its seed alone, so that the sweep ends in the same bits.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.configs import SweepConfig
from engine.features.cache import Interrupted
from engine.store import disk
from engine.store.errors import ErsatzError, RunDeleted
from engine.store.files import disk_errors, set_aside, write_json, write_text
from engine.store.progress import Outcome, Progress, Report, ShouldStop, never, silent
from engine.store.repair import UNREADABLE, whole
from engine.store.runs import Run, whole_rows
from engine.sweep.arms import Trial, plan
from engine.sweep.extension import TRIALS_FILE
from engine.sweep.external import open_external
from engine.sweep.inputs import load_inputs, open_cache
from engine.sweep.live_parts import TODO_FILE, Group, folder, part_name
from engine.sweep.parallel import devices_for_trials, train_groups
from engine.sweep.positive import positive_index, positive_of_sweep
from engine.sweep.splits import open_splits, test_table
from engine.sweep.trial_rows import (
    Rows,
    groups,
    live_row,
    read_trials_table,
    trial_of,
    trial_row,
    write_trials_table,
)

logger = logging.getLogger(__name__)


def hand_out(run: Run, left: Sequence[Sequence[Trial]]) -> None:
    """Write down the groups of which trials are left, in the order of the plan."""
    found: dict[Group, None] = {}
    for trials in left:
        found |= {(trial.fold, trial.seed): None for trial in trials}
    write_json(folder(run) / TODO_FILE, [list(group) for group in found])


def take_in(run: Run, wanted: Collection[Trial], rows: Mapping[Trial, dict[str, Any]]) -> Rows:
    """The trials among those `wanted` that parts have done and `rows` lack; nothing is left to others any more.

    The file of a part that is damaged is set aside with an alarm, and its trials are missing.
    """
    if (folder(run) / TODO_FILE).exists():
        with disk_errors(folder(run)):
            disk.remove(folder(run) / TODO_FILE)
    found: Rows = {}
    for path in sorted(folder(run).glob("*.parquet")):
        done = whole(run, path, read_trials_table, "its trials are trained again") or {}
        found |= {trial: row for trial, row in done.items() if trial in wanted and trial not in rows}
    return found


def train_part(
    run: Run,
    config: SweepConfig,
    fold: int,
    seed: int,
    report: Report = silent,
    should_stop: ShouldStop = never,
    workers: int | None = None,
) -> Outcome:
    """Train the trials of a fold and seed that are not done yet; their file is written whole after each (or all heads).

    Nothing else of the run is written: its worker has checked and recorded what there is to check and record. Several
    parts may be trained at once, but no part twice at once. Raises `RunDeleted` when the run is gone, and `ErsatzError`
    when the sweep has no such part.
    """
    config = config.completed()
    of_part = [trial for trial in plan(config) if (trial.fold, trial.seed) == (fold, seed)]
    if not of_part:
        raise ErsatzError(
            f"The sweep {run.id} has no trials of fold {fold} and seed {seed}; a group of its {TODO_FILE} is expected. "
            "Resume the run, and it writes down anew which are left."
        )
    splits, external = open_splits(run.home, config), open_external(run.home, config)
    (split,) = [split for split in splits if split.fold == fold]
    path = folder(run) / f"{part_name(fold, seed)}.parquet"
    before, own = _finished(run.path / TRIALS_FILE), _own(path)
    _write_live(path, own)  # killed between the two files, it had written the first alone
    left = groups(config, of_part, {*before, *own})
    if not left:
        return "finished"
    classes = splits[0].dataset.classes
    positive = positive_index(positive_of_sweep(config, splits[0].dataset, before.values())[0], classes)
    tested = test_table(splits, config)
    labels = tested[tested["fold"] == fold]["class"].map(classes.index).to_numpy()
    cache, _ = open_cache(run.home, config)
    try:
        inputs = load_inputs(run, split, cache, config, of_part, report, should_stop, external, records_views=False)
    except Interrupted:
        return "stopped"

    def tell_progress() -> None:
        report(Progress("trials", len({*before, *own} & {*of_part}), len(of_part), "trials"))

    tell_progress()
    where = devices_for_trials(config, len(left), workers)
    for results in train_groups(left, inputs, config, should_stop, where):
        own |= {result.trial: trial_row(result, labels, positive, config) for result in results}
        if not run.exists():  # its folder is not made again
            raise RunDeleted(run.id)
        write_trials_table(path, [own[trial] for trial in of_part if trial in own])
        _write_live(path, own)
        tell_progress()
    return "finished" if {*before, *own} >= {*of_part} else "stopped"


def _finished(path: Path) -> Rows:
    """The trials that the run's worker has; it sets a damaged file aside, and takes the part's trials then."""
    try:
        return read_trials_table(path) if path.exists() else {}
    except UNREADABLE:
        logger.warning(f"{path.name} is damaged; the trials of this part are trained again.")
        return {}


def _own(path: Path) -> Rows:
    """The trials in a part's own file; a damaged one is set aside."""
    try:
        return read_trials_table(path) if path.exists() else {}
    except UNREADABLE as error:
        told = f"{path.name} was damaged ({error}); its trials are trained again."
        logger.warning(f"{told} What was there is kept as {set_aside(path).name}.")
        return {}


def _write_live(path: Path, own: Rows) -> None:
    """Bring the rows for metrics.jsonl beside a part's file to the same state; those that are there keep their time."""
    live = path.with_suffix(".jsonl")
    try:
        listed = {trial_of(row): row for row in whole_rows(live.read_bytes())[0]} if live.exists() else {}
    except UNREADABLE:  # they follow from the trials
        listed = {}
    if listed.keys() != own.keys():
        rows = [listed.get(trial) or live_row(row) for trial, row in own.items()]
        write_text(live, "".join(json.dumps(row) + "\n" for row in rows), flushed=False)
