"""Trials of a config without any training: scores are drawn, everything else is as a sweep leaves it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from engine.configs import SweepConfig
from engine.sweep.arms import is_synthetic, plan, training_set
from engine.sweep.metrics import confusion_matrix, metrics
from engine.sweep.splits import Split, pool_part

POSITIVE = 0


def make_trials(
    config: SweepConfig, splits: list[Split], test_images: pd.DataFrame, gain: float = 0.0, margin: float = 1.0
) -> pd.DataFrame:
    """The table of `trials.parquet`; `gain` is added to the margin of the arms with synthetic images."""
    rows: list[dict[str, Any]] = []
    for trial in plan(config):
        split = splits[trial.fold]
        classes = split.dataset.classes
        labels = test_images.loc[test_images["fold"] == trial.fold, "class"].map(classes.index).to_numpy()
        own = np.random.default_rng([trial.seed, trial.fold, round(100 * trial.ratio), len(trial.arm)])
        shared = np.random.default_rng([trial.seed, trial.fold]).normal(0, 1, (len(labels), len(classes)))
        height = margin + gain * is_synthetic(trial.arm)
        logits = height * np.eye(len(classes))[labels] + shared + own.normal(0, 0.2, shared.shape)
        scores = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)
        reals = np.asarray(split.dataset.labels(split.dataset.rows("train")))
        of_pool = pool_part(split, config)[0]
        pool = of_pool["class"].map(classes.index).to_numpy(np.int64)
        chosen = training_set(trial, reals, pool, config, split.pool.makers(of_pool))
        rows.append(
            {
                "arm": trial.arm,
                "ratio": trial.ratio,
                "seed": trial.seed,
                "fold": trial.fold,
                "n_real": chosen.n_real,
                "n_synthetic": chosen.n_synthetic,
                **metrics(labels, scores, POSITIVE),
                "confusion": json.dumps(confusion_matrix(labels, scores.argmax(1), len(classes)).tolist()),
                "scores": scores.ravel(),
            }
        )
    return pd.DataFrame(rows)
