"""Metrics of one set of stored scores; pure functions of arrays.

Sensitivity and specificity are those of the positive class when there are two classes, and averages over
one-against-rest when there are more. All are fractions from 0 to 1; what cannot be computed is NaN.
"""

from __future__ import annotations

import re

import numpy as np
from scipy.stats import rankdata

COUNTING = ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "macro_f1")
"""Metrics of the confusion matrix: each image counts for itself, whatever model scored the others."""
RANKING = ("auroc", "average_precision")
"""Metrics of the order of the scores, which means something within one model only."""
METRICS = (*COUNTING, *RANKING, "brier", "ece")
ECE_BINS = 15
HEALTHY = re.compile(r"(normal|none|no|not|non|negative|neg|healthy|control|benign|other|0)([^a-z].*)?")


def positive_class(classes: list[str]) -> int:
    """Index of the positive (diseased) class of two: the one not named like a healthy one, else the last."""
    diseased = [index for index, name in enumerate(classes) if not HEALTHY.fullmatch(name.lower())]
    return diseased[-1] if diseased else len(classes) - 1


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Counts `[true class, predicted class]`."""
    return np.bincount(labels * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, n_classes)


def metric_of(metric: str, labels: np.ndarray, scores: np.ndarray, positive: int) -> float:
    """One of the metrics that a verdict may be about, without the time that the others take."""
    if metric == "auroc":
        return auroc(labels, scores)
    if metric == "average_precision":
        return average_precision(labels, scores, positive)
    return _counting(labels, scores, positive)[metric]


def metrics(labels: np.ndarray, scores: np.ndarray, positive: int) -> dict[str, float]:
    """Every metric of `METRICS` from class indices `[N]` and probabilities `[N, classes]`."""
    n_classes, binary = scores.shape[1], scores.shape[1] == 2
    return {
        **_counting(labels, scores, positive),
        "auroc": auroc(labels, scores),
        "average_precision": average_precision(labels, scores, positive),
        "brier": float(((scores - np.eye(n_classes)[labels]) ** 2).sum(1).mean() / (2 if binary else 1)),
        "ece": calibration_error(labels, scores),
    }


def _counting(labels: np.ndarray, scores: np.ndarray, positive: int) -> dict[str, float]:
    """The metrics of `COUNTING`."""
    n_classes = scores.shape[1]
    confusion = confusion_matrix(labels, scores.argmax(1), n_classes).astype(float)
    total = confusion.sum()
    true_positive = np.diag(confusion)
    actual, predicted = confusion.sum(1), confusion.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = true_positive / actual
        specificity = (total - actual - predicted + true_positive) / (total - actual)
        f1 = 2 * true_positive / (actual + predicted)
    binary = n_classes == 2
    return {
        "accuracy": float(true_positive.sum() / total),
        "balanced_accuracy": _mean(recall),
        "sensitivity": float(recall[positive]) if binary else _mean(recall),
        "specificity": float(specificity[positive]) if binary else _mean(specificity),
        "macro_f1": _mean(f1),
    }


def auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve; with more than two classes the mean over one against the rest."""
    n_classes = scores.shape[1]
    if len(np.unique(labels)) < n_classes:
        return float("nan")
    columns = [1] if n_classes == 2 else range(n_classes)
    return float(np.mean([_area(labels == column, scores[:, column]) for column in columns]))


def average_precision(labels: np.ndarray, scores: np.ndarray, positive: int) -> float:
    """Area under the precision-recall curve, as steps, of the positive class of two; of more, the mean over all.

    Chance gives the share of the class, so that numbers of sets with other shares do not compare.
    """
    n_classes = scores.shape[1]
    if len(np.unique(labels)) < n_classes:
        return float("nan")
    columns = [positive] if n_classes == 2 else range(n_classes)
    return float(np.mean([_steps_area(labels == column, scores[:, column]) for column in columns]))


def calibration_error(labels: np.ndarray, scores: np.ndarray) -> float:
    """Expected calibration error (Guo et al. 2017, 1706.04599, eq. 3): 15 bins of equal width.

    The mean over the images of |share right - mean probability| in the bin of the class that was named.
    """
    confidence, right = scores.max(1), scores.argmax(1) == labels
    bins = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    gaps = np.bincount(bins, weights=right - confidence.astype(float), minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / len(labels))


def majority_accuracy(train_labels: np.ndarray, test_labels: np.ndarray) -> float:
    """Test accuracy of always naming the most frequent class of the training images.

    Among equally frequent ones the best guess counts: in a balanced training set the first class is nothing special,
    and a classifier that always answers with one class must not look better than guessing.
    """
    counts = np.bincount(train_labels)
    return max(float((test_labels == label).mean()) for label in np.flatnonzero(counts == counts.max()))


def _area(actual: np.ndarray, score: np.ndarray) -> float:
    """Share of (positive, negative) pairs in the right order, ties counted half (Mann-Whitney).

    As scikit-learn's `roc_auc_score`, whose checks of its input take a hundred times as long on small sets.
    """
    positives = int(actual.sum())
    above = rankdata(score)[actual].sum() - positives * (positives + 1) / 2
    return above / (positives * (len(actual) - positives))


def _steps_area(actual: np.ndarray, score: np.ndarray) -> float:
    """Mean over the positives of the precision at their score; as scikit-learn's `average_precision_score`."""
    _, level, sizes = np.unique(-score, return_inverse=True, return_counts=True)  # highest score first
    positives = np.bincount(level, weights=actual)
    precision = np.cumsum(positives) / np.cumsum(sizes)
    return float((positives * precision).sum() / positives.sum())


def _mean(values: np.ndarray) -> float:
    """Mean over the classes that occur."""
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else float("nan")
