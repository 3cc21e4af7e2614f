"""Run a sweep: every trial once, saved as soon as it ends, so that a killed sweep repeats nothing.

<run>/
    trials.parquet    one row a trial, with its test scores; replaced whole after every trial (or group of heads)
    test_images.csv   path, class, group, sha256 in the order of the scores
    summary.json      cells, comparisons, verdict; written at the end
"""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import numpy as np
import pandas as pd
import torch

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.features.cache import Interrupted
from engine.gans.devices import describe
from engine.sampling.pools import Pool
from engine.store.errors import ErsatzError
from engine.store.files import replacing, write_json
from engine.store.progress import Outcome, Progress, Report, ShouldStop, never, silent
from engine.store.runs import Run
from engine.sweep.arms import Trial, plan
from engine.sweep.inputs import load_inputs
from engine.sweep.leaks import refuse_unsound
from engine.sweep.metrics import METRICS, confusion_matrix, metrics, positive_class
from engine.sweep.summary import summarise
from engine.sweep.trials import Inputs, Result, train_heads, train_small_cnn

TRIALS_FILE = "trials.parquet"
TEST_FILE = "test_images.csv"
SUMMARY_FILE = "summary.json"
POLL_S = 0.5


def run_sweep(
    run: Run,
    config: SweepConfig,
    report: Report = silent,
    should_stop: ShouldStop = never,
    workers: int | None = None,
) -> Outcome:
    """Train every trial of the plan that is not yet in `trials.parquet`, then write `summary.json`.

    `workers` processes (default: as many as torch would use threads) train small networks side by side, one thread
    each, so that a trial's numbers depend on neither its neighbours nor a restart. Raises `ErsatzError` for leaks and
    for pools that do not fit.
    """
    config = config.completed()
    dataset = Dataset.open(run.home, config.dataset)
    pool = Pool.open(Run(run.home, config.pool))
    refuse_unsound(config, dataset, pool)
    trials = plan(config)
    test_rows = dataset.rows("test")
    test_labels = dataset.labels(test_rows)
    with replacing(run.path / TEST_FILE) as temporary:
        test_rows[["path", "class", "group", "sha256"]].to_csv(temporary, index=False)

    rows = _read_trials(run)
    try:
        inputs, classifier = load_inputs(run, config, dataset, pool, trials, report, should_stop)
    except Interrupted:
        return "stopped"
    run.update(device=describe(inputs.train.device))
    positive = positive_class(dataset.classes)
    report(Progress("trials", len(rows), len(trials), "trials"))
    for results in _train(groups(config, trials, set(rows)), inputs, config, should_stop, workers):
        for result in results:
            rows[result.trial] = _row(result, test_labels, positive, config.steps)
        _write_trials(run, [rows[trial] for trial in trials if trial in rows])
        for result in results:
            run.append_metrics(_live_row(rows[result.trial]))
        report(Progress("trials", len(rows), len(trials), "trials"))
    if len(rows) < len(trials):
        return "stopped"
    table = pd.DataFrame([rows[trial] for trial in trials])
    summary = summarise(config, dataset, table, classifier)
    write_json(run.path / SUMMARY_FILE, summary)
    run.update(result={key: summary["verdict"][key] for key in ("verdict", "sentence")})
    return "finished"


def groups(config: SweepConfig, trials: list[Trial], done: set[Trial]) -> list[list[Trial]]:
    """Trials still to do, in the parts that train together: one small network, or all heads of a seed."""
    if config.classifier == "small-cnn":
        return [[trial] for trial in trials if trial not in done]
    seeds = sorted({trial.seed for trial in trials})
    by_seed = [[trial for trial in trials if trial.seed == seed] for seed in seeds]
    return [group for group in by_seed if not done.issuperset(group)]


def _train(
    todo: list[list[Trial]], inputs: Inputs, config: SweepConfig, should_stop: ShouldStop, workers: int | None
) -> Iterator[list[Result]]:
    """Results of the groups as they end; ends early when asked to stop."""
    workers = min(workers or torch.get_num_threads(), len(todo))
    if config.classifier == "small-cnn" and inputs.train.device.type == "cpu" and workers > 1:
        yield from _train_in_processes(todo, inputs, config, should_stop, workers)
        return
    for group in todo:
        if should_stop():
            return
        if config.classifier == "small-cnn":
            yield [train_small_cnn(trial, inputs, config) for trial in group]
        else:
            yield train_heads(group, inputs, config)


def _train_in_processes(
    todo: list[list[Trial]], inputs: Inputs, config: SweepConfig, should_stop: ShouldStop, workers: int
) -> Iterator[list[Result]]:
    context = multiprocessing.get_context("spawn")  # a fork of a process with torch's threads can hang
    waiting = iter([trial for group in todo for trial in group])
    with ProcessPoolExecutor(workers, context, initializer=_begin_worker, initargs=(inputs, config)) as executor:
        running: set[Future[Result]] = set()
        try:
            while True:
                while len(running) < workers and not should_stop() and (trial := next(waiting, None)):
                    running.add(executor.submit(_train_in_worker, trial))
                if not running:
                    return
                ended, running = wait(running, timeout=POLL_S, return_when=FIRST_COMPLETED)
                for future in ended:
                    yield [future.result()]
        except BrokenProcessPool as error:
            raise ErsatzError(
                f"One of {workers} training processes was ended from outside, most likely because the memory was full. "
                "Resume the sweep (finished trials are kept) with other programs closed, or with OMP_NUM_THREADS=1."
            ) from error


_worker_inputs: tuple[Inputs, SweepConfig]


def _begin_worker(inputs: Inputs, config: SweepConfig) -> None:
    """Keep what every trial reads; leave when the parent is gone, however it went."""
    global _worker_inputs
    torch.set_num_threads(1)  # before the first product, so that no idle threads are started
    _worker_inputs = inputs, config
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow_parent, daemon=True).start()


def _train_in_worker(trial: Trial) -> Result:
    return train_small_cnn(trial, *_worker_inputs)


def _row(result: Result, labels: np.ndarray, positive: int, steps: int) -> dict[str, Any]:
    """A row of trials.parquet."""
    scores = result.scores
    confusion = confusion_matrix(labels, scores.argmax(1), scores.shape[1])
    return {
        "arm": result.trial.arm,
        "ratio": result.trial.ratio,
        "seed": result.trial.seed,
        "steps": steps,
        "n_real": result.n_real,
        "n_synthetic": result.n_synthetic,
        "valid_accuracy": result.valid_accuracy,
        "best_step": result.best_step,
        **metrics(labels, scores, positive),
        "confusion": json.dumps(confusion.tolist()),
        "scores": scores.astype(np.float32).ravel(),
        "seconds": result.seconds,
    }


def _live_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row of metrics.jsonl, for plots while the sweep runs."""
    keys = ("arm", "ratio", "seed", "n_real", "n_synthetic", "valid_accuracy", "best_step", *METRICS, "seconds")
    finite = {key: None if isinstance(row[key], float) and np.isnan(row[key]) else row[key] for key in keys}
    return {**finite, "time": time.time()}


def _write_trials(run: Run, rows: list[dict[str, Any]]) -> None:
    with replacing(run.path / TRIALS_FILE) as temporary:
        pd.DataFrame(rows).to_parquet(temporary, index=False)


def _read_trials(run: Run) -> dict[Trial, dict[str, Any]]:
    """Finished trials; brings metrics.jsonl, which is appended after them, to the same state."""
    path = run.path / TRIALS_FILE
    table = pd.read_parquet(path).to_dict("records") if path.exists() else []
    rows = {Trial(row["arm"], row["ratio"], row["seed"]): {str(k): v for k, v in row.items()} for row in table}
    listed, _ = run.read_metrics()
    missing = set(rows) - {Trial(row["arm"], row["ratio"], row["seed"]) for row in listed}
    run.keep_metrics(lambda row: Trial(row["arm"], row["ratio"], row["seed"]) in rows)
    for trial in sorted(missing):
        run.append_metrics(_live_row(rows[trial]))
    return rows
