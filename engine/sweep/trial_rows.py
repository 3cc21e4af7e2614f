"""Trials as rows of tables: of trials.parquet, and of metrics.jsonl, which plots read while a sweep runs."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engine.configs import SweepConfig
from engine.store.files import replacing
from engine.store.parquet import read_parquet
from engine.sweep.analysis_units import EXTERNAL_SCORES
from engine.sweep.arms import Trial, steps_of
from engine.sweep.metrics import METRICS, confusion_matrix, metrics
from engine.sweep.trials import Result, trains_together

Rows = dict[Trial, dict[str, Any]]


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


def trial_row(result: Result, labels: np.ndarray, positive: int, config: SweepConfig) -> dict[str, Any]:
    """A row of trials.parquet; its metrics are those of the fold's test images."""
    scores, external = result.scores[: len(labels)], result.scores[len(labels) :]
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
        "valid_scores": None if result.valid_scores is None else result.valid_scores.astype(np.float32).ravel(),
        **({EXTERNAL_SCORES: external.astype(np.float32).ravel()} if len(external) else {}),
        "seconds": result.seconds,
    }


def live_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row of metrics.jsonl, for plots while the sweep runs."""
    keys = ("arm", "ratio", "seed", "fold", "n_real", "n_synthetic", "valid_accuracy", "best_step")
    found = {key: row.get(key) for key in (*keys, *METRICS, "seconds")}
    finite = {key: None if isinstance(value, float) and np.isnan(value) else value for key, value in found.items()}
    return {**finite, "time": time.time()}


def write_trials_table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write the rows in their order, whole or not at all."""
    with replacing(path) as temporary:
        pd.DataFrame(rows).to_parquet(temporary, index=False)


def read_trials_table(path: Path) -> Rows:
    """The rows of a file by their trial."""
    table = read_parquet(path).to_dict("records")
    return {trial_of(row): {**{str(k): v for k, v in row.items()}, "fold": row.get("fold", 0)} for row in table}


def trial_of(row: Mapping[Any, Any]) -> Trial:
    """The trial of a row; those of runs from before there were folds have none."""
    return Trial(row["arm"], row["ratio"], row["seed"], row.get("fold", 0))
