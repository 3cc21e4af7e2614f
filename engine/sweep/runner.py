"""Run a sweep: every trial once, saved as soon as it ends, so that a killed sweep repeats nothing.

<run>/
    trials.parquet    one row a trial, with its test scores; replaced whole after every trial (or group of heads)
    test_images.csv   path, class, group, sha256, fold, synthetic in the order of the scores (those of a trial's fold)
    views.csv         the seed of every random view, where classical augmentation meets cached features
    metrics.parquet   every metric of every arm, ratio and seed, by image, patient and subgroup; written at the end
    summary.json      cells, comparisons, verdict; written at the end
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from engine.configs import SweepConfig
from engine.devices import describe
from engine.features.cache import Interrupted
from engine.store.files import replacing
from engine.store.progress import Outcome, Progress, Report, ShouldStop, never, silent
from engine.store.runs import Run
from engine.sweep.arms import Trial, plan, steps_of
from engine.sweep.foresight import design_of_datasets, pilot_for
from engine.sweep.inputs import load_inputs, open_cache
from engine.sweep.leaks import refuse_unsound
from engine.sweep.metric_table import METRICS_FILE, metric_table
from engine.sweep.metrics import METRICS, confusion_matrix, metrics, positive_class
from engine.sweep.parallel import devices_for_trials, train_groups
from engine.sweep.results import SweepResult
from engine.sweep.splits import open_splits, test_table
from engine.sweep.summary import summarise
from engine.sweep.summary_model import SUMMARY_FILE
from engine.sweep.trials import Result, trains_together

TRIALS_FILE = "trials.parquet"
TEST_FILE = "test_images.csv"


def run_sweep(
    run: Run,
    config: SweepConfig,
    report: Report = silent,
    should_stop: ShouldStop = never,
    workers: int | None = None,
) -> Outcome:
    """Train every trial of the plan that is not yet in `trials.parquet`, then write `summary.json`.

    `workers` processes (default: as many as torch would use threads) train networks side by side on the CPU, one thread
    each; on GPUs there is one process a device. Raises `ErsatzError` for leaks and for pools that do not fit.
    """
    config = config.completed()
    splits = open_splits(run.home, config)
    refuse_unsound(config, splits)
    classes = splits[0].dataset.classes
    trials = plan(config)
    test_images = test_table(splits, config)
    rows = _read_trials(run)
    cache, classifier = open_cache(run.home, config)
    with replacing(run.path / TEST_FILE) as temporary:
        test_images.to_csv(temporary, index=False)

    report(Progress("trials", len(rows), len(trials), "trials"))
    for split in splits:
        of_fold = [trial for trial in trials if trial.fold == split.fold]
        todo = groups(config, of_fold, rows)
        if not todo:
            continue
        try:
            inputs = load_inputs(run, split, cache, config, of_fold, report, should_stop)
        except Interrupted:
            return "stopped"
        where = devices_for_trials(config, len(todo), workers)
        run.update(device=describe(where[0]) + (f" x {len(where)}" if where[0].type == "cuda" and where[1:] else ""))
        labels = test_images.loc[test_images["fold"] == split.fold, "class"].map(classes.index).to_numpy()
        for results in train_groups(todo, inputs, config, should_stop, where):
            for result in results:
                rows[result.trial] = _row(result, labels, positive_class(classes), config)
            _write_trials(run, [rows[trial] for trial in trials if trial in rows])
            for result in results:
                run.append_metrics(_live_row(rows[result.trial]))
            report(Progress("trials", len(rows), len(trials), "trials"))
        if not rows.keys() >= set(of_fold):
            return "stopped"
    done = pd.DataFrame([rows[trial] for trial in trials])
    table = metric_table(done, test_images, classes, positive_class(classes), config.subgroups)
    with replacing(run.path / METRICS_FILE) as temporary:
        table.to_parquet(temporary)
    tested = [split.dataset for split in splits]
    pilot = pilot_for(run.home, tested, config, design_of_datasets(tested, config.level))
    summary = summarise(config, splits, done, test_images, table, classifier, pilot)
    summary.write_to(run.path / SUMMARY_FILE)
    run.update(result=SweepResult(verdict=summary.verdict.verdict, sentence=summary.verdict.sentence).plain())
    return "finished"


def groups(config: SweepConfig, trials: Sequence[Trial], done: Collection[Trial]) -> list[list[Trial]]:
    """Trials still to do, in the parts that train together: one trial, or all heads of a seed and fold.

    A group that is partly done is trained whole: each head is the same again, and costs next to nothing beside others.
    """
    if not trains_together(config):
        return [[trial] for trial in trials if trial not in done]
    together: dict[tuple[int, int], list[Trial]] = {}
    for trial in trials:
        together.setdefault((trial.fold, trial.seed), []).append(trial)
    return [group for group in together.values() if any(trial not in done for trial in group)]


def _row(result: Result, labels: np.ndarray, positive: int, config: SweepConfig) -> dict[str, Any]:
    """A row of trials.parquet; its metrics are those of the fold's test images."""
    scores = result.scores
    confusion = confusion_matrix(labels, scores.argmax(1), scores.shape[1])
    return {
        "arm": result.trial.arm,
        "ratio": result.trial.ratio,
        "seed": result.trial.seed,
        "fold": result.trial.fold,
        "steps": steps_of(config, result.n_real + result.n_synthetic),  # the limit, where patience may end it earlier
        "n_real": result.n_real,
        "n_synthetic": result.n_synthetic,
        "valid_accuracy": result.valid_accuracy,
        "valid_loss": result.valid_loss,
        "best_step": result.best_step,
        **metrics(labels, scores, positive),
        "confusion": json.dumps(confusion.tolist()),
        "scores": scores.astype(np.float32).ravel(),
        "seconds": result.seconds,
    }


def _live_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row of metrics.jsonl, for plots while the sweep runs."""
    keys = ("arm", "ratio", "seed", "fold", "n_real", "n_synthetic", "valid_accuracy", "best_step")
    found = {key: row.get(key) for key in (*keys, *METRICS, "seconds")}
    finite = {key: None if isinstance(value, float) and np.isnan(value) else value for key, value in found.items()}
    return {**finite, "time": time.time()}


def _write_trials(run: Run, rows: list[dict[str, Any]]) -> None:
    with replacing(run.path / TRIALS_FILE) as temporary:
        pd.DataFrame(rows).to_parquet(temporary, index=False)


def _read_trials(run: Run) -> dict[Trial, dict[str, Any]]:
    """Finished trials; brings metrics.jsonl, which is appended after them, to the same state."""
    path = run.path / TRIALS_FILE
    table = pd.read_parquet(path).to_dict("records") if path.exists() else []
    rows = {_trial(row): {**{str(k): v for k, v in row.items()}, "fold": row.get("fold", 0)} for row in table}
    listed, _ = run.read_metrics()
    missing = set(rows) - {_trial(row) for row in listed}
    run.keep_metrics(lambda row: _trial(row) in rows)
    for trial in sorted(missing):
        run.append_metrics(_live_row(rows[trial]))
    return rows


def _trial(row: Mapping[Any, Any]) -> Trial:
    """The trial of a row; those of runs from before there were folds have none."""
    return Trial(row["arm"], row["ratio"], row["seed"], row.get("fold", 0))
