"""A sweep whose trials are trained by others: one part for each fold and seed, each with a file of its own.

The sweep's worker computes the features once, writes down which groups of trials are left (`hand_out`), and ends. Parts
train them (`train_part`), anywhere and in any order. The next worker takes in what they have done (`take_in`) and goes
on as if it had trained it itself; what is missing is left to others again, or trained by it. A trial's numbers depend
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
from engine.store.files import disk_errors, set_aside, write_json
from engine.store.progress import Outcome, Progress, Report, ShouldStop, never, silent
from engine.store.repair import UNREADABLE
from engine.store.runs import Run
from engine.sweep.arms import Trial, plan
from engine.sweep.extension import TRIALS_FILE
from engine.sweep.external import open_external
from engine.sweep.inputs import load_inputs, open_cache
from engine.sweep.live_parts import TODO_FILE, Group, folder, part_name
from engine.sweep.parallel import devices_for_trials, train_groups
from engine.sweep.positive import positive_index, positive_of_sweep
from engine.sweep.splits import open_splits, test_table
from engine.sweep.trial_rows import Rows, groups, live_row, read_trials_table, trial_row, write_trials_table

logger = logging.getLogger(__name__)


def hand_out(run: Run, left: Sequence[Sequence[Trial]]) -> None:
    """Write down the groups of which trials are left, in the order of the plan."""
    with disk_errors(folder(run)):
        disk.make_folder(folder(run))
    found: dict[Group, None] = {}
    for trials in left:
        found |= {(trial.fold, trial.seed): None for trial in trials}
    write_json(folder(run) / TODO_FILE, [list(group) for group in found])


def take_in(run: Run, wanted: Collection[Trial], rows: Mapping[Trial, dict[str, Any]]) -> Rows:
    """The trials among those `wanted` that parts have done and `rows` lack."""
    found: Rows = {}
    for path in sorted(folder(run).glob("*.parquet")):
        found |= {trial: row for trial, row in _done(path).items() if trial in wanted and trial not in rows}
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
    """Train the trials of a fold and seed that are not done yet; their file is written whole after each.

    Nothing else of the run is written: its worker has checked and recorded what there is to check and record. Several
    parts may be trained at once, but no part twice at once.
    """
    config = config.completed()
    splits, external = open_splits(run.home, config), open_external(run.home, config)
    split = next(split for split in splits if split.fold == fold)
    of_part = [trial for trial in plan(config) if (trial.fold, trial.seed) == (fold, seed)]
    path = folder(run) / f"{part_name(fold, seed)}.parquet"
    before, own = _done(run.path / TRIALS_FILE), _done(path)
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
    report(Progress("trials", len(of_part) - sum(map(len, left)), len(of_part), "trials"))
    where = devices_for_trials(config, len(left), workers)
    for results in train_groups(left, inputs, config, should_stop, where):
        new = {result.trial: trial_row(result, labels, positive, config) for result in results}
        own |= new
        write_trials_table(path, [own[trial] for trial in of_part if trial in own])
        _append(path.with_suffix(".jsonl"), [live_row(row) for row in new.values()])
        report(Progress("trials", len(own), len(of_part), "trials"))
    return "finished" if {*before, *own} >= set(of_part) else "stopped"


def _append(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    with disk_errors(path):
        disk.append(path, "".join(json.dumps(row) + "\n" for row in rows).encode())


def _done(path: Path) -> Rows:
    """The trials in a file; none where there is none. A damaged one is set aside, and its trials are trained again."""
    if not path.exists():
        return {}
    try:
        return read_trials_table(path)
    except UNREADABLE as error:
        if path.name != TRIALS_FILE:  # that one is put right by the run's worker
            told = f"{path.name} was damaged ({error}); its trials are trained again."
            logger.warning(f"{told} What was there is kept as {set_aside(path).name}.")
        return {}
