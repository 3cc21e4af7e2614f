"""Paired comparisons of two arms, ratio by ratio, from the table of trials."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from engine.sweep.statistics import bootstrap_interval, holm, sign_flip_p


@dataclass(frozen=True)
class Comparison:
    """An arm minus another at one ratio: mean over paired seeds, 95 % interval, sign-flip p, Holm over the ratios."""

    arm: str
    ratio: float
    against: str
    metric: str
    mean_difference: float
    low: float
    high: float
    p: float
    p_holm: float
    n: int
    spread: float
    """Standard deviation of the paired differences."""


def paired_differences(trials: pd.DataFrame, arm: str, ratio: float, against: str, metric: str) -> np.ndarray:
    """Differences `[seeds]` of a metric; `against` is taken at the same ratio where it has ratios.

    Seeds for which one of the two is missing or undefined are left out; empty when there is nothing to compare.
    """
    other_ratio = ratio if ratio in set(trials.loc[trials["arm"] == against, "ratio"]) else 0.0
    ours = _by_seed(trials, arm, ratio, metric)
    theirs = _by_seed(trials, against, other_ratio, metric)
    return (ours - theirs).dropna().sort_index().to_numpy()


def compare(trials: pd.DataFrame, arm: str, against: str, metric: str) -> list[Comparison]:
    """`arm` against `against` at every ratio of `arm`; p corrected over these ratios."""
    found = []
    for ratio in sorted(trials.loc[trials["arm"] == arm, "ratio"].unique()):
        differences = paired_differences(trials, arm, ratio, against, metric)
        if len(differences):
            found.append(_comparison(arm, float(ratio), against, metric, differences))
    corrected = holm([comparison.p for comparison in found])
    return [replace(comparison, p_holm=p) for comparison, p in zip(found, corrected, strict=True)]


def _comparison(arm: str, ratio: float, against: str, metric: str, differences: np.ndarray) -> Comparison:
    interval, p, n = bootstrap_interval(differences), sign_flip_p(differences), len(differences)
    spread = float(np.std(differences, ddof=1)) if n > 1 else 0.0
    return Comparison(arm, ratio, against, metric, interval.mean, interval.low, interval.high, p, p, n, spread)


def _by_seed(trials: pd.DataFrame, arm: str, ratio: float, metric: str) -> pd.Series:
    cell = trials[(trials["arm"] == arm) & (trials["ratio"] == ratio)]
    return cell.set_index("seed")[metric]
