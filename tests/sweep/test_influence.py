"""The influence of an image is the derivative of the metric in its weight, by scikit-learn's weighted metrics."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from sklearn import metrics as sk

from engine.configs.evaluation import Metric
from engine.sweep.influence import influence
from engine.sweep.metrics import LOG_CLIP

POSITIVE = 1


def weighted(metric: str, labels: np.ndarray, scores: np.ndarray, weight: np.ndarray) -> float:
    classes, named = scores.shape[1], scores.argmax(1)
    columns = [POSITIVE] if classes == 2 else list(range(classes))
    if metric == "accuracy":
        return sk.accuracy_score(labels, named, sample_weight=weight)
    if metric == "brier":
        squares = ((scores - np.eye(classes)[labels]) ** 2).sum(1) / (2 if classes == 2 else 1)
        return float(np.average(squares, weights=weight))
    if metric == "log_score":
        clipped = np.maximum(scores[np.arange(len(labels)), labels], LOG_CLIP)
        return float(np.average(-np.log(clipped), weights=weight))
    if metric == "balanced_accuracy" or (metric == "sensitivity" and classes > 2):
        return sk.balanced_accuracy_score(labels, named, sample_weight=weight)
    if metric == "macro_f1":
        return sk.f1_score(labels, named, average="macro", sample_weight=weight)
    if metric == "sensitivity":
        return sk.recall_score(labels, named, pos_label=POSITIVE, sample_weight=weight)
    if metric == "specificity":
        found = [sk.recall_score(labels != k, named != k, sample_weight=weight) for k in columns]
    elif metric == "auroc":
        found = [sk.roc_auc_score(labels == k, scores[:, k], sample_weight=weight) for k in columns]
    else:
        found = [sk.average_precision_score(labels == k, scores[:, k], sample_weight=weight) for k in columns]
    return float(np.mean(found))


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("metric", get_args(Metric))
def test_is_the_derivative(metric: str, classes: int) -> None:
    rng = np.random.default_rng(classes)
    labels = rng.integers(0, classes, 30)
    scores = np.round(rng.dirichlet(np.ones(classes), 30) + 0.3 * np.eye(classes)[labels], 1)  # with ties
    found = influence(metric, labels, scores, POSITIVE)
    step = 1e-5
    for image in range(30):
        change = step * np.eye(30)[image]
        above = weighted(metric, labels, scores, 1 + change)
        below = weighted(metric, labels, scores, 1 - change)
        assert found[image] == pytest.approx((above - below) / (2 * step), abs=1e-7)
    assert found.sum() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("metric", ["auroc", "average_precision"])
def test_is_undefined_where_the_metric_is(metric: str) -> None:
    assert np.isnan(influence(metric, np.zeros(4, int), np.tile([0.7, 0.3], (4, 1)), POSITIVE)).all()
