"""Sweeps, with trials drawn so that synthetic images help."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.store.home import Home
from engine.store.runs import Run, State, create_run
from engine.sweep.arms import Trial, arm_rule, plan
from engine.sweep.headline import sweep_result
from engine.sweep.metric_table import METRICS_FILE, metric_table
from engine.sweep.metrics import confusion_matrix, metrics
from engine.sweep.splits import open_splits, test_table, valid_table
from engine.sweep.summary import summarise
from engine.sweep.summary_model import SUMMARY_FILE, Classifier
from tests.fabricated.datasets import CLASSES, fingerprint
from tests.fabricated.trainings import set_state


def make_trials(
    config: SweepConfig,
    labels: np.ndarray,
    gain: float = 0.4,
    fold: int = 0,
    reals: int = 40,
    valid_labels: np.ndarray | None = None,
) -> pd.DataFrame:
    """Trials of all arms in one fold, with scores drawn so that synthetic images add `gain` to the margin at 100 %.

    A validation image (default: those of the test part) has the scores of a test image of its class.
    """
    valid = _alike(labels, labels if valid_labels is None else valid_labels)
    classes = int(labels.max()) + 1
    noise = {seed: np.random.default_rng(seed).normal(0, 1, (len(labels), classes)) for seed in range(99)}
    rows = []
    for trial in (trial for trial in plan(config) if trial.fold == fold):
        margin = 1.2 + {"real+synthetic": gain * trial.ratio, "real+classical": 0.1}.get(trial.arm, 0.0)
        own = np.random.default_rng([trial.seed, round(100 * trial.ratio), len(trial.arm)])
        logits = margin * np.eye(classes)[labels] + noise[trial.seed] + own.normal(0, 0.3, (len(labels), classes))
        scores = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        rows.append(_trial_row(trial, config, labels, scores, reals, valid))
    return pd.DataFrame(rows)


def _alike(labels: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Places of labels that are those that are wanted, in turn."""
    places = {label: np.flatnonzero(labels == label) for label in np.unique(labels)}
    return np.array([places[label][turn % len(places[label])] for turn, label in enumerate(wanted)], int)


def _trial_row(
    trial: Trial, config: SweepConfig, labels: np.ndarray, scores: np.ndarray, reals: int, valid: np.ndarray
) -> dict[str, Any]:
    confusion = confusion_matrix(labels, scores.argmax(1), scores.shape[1])
    rule, extra = arm_rule(trial.arm), round(reals * trial.ratio)
    stay = {"real": reals, "subset": extra, "replaced": reals - extra, "none": 0}[rule.base]
    return {
        "arm": trial.arm,
        "ratio": trial.ratio,
        "seed": trial.seed,
        "fold": trial.fold,
        "steps": config.steps,
        "n_real": stay + (extra if rule.extra == "duplicates" else 0),
        "n_synthetic": extra if rule.extra == "synthetic" else 0,
        "valid_accuracy": 0.8,
        "best_step": 210,
        **metrics(labels, scores, _positive(config)),
        "confusion": json.dumps(confusion.tolist()),
        "scores": scores.ravel().tolist(),
        "valid_scores": scores[valid].ravel().tolist(),
        "seconds": 2.5,
    }


def _positive(config: SweepConfig) -> int:
    return CLASSES.index(config.positive_class or "bleed")


def make_sweep(
    home: Home,
    pool: Run | None = None,
    state: State = State.FINISHED,
    seeds: int = 8,
    settings: dict[str, Any] | None = None,
    gain: float = 0.4,
    **changes: Any,
) -> Run:
    """A sweep with these settings; unless finished it has half of its trials and no summary.

    `gain`: what synthetic images add to the margin at 100 %; below 0 they harm.
    """
    values = {"name": "phantom-sweep", "dataset": "phantom", "dataset_fingerprint": fingerprint(home)}
    values |= {"pool": pool.id if pool else "", "pool_sha256": "a" * 64, "seeds": seeds}
    config = SweepConfig.build({**values, **(settings or {})})
    run = create_run(home, config.plain(), "sweep phantom")
    dataset = Dataset.open(home, "phantom")
    splits = open_splits(home, config)
    test_images = test_table(splits, config)
    parts = [
        make_trials(
            config,
            test_images.loc[test_images["fold"] == split.fold, "class"].map(dataset.classes.index).to_numpy(),
            gain=gain,
            fold=split.fold,
            reals=len(split.dataset.rows("train")),
            valid_labels=np.array(split.dataset.labels(split.dataset.rows("valid"))),
        )
        for split in splits
    ]
    trials = pd.concat(parts, ignore_index=True)
    finished = state is State.FINISHED
    kept = trials if finished else trials.iloc[: len(trials) // 2]
    kept.to_parquet(run.path / "trials.parquet")
    test_images.to_csv(run.path / "test_images.csv", index=False)
    valid_table(splits, config).to_csv(run.path / "valid_images.csv", index=False)
    result = {}
    if finished:
        positive = _positive(config)
        table = metric_table(trials, test_images, dataset.classes, positive, config.subgroups)
        table.to_parquet(run.path / METRICS_FILE)
        summary = summarise(config, splits, trials, test_images, table, Classifier(name="small-cnn"))
        summary.write_to(run.path / SUMMARY_FILE)
        result = sweep_result(summary, config).plain()
    changes = {"result": result, **changes}
    return set_state(run, state, stage="Trials", done=len(kept), total=len(trials), unit="trials", **changes)
