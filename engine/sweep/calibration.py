"""Whether probabilities mean what they say: intercept and slope of a logistic recalibration, by arm.

Of the class that counts (each class against the rest, with more than two), the outcome is regressed on the logit of its
score (Cox 1958; the "weak" calibration of Van Calster et al. 2019). The slope is 1 where the scores are spread as they
should be, below 1 where they are too extreme; the intercept, fitted with the slope held at 1, is 0 where they are right
on average, below 0 where they are too high ("calibration in the large").
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from engine.sweep.analysis_units import seed_scores
from engine.sweep.arm_intervals import Counted, by_patient, mean_and_half

CLIP = 1e-6
"""Scores nearer to 0 or 1 count as this: a logit of infinity has no slope."""
ROUNDS = 50
COLUMNS = ["arm", "ratio", "class", "measure", "n", "mean", "low", "high", "ideal"]


def calibration_table(what: Counted, classes: list[str]) -> pd.DataFrame:
    """One row an arm, ratio, class and measure (intercept, slope): `n` (seeds), `mean, low, high` and the `ideal`.

    The mean is over the seeds; the 95 % interval holds for other seeds and test patients (infinitesimal jackknife of
    the maximum likelihood fit). Seeds whose fit has no end (the classes lie apart) are left out of `n`.
    """
    columns = [what.positive] if len(classes) == 2 else range(len(classes))
    found: dict[tuple[str, float, int, str], list[tuple[float, np.ndarray]]] = {}
    for arm, ratio, _, scores in seed_scores(what.trials, what.test_images, what.classes):
        of_units = what.units.scores(scores)
        for column in columns:
            outcome = (what.units.labels == column).astype(float)
            for measure, (value, moved) in recalibration(outcome, of_units[:, column]).items():
                seeds = found.setdefault((arm, ratio, column, measure), [])
                if math.isfinite(value):
                    seeds.append((value, by_patient(what.units, moved)))
    rows = []
    for (arm, ratio, column, measure), seeds in found.items():
        mean = half = math.nan
        if seeds:
            outcome = what.units.labels == column
            sizes = [len(np.unique(what.units.clusters[of_class])) for of_class in (outcome, ~outcome)]
            mean, half = mean_and_half(
                np.array([value for value, _ in seeds]), np.stack([part for _, part in seeds]), min(sizes)
            )
        ideal = 1.0 if measure == "slope" else 0.0
        rows.append((arm, ratio, classes[column], measure, len(seeds), mean, mean - half, mean + half, ideal))
    return pd.DataFrame(rows, columns=COLUMNS)


def recalibration(outcome: np.ndarray, score: np.ndarray) -> dict[str, tuple[float, np.ndarray]]:
    """Of outcomes `[N]` (0 or 1) and scores `[N]`: `intercept` and `slope`, each with the images' influences `[N]`.

    NaN where the fit does not converge: one class alone, or classes that a threshold tells apart.
    """
    predictor = logit(np.clip(score.astype(float), CLIP, 1 - CLIP))
    unknown = math.nan, np.full(len(outcome), math.nan)
    if not 0 < outcome.sum() < len(outcome):
        return {"intercept": unknown, "slope": unknown}
    ones = np.ones((len(outcome), 1))
    intercept = _fitted(ones, outcome, predictor)
    both = _fitted(np.column_stack((ones, predictor)), outcome, np.zeros(len(outcome)))
    return {
        "intercept": unknown if intercept is None else (float(intercept[0][0]), intercept[1][:, 0]),
        "slope": unknown if both is None else (float(both[0][1]), both[1][:, 1]),
    }


def _fitted(columns: np.ndarray, outcome: np.ndarray, offset: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Coefficients `[K]` of a logistic regression by Newton's method, and their influences `[N, K]`: the derivatives in
    the weight of each row, information^-1 x (y - p). None where there is no end to them."""
    found = np.zeros(columns.shape[1])
    for _ in range(ROUNDS):
        mean = expit(columns @ found + offset)
        information = (columns * (mean * (1 - mean))[:, None]).T @ columns
        gradient = columns.T @ (outcome - mean)
        if np.linalg.cond(information) > 1e12:
            return None
        step = np.linalg.solve(information, gradient)
        found = found + np.clip(step, -5, 5)
        if np.abs(found).max() > 1e3:
            return None
        if np.abs(step).max() < 1e-9:
            mean = expit(columns @ found + offset)
            return found, (columns * (outcome - mean)[:, None]) @ np.linalg.inv(information)
    return None
