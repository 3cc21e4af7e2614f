"""Metrics of one set of stored scores; pure functions of arrays.

Sensitivity and specificity are those of the positive class when there are two classes, and averages over
one-against-rest when there are more. All but the log score are fractions from 0 to 1, but that a corrected calibration
error may be below 0; what cannot be computed is NaN.
"""

from __future__ import annotations

import numpy as np

from engine.sweep.calibration_error import calibration_error, corrected_calibration_error

COUNTING = ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "macro_f1")
"""Metrics of the confusion matrix: each image counts for itself, whatever model scored the others."""
RANKING = ("auroc", "average_precision")
"""Metrics of the order of the scores, which means something within one model only."""
LOSSES = ("brier", "log_score")
"""Proper scores of the probabilities, of which less is better; each image counts for itself."""
METRICS = (*COUNTING, *RANKING, *LOSSES, "ece", "ece_corrected")
LOG_CLIP = 1e-6
"""The log score takes no probability for smaller: one image called impossible would else decide everything."""


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Counts `[true class, predicted class]`."""
    return np.bincount(labels * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, n_classes)


def metric_of(metric: str, labels: np.ndarray, scores: np.ndarray, positive: int) -> float:
    """One of the metrics that a verdict may be about, without the time that the others take."""
    if metric == "auroc":
        return auroc(labels, scores)
    if metric == "average_precision":
        return average_precision(labels, scores, positive)
    if metric in LOSSES:
        return float((squared_errors if metric == "brier" else surprises)(labels, scores).mean())
    return _counting(labels, scores, positive)[metric]


def metrics(labels: np.ndarray, scores: np.ndarray, positive: int) -> dict[str, float]:
    """Every metric of `METRICS` from class indices `[N]` and probabilities `[N, classes]`.

    `positive` is the index of the positive one of two classes, see `engine.sweep.positive`.
    """
    return {
        **_counting(labels, scores, positive),
        "auroc": auroc(labels, scores),
        "average_precision": average_precision(labels, scores, positive),
        "brier": float(squared_errors(labels, scores).mean()),
        "log_score": float(surprises(labels, scores).mean()),
        "ece": calibration_error(labels, scores),
        "ece_corrected": corrected_calibration_error(labels, scores),
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


def gain_sign(metric: str) -> int:
    """1 where more is better, -1 of the losses: what turns a difference into an improvement."""
    return -1 if metric in LOSSES else 1


def squared_errors(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """`[N]` squared error of each image's probabilities (Brier 1950); of two classes that of one of them."""
    classes = scores.shape[1]
    return ((scores - np.eye(classes)[labels]) ** 2).sum(1) / (2 if classes == 2 else 1)


def surprises(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """`[N]` minus the natural logarithm of the probability that each image's own class got (Good 1952).

    Probabilities below `LOG_CLIP` count as that much.
    """
    own = scores[np.arange(len(labels)), labels].astype(float)
    return -np.log(np.maximum(own, LOG_CLIP))


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
    in_order, own = np.sort(score), score[actual]
    # the mean rank among ties; of the positives alone, since of many classes each has few
    ranks = (np.searchsorted(in_order, own, "left") + np.searchsorted(in_order, own, "right") + 1) / 2
    above = ranks.sum() - positives * (positives + 1) / 2
    return above / (positives * (len(actual) - positives))


def _steps_area(actual: np.ndarray, score: np.ndarray) -> float:
    """Mean over the positives of the precision at their score; as scikit-learn's `average_precision_score`."""
    in_order, own = np.sort(score), np.sort(score[actual])
    found = len(own) - np.searchsorted(own, own, "left")  # positives that score as high, of all that do
    return float((found / (len(in_order) - np.searchsorted(in_order, own, "left"))).mean())


def _mean(values: np.ndarray) -> float:
    """Mean over the classes that occur."""
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else float("nan")
