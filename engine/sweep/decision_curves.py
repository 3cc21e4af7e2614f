"""Decision curves: what acting on the scores is worth, over the thresholds at which somebody might act.

Whoever treats from a probability of t on holds one missed case to be as bad as (1 - t) / t needless treatments, so that
the net benefit is TP / n - FP / n * t / (1 - t) (Vickers and Elkin 2006). It stands beside treating all and treating
none. It supposes that the scores are probabilities of the patients tested: see the calibration, and the prevalence.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.sweep.analysis_units import seed_scores
from engine.sweep.arm_intervals import Counted, by_patient, mean_and_half
from engine.sweep.influence import of_share

THRESHOLDS = np.round(np.arange(0.02, 1.0, 0.02), 2)
COLUMNS = ["arm", "ratio", "class", "threshold", "n", "mean", "low", "high", "treat_all"]


def decision_curves(what: Counted, classes: list[str]) -> pd.DataFrame:
    """One row an arm, ratio, class and threshold: net benefit over `n` seeds, `mean, low, high`, and that of treating
    all (of treating none it is 0).

    The class is the positive one of two, or each against the rest. 95 % intervals are for other seeds and test
    patients, of each threshold by itself.
    """
    found: dict[tuple[str, float], list[np.ndarray]] = {}
    for arm, ratio, _, scores in seed_scores(what.trials, what.test_images, what.classes):
        found.setdefault((arm, ratio), []).append(what.units.scores(scores))
    everyone, rows = np.ones(len(what.units), bool), []
    for column in [what.positive] if len(classes) == 2 else range(len(classes)):
        ill = what.units.labels == column
        for (arm, ratio), seeds in found.items():
            for threshold in THRESHOLDS:
                worth = [benefits(ill, scores[:, column], threshold) for scores in seeds]
                values = np.array([each.mean() for each in worth])
                moved = np.stack([by_patient(what.units, of_share(each, everyone)) for each in worth])
                mean, half = mean_and_half(values, moved, what.units.n_clusters)
                all_treated = net_benefit(ill, np.ones(len(ill)), threshold)
                rows.append(
                    (arm, ratio, classes[column], threshold, len(seeds), mean, mean - half, mean + half, all_treated)
                )
    return pd.DataFrame(rows, columns=COLUMNS)


def net_benefit(ill: np.ndarray, score: np.ndarray, threshold: float) -> float:
    """Net benefit, in true positives a patient, of treating those with a score of at least `threshold`."""
    return float(benefits(ill, score, threshold).mean())


def benefits(ill: np.ndarray, score: np.ndarray, threshold: float) -> np.ndarray:
    """`[N]`: what treating by the threshold is worth for each, of which the net benefit is the mean."""
    return np.where(score >= threshold, np.where(ill, 1.0, -threshold / (1 - threshold)), 0.0)
