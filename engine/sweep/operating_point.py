"""Sensitivity and specificity at a threshold that the validation images fixed before the test images were seen.

A classifier is used at a threshold. The class with the larger score (a threshold of a half) is only one; here it is the
highest at which the validation images still reach the sensitivity (or specificity) that was asked for, of each training
by itself. What the validation images' own luck does to it is in no interval: they are the same in every arm and seed.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pandas as pd

from engine.sweep.analysis_units import Level, units_of
from engine.sweep.arm_intervals import Behind, Counted, by_patient, mean_and_half, share_interval
from engine.sweep.influence import of_share

Aim = Literal["sensitivity", "specificity"]
COLUMNS = ["arm", "ratio", "aim", "target", "measure", "n", "mean", "low", "high", "threshold", "reached"]


def has_validation_scores(trials: pd.DataFrame, valid_images: pd.DataFrame | None) -> bool:
    """Whether every trial kept its scores of the validation images, as sweeps of before did not."""
    return valid_images is not None and "valid_scores" in trials and bool(trials["valid_scores"].notna().all())


def threshold_for(ill: np.ndarray, score: np.ndarray, aim: Aim, target: float) -> float:
    """The threshold (ill: a score of at least it) at which so much of the aim is reached, and as much as can be of the
    other: the highest for a sensitivity, the lowest for a specificity. NaN without an image of the class in question.
    """
    if aim == "sensitivity":
        own = np.sort(score[ill])
        return float(own[len(own) - _needed(target, len(own))]) if len(own) else math.nan
    own = np.sort(score[~ill])
    if not len(own):
        return math.nan
    return float(np.nextafter(own[_needed(target, len(own)) - 1], np.inf))


def _needed(target: float, n: int) -> int:
    """The least number out of `n` that is a share of at least `target`."""
    return max(1, math.ceil(target * n - 1e-9))


def operating_points(
    what: Counted, valid_images: pd.DataFrame, classes: list[str], level: Level, aim: Aim, target: float
) -> pd.DataFrame:
    """One row an arm, ratio and measure (sensitivity, specificity), of two classes: `n` (seeds), `mean, low, high`.

    `threshold` is the mean over the trainings, `reached` what of the aim they reached on the validation images. 95 %
    intervals are for other seeds and test patients. With folds, each training has a threshold of its own. Needs
    `has_validation_scores`.
    """
    folds = (
        what.test_images["fold"].to_numpy(int) if "fold" in what.test_images else np.zeros(len(what.test_images), int)
    )
    valid_folds = valid_images["fold"].to_numpy(int)
    valid_units = {
        fold: units_of(valid_images[valid_folds == fold].reset_index(drop=True), classes, what.positive, level)
        for fold in np.unique(valid_folds)
    }
    units, rows = what.units, []
    ill = units.labels == what.positive
    for (arm, ratio), cell in what.trials.assign(fold=what.trials.get("fold", 0)).groupby(["arm", "ratio"], sort=False):
        named, thresholds, reached = [], [], []
        for _, of_seed in cell.groupby("seed"):
            if set(of_seed["fold"]) != set(folds):
                continue
            margin = np.empty((len(folds), 2))
            lowest = np.empty(len(folds))
            for fold, flat, valid in zip(of_seed["fold"], of_seed["scores"], of_seed["valid_scores"], strict=True):
                seen = valid_units[fold]
                score = seen.scores(np.reshape(valid, (-1, 2)))[:, what.positive]
                threshold = threshold_for(seen.labels == what.positive, score, aim, target)
                thresholds.append(threshold)
                reached.append(_share(seen.labels == what.positive, score >= threshold, aim))
                margin[folds == fold], lowest[folds == fold] = np.reshape(flat, (-1, 2)), threshold
            of_units = units.scores(margin)[:, what.positive]
            named.append(of_units >= units.scores(np.column_stack((lowest, lowest)))[:, 0])
        for measure, among in (("sensitivity", ill), ("specificity", ~ill)):
            if not named or not among.any() or not np.isfinite(thresholds).all():
                continue
            right = [(each == ill).astype(float) for each in named]
            moved = np.stack([by_patient(units, of_share(each, among)) for each in right])
            size = len(np.unique(units.clusters[among]))
            behind = Behind(size, size)
            mean, half = mean_and_half(np.array([each[among].mean() for each in right]), moved, behind.rarest)
            low = high = math.nan
            if math.isfinite(half):
                interval = share_interval(mean, half, behind.patients)
                low, high = interval.low, interval.high
            rows.append(
                (arm, ratio, aim, target, measure, len(named), mean, low, high, np.mean(thresholds), np.mean(reached))
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def _share(ill: np.ndarray, named: np.ndarray, aim: Aim) -> float:
    among = ill if aim == "sensitivity" else ~ill
    return float((named == ill)[among].mean()) if among.any() else math.nan
