"""Run a sweep: every trial once, saved as soon as it ends, so that a killed sweep repeats nothing.

<run>/
    trials.parquet    one row a trial, with its test and validation scores; replaced whole after every trial (or group
                      of heads)
    test_images.csv   path, class, group, sha256, fold, synthetic in the order of the scores (those of a trial's fold)
    valid_images.csv  path, class, group, sha256, fold in the order of the validation scores
    external_images.csv   the same of the external data set, where the config names one
    views.csv         the seed of every random view, where classical augmentation meets cached features
    metrics.parquet   every metric of every arm, ratio and seed, by image, patient and subgroup; written at the end
    summary.json      cells, comparisons, verdict; written at the end, and at each planned look
    groups/           of a sweep whose trials are trained by others: what they have done (`live_parts`)
    first_summary.json  that of the sweep to which this one added repetitions
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.datasets.seal import refuse_sealed
from engine.datasets.test_readings import TEST_FILE, record
from engine.devices import describe
from engine.features.cache import FeatureCache, Interrupted
from engine.store.csv_cells import write_table
from engine.store.files import replacing
from engine.store.progress import Outcome, Progress, Report, ShouldStop, never, silent
from engine.store.repair import tell, whole
from engine.store.runs import Run
from engine.sweep.arms import Trial, plan
from engine.sweep.extension import TRIALS_FILE, take_over, with_first_verdict
from engine.sweep.external import EXTERNAL_FILE, EXTERNAL_FOLD, external_table, open_external
from engine.sweep.fan_out import hand_out, take_in
from engine.sweep.foresight import design_of_datasets, pilot_for
from engine.sweep.headline import sweep_result
from engine.sweep.inputs import load_inputs, open_cache
from engine.sweep.leaks import refuse_unsound
from engine.sweep.look_results import LookResult
from engine.sweep.looks import planned_looks
from engine.sweep.metric_table import METRICS_FILE, metric_table
from engine.sweep.parallel import devices_for_trials, train_groups
from engine.sweep.plans import plan_of, plans
from engine.sweep.positive import positive_index, positive_of_sweep
from engine.sweep.splits import Split, open_splits, test_table, valid_table
from engine.sweep.standing import standing_of
from engine.sweep.summary import summarise
from engine.sweep.summary_model import SUMMARY_FILE, Classifier, SweepSummary
from engine.sweep.trial_rows import (
    Rows,
    groups,
    live_row,
    read_trials_table,
    trial_of,
    trial_row,
    write_trials_table,
)

VALID_FILE = "valid_images.csv"


def run_sweep(
    run: Run,
    config: SweepConfig,
    report: Report = silent,
    should_stop: ShouldStop = never,
    workers: int | None = None,
    spread: bool = False,
) -> Outcome:
    """Train every trial of the plan that is not yet in `trials.parquet`, then write `summary.json`.

    With planned looks the trials of each are read before the next: a look depends on the trials up to it alone, so that
    a resumed sweep ends at the same one.

    `workers` processes (default: as many as torch would use threads) train networks side by side on the CPU, one thread
    each; on GPUs there is one process a device. With `spread` the trials that a look lacks are left to others
    (`fan_out`) once all features are computed, and "spread" is returned; called again, it goes on with what they have
    done. Raises `ErsatzError` for leaks and for pools that do not fit.
    """
    config = config.completed()
    splits, external = open_splits(run.home, config), open_external(run.home, config)
    refuse_unsound(config, splits, external)
    for dataset in (*(split.dataset for split in splits), *([external] if external is not None else [])):
        refuse_sealed(dataset, "This sweep")
    first = take_over(run, config)
    rows = _read_trials(run, config, first)
    whole(run, run.path / SUMMARY_FILE, SweepSummary.read, "it is read out of the trials again")
    cache, classifier = open_cache(run.home, config)
    sweep = _Sweep(
        run=run,
        config=config,
        plan=_plan(run, config),
        splits=splits,
        test_images=test_table(splits, config),
        valid_images=valid_table(splits, config),
        external=external,
        positive=positive_index(
            positive_of_sweep(config, splits[0].dataset, rows.values())[0], splits[0].dataset.classes
        ),
        cache=cache,
        classifier=classifier,
    )
    looks: tuple[LookResult, ...] = ()
    for seeds in planned_looks(config):
        now = config.at(seeds)
        outcome = _train(sweep, now, rows, report, should_stop, workers, spread)
        if outcome != "finished":
            return outcome
        summary = with_first_verdict(_read_out(sweep, now, rows, looks), first, config)
        summary.write_to(run.path / SUMMARY_FILE)
        run.update(result=sweep_result(summary, now).plain())
        looks = summary.looks
        if config.stop_at_claim and summary.verdict.verdict != "no evidence":
            break
    return "finished"


@dataclass(frozen=True, kw_only=True)
class _Sweep:
    """What all looks of a sweep have in common."""

    run: Run
    config: SweepConfig
    """With all repetitions that are planned."""
    plan: str
    """Id of the registered plan that it is; empty: none."""
    splits: Sequence[Split]
    test_images: pd.DataFrame
    valid_images: pd.DataFrame
    external: Dataset | None
    positive: int
    cache: FeatureCache | None
    classifier: Classifier

    def record(self, split: Split) -> None:
        """Write into the ledger what is about to be read, and then which images these are."""
        tested = self.test_images[(self.test_images["fold"] == split.fold) & (self.test_images["synthetic"] == 0)]
        record(self.run, split.fold, tested["sha256"], self.plan)
        self.write_images()
        if self.external is not None:
            record(self.run, EXTERNAL_FOLD, self.external.rows()["sha256"], self.plan)
            _write_table(self.run, EXTERNAL_FILE, external_table(self.external, len(self.splits)))

    def write_images(self) -> None:
        """The images in the order of their scores."""
        _write_table(self.run, TEST_FILE, self.test_images)
        _write_table(self.run, VALID_FILE, self.valid_images)


def _train(
    sweep: _Sweep,
    config: SweepConfig,
    rows: Rows,
    report: Report,
    should_stop: ShouldStop,
    workers: int | None,
    spread: bool,
) -> Outcome:
    """Train the trials of the plan that are not yet among `rows`, and add them; or leave them to others."""
    run, trials = sweep.run, plan(config)
    left: list[list[Trial]] = []
    classes = sweep.splits[0].dataset.classes
    report(Progress("trials", len(rows.keys() & set(trials)), len(trials), "trials"))
    for split in sweep.splits:
        of_fold = [trial for trial in trials if trial.fold == split.fold]
        todo = groups(config, of_fold, rows)
        if not todo:
            continue
        sweep.record(split)  # before any of them is read: it counts from here
        try:
            inputs = load_inputs(run, split, sweep.cache, config, of_fold, report, should_stop, sweep.external)
        except Interrupted:
            return "stopped"
        if spread:
            left += todo
            continue
        where = devices_for_trials(config, len(todo), workers)
        run.update(device=describe(where[0]) + (f" x {len(where)}" if where[0].type == "cuda" and where[1:] else ""))
        of_test = sweep.test_images[sweep.test_images["fold"] == split.fold]
        labels = of_test["class"].map(classes.index).to_numpy()
        for results in train_groups(todo, inputs, config, should_stop, where):
            for result in results:
                rows[result.trial] = trial_row(result, labels, sweep.positive, config)
            kept = [rows[trial] for trial in trials if trial in rows]
            write_trials_table(run.path / TRIALS_FILE, kept)
            for result in results:
                run.append_metrics(live_row(rows[result.trial]))
            report(Progress("trials", len(kept), len(trials), "trials"))
        if not rows.keys() >= set(of_fold):
            return "stopped"
    if left:
        hand_out(run, left)
        return "spread"
    return "finished"


def _read_out(
    sweep: _Sweep, config: SweepConfig, rows: Mapping[Trial, dict[str, Any]], looks: Sequence[LookResult]
) -> SweepSummary:
    """What the complete trials of the plan show; writes their table of metrics."""
    run, splits, test_images = sweep.run, sweep.splits, sweep.test_images
    sweep.write_images()
    done = pd.DataFrame([rows[trial] for trial in plan(config)])
    table = metric_table(done, test_images, splits[0].dataset.classes, sweep.positive, config.subgroups)
    with replacing(run.path / METRICS_FILE) as temporary:
        table.to_parquet(temporary)
    declared = standing_of(run, sweep.config, sweep.classifier.weights_sha256).where
    tested = [split.dataset for split in splits]
    pilot = pilot_for(run.home, tested, config, design_of_datasets(tested, config))
    return summarise(
        config,
        splits,
        done,
        test_images,
        table,
        sweep.classifier,
        declared,
        external=sweep.external,
        earlier=looks,
        pilot=pilot,
    )


def _plan(run: Run, config: SweepConfig) -> str:
    """The id of the registered plan that these settings are; empty where they are none's."""
    plan = plan_of(config, plans(run.home))
    return plan.id if plan is not None else ""


def _write_table(run: Run, name: str, table: pd.DataFrame) -> None:
    with replacing(run.path / name) as temporary:
        write_table(table, temporary)


def _read_trials(run: Run, config: SweepConfig, first: SweepSummary | None) -> Rows:
    """Finished trials, here and in parts; brings metrics.jsonl to the same state, in the order of a sweep that was run
    here at one go.
    """
    rows = whole(run, run.path / TRIALS_FILE, read_trials_table, "its trials are trained again") or {}
    taken = take_in(run, {*plan(config)}, rows)
    found = rows | taken
    if damage := run.keep_metrics(lambda row: trial_of(row) in found):
        tell(run, run.metrics_path.name, damage)
    looks = (*([first.seeds] if first is not None else []), *planned_looks(config))
    in_order = dict.fromkeys(trial for seeds in looks for trial in plan(config.at(seeds)) if trial in found)
    in_order |= dict.fromkeys(sorted(found.keys() - in_order.keys()))
    listed = {trial_of(row): row for row in run.read_metrics()[0]}
    if [*listed] != [*in_order]:
        run.write_metrics(listed.get(trial) or live_row(found[trial]) for trial in in_order)
    if taken:  # last: whoever is killed before begins again
        write_trials_table(run.path / TRIALS_FILE, [found[trial] for trial in plan(config) if trial in found])
    return found
