"""ROC and precision-recall curves by arm: the mean over the seeds, with bands for other seeds and test patients.

Curves are averaged vertically (Fawcett 2006): at each false positive rate the mean sensitivity, at each recall the mean
precision; the folds of a seed, each with a classifier of its own, likewise. The bands are those of a bootstrap in which
seeds and whole patients are drawn anew at once (Owen 2007, who shows it to be a little too wide for crossed data); they
hold at each place by itself, not for the curve as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from engine.sweep.analysis_units import Units, seed_scores
from engine.sweep.arm_intervals import Counted

PLACES = np.linspace(0, 1, 51)
"""False positive rates, and recalls, at which curves are averaged."""
RESAMPLES = 300
COLUMNS = ["arm", "ratio", "class", "curve", "x", "n", "mean", "low", "high"]


def mean_curves(what: Counted, classes: list[str], cells: Sequence[tuple[str, float]]) -> pd.DataFrame:
    """One row an arm, ratio, class, curve (roc, pr) and place: `x` (false positive rate, recall), over `n` seeds `mean`
    (sensitivity, precision) and its 95 % band `low, high`.

    Of the `cells` (arm and ratio) alone, for a band takes a second of work. The class is the positive one of two, or
    each against the rest. With one seed there is no band.
    """
    found: dict[tuple[str, float], list[np.ndarray]] = {}
    for arm, ratio, _, scores in seed_scores(what.trials, what.test_images, what.classes):
        if (arm, ratio) in cells:
            found.setdefault((arm, ratio), []).append(what.units.scores(scores))
    rows = []
    for column in [what.positive] if len(classes) == 2 else range(len(classes)):
        for (arm, ratio), seeds in found.items():
            for curve, of_curve in _with_bands(what.units, seeds, column).items():
                for x, mean, low, high in zip(PLACES, *of_curve, strict=True):
                    rows.append((arm, ratio, classes[column], curve, x, len(seeds), mean, low, high))
    return pd.DataFrame(rows, columns=COLUMNS)


def _with_bands(units: Units, seeds: Sequence[np.ndarray], column: int) -> dict[str, tuple[np.ndarray, ...]]:
    """Of each curve `mean, low, high`, each `[PLACES]`."""
    ill, n_seeds, rng = units.labels == column, len(seeds), np.random.default_rng(0)
    drawn = rng.multinomial(units.n_clusters, np.full(units.n_clusters, 1 / units.n_clusters), RESAMPLES)
    weights = np.concatenate((np.ones((1, len(units))), drawn[:, units.clusters]))  # the first row is the data
    of_seeds = rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), RESAMPLES) / n_seeds
    curves = [_of_folds(ill, scores[:, column], units.folds, weights) for scores in seeds]  # [2, 1 + RESAMPLES, P] each
    told: dict[str, tuple[np.ndarray, ...]] = {}
    for number, name in enumerate(("roc", "pr")):
        each = np.stack([curve[number] for curve in curves])  # [S, 1 + RESAMPLES, P]
        mean = each[:, 0].mean(0)
        low = high = np.full(len(PLACES), np.nan)
        if n_seeds > 1:
            anew = np.einsum("rs,srp->rp", of_seeds, each[:, 1:])
            anew = anew[np.isfinite(anew).all(1)]  # a draw without one of the classes has no curve
            if len(anew):
                low, high = np.quantile(anew, (0.025, 0.975), axis=0)
        told[name] = (mean, np.minimum(low, mean), np.maximum(high, mean))
    return told


def _of_folds(ill: np.ndarray, score: np.ndarray, folds: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Both curves `[2, R, P]` of every row of weights `[R, U]`, the mean over the folds."""
    parts = [weighted_curves(ill[own], score[own], weights[:, own]) for own in (folds == f for f in np.unique(folds))]
    return np.mean(parts, axis=0)


def weighted_curves(ill: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """ROC and precision-recall curve `[2, R, P]` at `PLACES`, of images `[U]` with weights `[R, U]`.

    Between two thresholds the ROC curve is a line; precision is that of the first threshold to reach the recall (Davis
    and Goadrich 2006 warn of lines there). NaN where a class has no weight.
    """
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)  # images of one score are named together
    positive = np.cumsum(weights[:, order] * ill[order], axis=1)[:, last]
    negative = np.cumsum(weights[:, order] * ~ill[order], axis=1)[:, last]
    found = np.full((2, len(weights), len(PLACES)), np.nan)
    drawn = np.flatnonzero((positive[:, -1] > 0) & (negative[:, -1] > 0))
    recalls = positive[drawn] / positive[drawn, -1:]
    rates, tops, kept = _tops(negative[drawn] / negative[drawn, -1:], recalls)
    for at, row in enumerate(drawn):
        true, false, recall, own = positive[row], negative[row], recalls[at], kept[at]
        # of several thresholds at one rate the highest point counts, as at the end of a vertical step
        found[0, row] = np.interp(PLACES, rates[at, own], tops[at, own])
        first = np.minimum(np.searchsorted(recall, PLACES - 1e-12), len(recall) - 1)
        found[1, row] = true[first] / np.maximum(true[first] + false[first], 1e-12)
        found[1, row, PLACES == 0] = found[1, row, 1]
    return found


def _tops(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows `[R, T]` of `x` and `y` (both ascending) from the origin on, and which of their points `[R, 1 + T]` to
    keep: of each run of equal `x` the first and the last, moved apart by next to nothing, the last of them at `x`
    itself. `interp` then takes the top of a vertical step."""
    x, y = (np.pad(values, ((0, 0), (1, 0))) for values in (x, y))
    rises = np.diff(x, axis=1) > 0
    edge = np.ones((len(x), 1), dtype=bool)
    ends, starts = np.hstack((rises, edge)), np.hstack((edge, rises))
    return np.where(starts & ~ends, x - 1e-12, x), y, starts | ends
