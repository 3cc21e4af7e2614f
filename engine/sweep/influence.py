"""How much each test image moves a metric: the derivative of the metric in the weight of the image.

With weights w (all 1), metric(w) moves by `influence[i] * dw[i]`; the influences of all images sum to 0. Summed over
the images of a patient they are that patient's jackknife value to first order, so that the noise of the choice of
patients can be had for any metric at the price of one pass: of AUROC these are the placements of DeLong et al. (1988),
clustered as by Obuchowski (1997).
"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from engine.sweep.metrics import RANKING, squared_errors, surprises


def influence(metric: str, labels: np.ndarray, scores: np.ndarray, positive: int) -> np.ndarray:
    """Influence `[N]` of each image on a metric of `configs.evaluation.Metric`, from class indices and probabilities.

    NaN where the metric is not defined.
    """
    classes = scores.shape[1]
    binary = classes == 2
    columns = [positive] if binary else list(range(classes))
    if metric in RANKING:
        if len(np.unique(labels)) < classes:
            return np.full(len(labels), np.nan)
        of = _of_auroc if metric == "auroc" else _of_average_precision
        return np.mean([of(labels == column, scores[:, column]) for column in columns], axis=0)
    everyone = np.ones(len(labels), bool)
    if metric == "brier":
        return of_share(squared_errors(labels, scores), everyone)
    if metric == "log_score":
        return of_share(surprises(labels, scores), everyone)
    named = scores.argmax(1)
    right = (named == labels).astype(float)
    if metric == "accuracy":
        return of_share(right, everyone)
    if metric == "macro_f1":
        parts = [_of_f1(labels == column, named == column) for column in range(classes)]
    elif metric == "specificity":
        parts = [of_share((named != column).astype(float), labels != column) for column in columns]
    elif metric == "sensitivity" and binary:
        parts = [of_share(right, labels == positive)]
    else:  # balanced accuracy, and with more classes sensitivity too: the mean over the classes
        parts = [of_share(right, labels == column) for column in range(classes)]
    defined = [part for part in parts if np.isfinite(part).all()]
    return np.mean(defined, axis=0) if defined else np.full(len(labels), np.nan)


def of_share(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Of the mean of `values` among some of the images."""
    n = among.sum()
    if n == 0:
        return np.full(len(values), np.nan)
    return np.where(among, values - values[among].mean(), 0.0) / n


def _of_f1(actual: np.ndarray, named: np.ndarray) -> np.ndarray:
    """Of F1 = 2 TP / (actual + named)."""
    total = actual.sum() + named.sum()
    if total == 0:
        return np.full(len(actual), np.nan)
    both = 2.0 * (actual & named)
    return (both - both.sum() / total * (actual.astype(float) + named)) / total


def _of_auroc(actual: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Of the share of (positive, negative) pairs in the right order, ties counted half."""
    positives, negatives = actual.sum(), (~actual).sum()
    ranks = rankdata(score)
    placements = np.empty(len(score))
    placements[actual] = (ranks[actual] - rankdata(score[actual])) / negatives  # share of negatives below
    placements[~actual] = 1 - (ranks[~actual] - rankdata(score[~actual])) / positives  # share of positives above
    area = placements[actual].mean()
    return (placements - area) / np.where(actual, positives, negatives)


def _of_average_precision(actual: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Of AP = mean over positives i of (positives scored >= s_i) / (images scored >= s_i)."""
    _, level, sizes = np.unique(-score, return_inverse=True, return_counts=True)  # highest score first
    positives = np.bincount(level, weights=actual)
    above = np.cumsum(sizes)
    precision = np.cumsum(positives) / above
    total = positives.sum()
    # An image of score s counts in the precision at every threshold <= s, where so many positives are judged.
    gains = np.cumsum((positives / above)[::-1])[::-1]
    losses = np.cumsum((positives * precision / above)[::-1])[::-1]
    moved = actual * (precision + gains)[level] - losses[level]
    return (moved - actual * (positives * precision).sum() / total) / total
