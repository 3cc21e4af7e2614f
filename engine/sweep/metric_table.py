"""The metric table of a sweep: every metric of every repetition by image and by patient, overall and in subgroups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from engine.sweep.analysis_units import Level, Units, knows_patients, seed_scores, units_of
from engine.sweep.influence import influence
from engine.sweep.metrics import METRICS, RANKING, metric_of, metrics

METRICS_FILE = "metrics.parquet"
COLUMNS = ["arm", "ratio", "seed", "level", "subgroup", "value", "metric", "score", "n"]

Parts = dict[tuple[str, float], dict[int, np.ndarray]]
"""Of each arm and ratio, by seed: the influence `[patients]` of every test patient on a metric."""


def metric_table(
    trials: pd.DataFrame, test_images: pd.DataFrame, classes: list[str], positive: int, subgroups: Sequence[str] = ()
) -> pd.DataFrame:
    """One row a metric: `arm, ratio, seed, level, subgroup, value, metric, score, n` (images or patients).

    `subgroup` is the column of `test_images` and `value` its value, both "" for the whole test set; the level patient
    is there when a patient is known.
    """
    rows: list[dict[str, Any]] = []
    parts = [
        (level, column, value, mask, units_of(test_images[mask], classes, positive, level))
        for level in levels_of(test_images)
        for column, value, mask in _subgroups(test_images, subgroups)
    ]
    for arm, ratio, seed, scores in seed_scores(trials, test_images, len(classes)):
        for level, column, value, mask, units in parts:
            found = unit_metrics(units, units.scores(scores[mask]), positive)
            cell = {"arm": arm, "ratio": ratio, "seed": seed, "level": level, "subgroup": column, "value": value}
            rows += [{**cell, "metric": name, "score": found[name], "n": len(units)} for name in METRICS]
    return pd.DataFrame(rows, columns=COLUMNS)


def levels_of(test_images: pd.DataFrame) -> tuple[Level, ...]:
    """The levels at which these test images can be judged."""
    return ("image", "patient") if knows_patients(test_images) else ("image",)


def unit_metrics(units: Units, scores: np.ndarray, positive: int) -> dict[str, float]:
    """Metrics of units with probabilities `[U, classes]`, the folds of a cross-validation put together.

    Counting metrics, Brier score and calibration error see all images at once, for each judges an image by itself.
    The ranking metrics are means over the folds: each fold has a classifier of its own, and to rank the scores of one
    against those of another would measure their offsets (Forman and Scholz 2010).
    """
    found = metrics(units.labels, scores, positive)
    folds = np.unique(units.folds)
    if len(folds) > 1:
        by_fold = [metrics(units.labels[own], scores[own], positive) for own in (units.folds == f for f in folds)]
        for name in RANKING:
            values = [of_fold[name] for of_fold in by_fold if np.isfinite(of_fold[name])]
            found[name] = float(np.mean(values)) if values else float("nan")
    return found


def unit_metric(metric: str, units: Units, scores: np.ndarray, positive: int) -> float:
    """One of `unit_metrics`, of those that have an interval, without the time that the others take."""
    folds = np.unique(units.folds)
    if metric not in RANKING or len(folds) < 2:
        return metric_of(metric, units.labels, scores, positive)
    of_folds = [
        metric_of(metric, units.labels[own], scores[own], positive) for own in (units.folds == f for f in folds)
    ]
    values = [value for value in of_folds if np.isfinite(value)]
    return float(np.mean(values)) if values else float("nan")


def patient_parts(
    metric: str, trials: pd.DataFrame, test_images: pd.DataFrame, classes: list[str], positive: int, level: Level
) -> Parts:
    """How much each test patient (or image of unknown patient) moves a metric in every repetition."""
    units = units_of(test_images, classes, positive, level)
    found: Parts = {}
    for arm, ratio, seed, scores in seed_scores(trials, test_images, len(classes)):
        of_units = unit_influence(metric, units, units.scores(scores), positive)
        by_patient = np.bincount(units.clusters, weights=of_units, minlength=units.n_clusters)
        found.setdefault((arm, ratio), {})[seed] = by_patient
    return found


def unit_influence(metric: str, units: Units, scores: np.ndarray, positive: int) -> np.ndarray:
    """Influence `[U]` on what `unit_metrics` computes."""
    folds = np.unique(units.folds)
    if metric not in RANKING or len(folds) == 1:
        return influence(metric, units.labels, scores, positive)
    total, defined = np.zeros(len(units)), 0
    for own in (units.folds == fold for fold in folds):
        of_fold = influence(metric, units.labels[own], scores[own], positive)
        if np.isfinite(of_fold).all():
            total[own], defined = of_fold, defined + 1
    return total / defined if defined else np.full(len(units), np.nan)


def _subgroups(test_images: pd.DataFrame, columns: Sequence[str]) -> Iterator[tuple[str, str, np.ndarray]]:
    """`column, value, mask [N]` of the whole and of each value of each column; unknown values form no subgroup."""
    yield "", "", np.ones(len(test_images), bool)
    for column in columns:
        values = test_images[column].astype(str)
        for value in sorted(set(values) - {""}):
            yield column, value, (values == value).to_numpy()
