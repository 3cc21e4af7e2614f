"""Metrics against scikit-learn and torchmetrics, two classes and more."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torchmetrics.functional.classification import multiclass_calibration_error

from engine.configs.evaluation import Metric
from engine.sweep.calibration_error import ECE_BINS
from engine.sweep.metrics import auroc, average_precision, majority_accuracy, metric_of, metrics


def draw(classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.choice(classes, size=60, p=np.arange(1, classes + 1) / np.arange(1, classes + 1).sum())
    scores = rng.dirichlet(np.ones(classes), size=60) + np.eye(classes)[labels] * 0.4
    return labels, scores / scores.sum(1, keepdims=True)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("classes", [2, 4])
def test_agrees_with_scikit_learn(classes: int, seed: int) -> None:
    labels, scores = draw(classes, seed)
    predicted = scores.argmax(1)
    found = metrics(labels, scores, positive=0)
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(labels, predicted))
    assert found["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(labels, predicted))
    assert found["macro_f1"] == pytest.approx(sk.f1_score(labels, predicted, average="macro"))
    brier = sk.brier_score_loss(labels, scores[:, 1] if classes == 2 else scores, scale_by_half=classes == 2)
    assert found["brier"] == pytest.approx(brier)
    if classes == 2:
        assert found["auroc"] == pytest.approx(sk.roc_auc_score(labels, scores[:, 1]))
        assert found["average_precision"] == pytest.approx(sk.average_precision_score(labels == 0, scores[:, 0]))
        assert found["sensitivity"] == pytest.approx(sk.recall_score(labels, predicted, pos_label=0))
        assert found["specificity"] == pytest.approx(sk.recall_score(labels, predicted, pos_label=1))
    else:
        assert found["auroc"] == pytest.approx(sk.roc_auc_score(labels, scores, multi_class="ovr"))
        assert found["average_precision"] == pytest.approx(sk.average_precision_score(np.eye(classes)[labels], scores))
        one_vs_rest = [sk.recall_score(labels != k, predicted != k) for k in range(classes)]
        assert found["specificity"] == pytest.approx(np.mean(one_vs_rest))


@pytest.mark.parametrize("classes", [2, 4])
def test_tied_scores_are_treated_as_by_scikit_learn(classes: int) -> None:
    labels, scores = draw(classes, 7)
    scores = np.round(scores, 1)
    columns = [1] if classes == 2 else range(classes)
    areas = [sk.roc_auc_score(labels == column, scores[:, column]) for column in columns]
    assert auroc(labels, scores) == pytest.approx(np.mean(areas))
    steps = [sk.average_precision_score(labels == column, scores[:, column]) for column in columns]
    assert average_precision(labels, scores, positive=1) == pytest.approx(np.mean(steps))


@pytest.mark.parametrize("classes", [2, 4])
def test_calibration_error_is_torchmetrics(classes: int) -> None:
    labels, scores = draw(classes, 3)
    expected = multiclass_calibration_error(
        torch.from_numpy(scores), torch.from_numpy(labels), classes, n_bins=ECE_BINS, norm="l1"
    )
    assert metrics(labels, scores, positive=1)["ece"] == pytest.approx(float(expected))
    certain = np.eye(classes)[labels]
    assert metrics(labels, certain, positive=1)["ece"] == 0
    assert metrics(labels, certain[:, ::-1], positive=1)["ece"] == 1


def test_accuracy_lies_between_sensitivity_and_specificity() -> None:
    for seed in range(20):
        found = metrics(*draw(2, seed), positive=1)
        low, high = sorted((found["sensitivity"], found["specificity"]))
        assert low - 1e-12 <= found["accuracy"] <= high + 1e-12


def test_one_metric_is_that_of_all() -> None:
    rng = np.random.default_rng(0)
    for classes in (2, 3):
        labels, scores = rng.integers(0, classes, 60), rng.dirichlet(np.ones(classes), 60)
        expected = metrics(labels, scores, positive=0)
        for name in get_args(Metric):
            assert metric_of(name, labels, scores, 0) == expected[name]


def test_a_test_set_of_one_class_has_no_auroc() -> None:
    found = metrics(np.zeros(4, int), np.tile([0.7, 0.3], (4, 1)), positive=1)
    assert np.isnan(found["auroc"])
    assert np.isnan(found["average_precision"])
    assert found["accuracy"] == 1


def test_majority_names_the_class_most_frequent_in_training() -> None:
    assert majority_accuracy(np.array([0, 1, 1]), np.array([0, 0, 0, 1])) == 0.25
    assert majority_accuracy(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])) == 0.75, "of equal ones the best guess"
