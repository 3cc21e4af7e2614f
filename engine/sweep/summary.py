"""summary.json: what a sweep found, in numbers that pages and reports show as they are."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.sweep.comparisons import Comparison, compare
from engine.sweep.metrics import METRICS, majority_accuracy, positive_class
from engine.sweep.statistics import Interval, bootstrap_interval, cluster_bootstrap, detectable
from engine.sweep.verdict import Verdict, judge, with_test_noise

SYNTHETIC = "real+synthetic"
CONTROLS = ("real", "real+duplicates", "real+classical")
COMPARED = ("accuracy", "balanced_accuracy", "auroc")


def summarise(
    config: SweepConfig, dataset: Dataset, trials: pd.DataFrame, classifier: dict[str, str]
) -> dict[str, Any]:
    """The content of `summary.json` from the complete table of trials."""
    test_rows = dataset.rows("test")
    test_labels, train_labels = dataset.labels(test_rows), dataset.labels(dataset.rows("train"))
    groups = _groups(test_rows)
    comparisons = [
        comparison
        for metric in COMPARED
        for against in CONTROLS
        for comparison in compare(trials, SYNTHETIC, against, metric)
    ]
    baselines = [
        comparison
        for metric in COMPARED
        for arm in ("real+classical", "real+duplicates")
        for comparison in compare(trials, arm, "real", metric)
    ]
    correct = _correct(trials, test_labels, len(dataset.classes))
    noise = _test_noise(correct, groups)
    verdict = _verdict(comparisons, noise, dataset, len(test_labels))
    return _finite(
        {
            "dataset": dataset.name,
            "dataset_fingerprint": dataset.fingerprint,
            "phantom": dataset.is_phantom,
            "pool": config.pool,
            "classifier": classifier,
            "classes": dataset.classes,
            "positive": dataset.classes[positive_class(dataset.classes)],
            "majority_accuracy": majority_accuracy(train_labels, test_labels),
            "n_train": len(train_labels),
            "n_valid": len(dataset.rows("valid")),
            "n_test": len(test_labels),
            "n_groups": len(np.unique(groups)),
            "seeds": config.seeds,
            "steps": config.steps,
            "batch": config.batch,
            "detectable": detectable(len(test_labels), config.seeds, len(config.ratios)),
            "cells": _cells(trials),
            "comparisons": [asdict(comparison) for comparison in comparisons],
            "baselines": [asdict(comparison) for comparison in baselines],
            "test_noise": noise,
            "verdict": asdict(verdict),
        }
    )


def _cells(trials: pd.DataFrame) -> list[dict[str, Any]]:
    """Mean accuracy of each arm and ratio with its interval over seeds, and the means of the other metrics."""
    cells = []
    for (arm, ratio), cell in trials.groupby(["arm", "ratio"], sort=False):
        interval = bootstrap_interval(cell["accuracy"].to_numpy())
        means = {metric: float(cell[metric].mean()) for metric in METRICS}
        size = {name: int(cell[name].iloc[0]) for name in ("n_real", "n_synthetic")}
        cells.append({"arm": arm, "ratio": ratio, "n": len(cell), **asdict(interval), **size, "means": means})
    return cells


def _correct(trials: pd.DataFrame, labels: np.ndarray, classes: int) -> dict[tuple[str, float], np.ndarray]:
    """Share of seeds `[n_test]` that named each test image rightly, for each arm and ratio."""
    right: dict[tuple[str, float], list[np.ndarray]] = {}
    for arm, ratio, scores in zip(trials["arm"], trials["ratio"], trials["scores"], strict=True):
        right.setdefault((arm, ratio), []).append(np.reshape(scores, (-1, classes)).argmax(1) == labels)
    return {cell: np.mean(rows, axis=0) for cell, rows in right.items()}


def _test_noise(correct: dict[tuple[str, float], np.ndarray], groups: np.ndarray) -> dict[str, Any]:
    """How much the choice of test images (whole patients where known) moves accuracies and differences."""
    differences = []
    for (arm, ratio), values in correct.items():
        for against in CONTROLS if arm == SYNTHETIC else ():
            other = correct.get((against, ratio), correct.get((against, 0.0)))
            if other is not None:
                interval = cluster_bootstrap(values - other, groups)
                differences.append({"ratio": ratio, "against": against, **asdict(interval)})
    return {"real": asdict(cluster_bootstrap(correct["real", 0.0], groups)), "differences": differences}


def _verdict(comparisons: list[Comparison], noise: dict[str, Any], dataset: Dataset, n_test: int) -> Verdict:
    accuracy = [comparison for comparison in comparisons if comparison.metric == "accuracy"]
    to_real = [comparison for comparison in accuracy if comparison.against == "real"]
    to_duplicates = [comparison for comparison in accuracy if comparison.against == "real+duplicates"]
    verdict = judge(to_real, to_duplicates, phantom=dataset.is_phantom)
    against = "real+duplicates" if to_duplicates else "real"
    for found in noise["differences"]:
        if verdict.verdict == "no evidence" and found["ratio"] == verdict.ratio and found["against"] == against:
            return with_test_noise(verdict, Interval(found["mean"], found["low"], found["high"]), n_test)
    return verdict


def _groups(test_rows: pd.DataFrame) -> np.ndarray:
    """The patient of each test image; an image of unknown patient stands for itself."""
    known = test_rows["group"].astype(str) != ""
    return np.where(known, "group " + test_rows["group"].astype(str), "image " + test_rows["path"].astype(str))


def _finite(value: Any) -> Any:
    """JSON has no NaN: what could not be computed becomes null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
