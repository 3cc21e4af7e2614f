"""Paired comparisons of two arms, ratio by ratio, from the table of trials."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from engine.store.versioned import Number
from engine.sweep.metric_table import Parts
from engine.sweep.statistics import bootstrap_interval, holm, sign_flip_p, two_way_interval


@dataclass(frozen=True)
class Comparison:
    """An arm minus another at one ratio: mean over paired seeds, 95 % interval, sign-flip p, Holm over the ratios."""

    arm: str
    ratio: float
    against: str
    metric: str
    mean_difference: Number
    low: Number
    high: Number
    """`low`, `high`: 95 % for the luck of the seeds alone, on these test images."""
    p: Number
    p_holm: Number
    n: int
    spread: Number
    """Standard deviation of the paired differences."""
    low_total: Number = math.nan
    high_total: Number = math.nan
    """95 % for the luck of the seeds and of the test patients, for all ratios together; the verdict's interval."""
    seed_variance: Number = math.nan
    image_variance: Number = math.nan
    """Parts of the mean's variance that more seeds, and that more test images, would lower."""


Scores = dict[tuple[str, float], dict[int, float]]
"""Of each arm and ratio: a metric by seed, where it is defined."""


def paired_differences(trials: pd.DataFrame, arm: str, ratio: float, against: str, metric: str) -> np.ndarray:
    """Differences `[seeds]` of a metric; `against` is taken at the same ratio where it has ratios.

    Seeds for which one of the two is missing or undefined are left out; empty when there is nothing to compare.
    """
    scores = _scores(trials, metric)
    return np.array(list(_paired(scores, (arm, ratio), _other(scores, against, ratio)).values()))


def compare(trials: pd.DataFrame, arm: str, against: str, metric: str, parts: Parts | None = None) -> list[Comparison]:
    """`arm` against `against` at every ratio of `arm`; p and total intervals corrected over these ratios.

    `trials` has a row for each arm, ratio and seed (one for all folds) and a column for the metric. Without `parts`,
    the influences of the test patients on it, the noise of the test images and the total interval are not known.
    """
    scores = _scores(trials, metric)
    pairs = {}
    for ratio in sorted(ratio for name, ratio in scores if name == arm):
        other = _other(scores, against, ratio)
        if differences := _paired(scores, (arm, ratio), other):
            pairs[ratio] = other, differences
    found = []
    for ratio, (other, differences) in pairs.items():
        values = np.array(list(differences.values()))
        comparison = _comparison(arm, ratio, against, metric, values)
        if parts is not None:
            moved = np.stack([parts[arm, ratio][seed] - parts[other][seed] for seed in differences])
            total = two_way_interval(values, moved, family=len(pairs))
            comparison = replace(
                comparison,
                low_total=total.low,
                high_total=total.high,
                seed_variance=total.seed_variance,
                image_variance=total.image_variance,
            )
        found.append(comparison)
    corrected = holm([comparison.p for comparison in found])
    return [replace(comparison, p_holm=p) for comparison, p in zip(found, corrected, strict=True)]


def _scores(trials: pd.DataFrame, metric: str) -> Scores:
    scores: Scores = {}
    columns = (trials[name].tolist() for name in ("arm", "ratio", "seed", metric))
    for arm, ratio, seed, value in zip(*columns, strict=True):
        if math.isfinite(value):
            scores.setdefault((arm, ratio), {})[seed] = value
    return scores


def _other(scores: Scores, against: str, ratio: float) -> tuple[str, float]:
    """The cell to compare with: at the same ratio, or at 0 for the arms without ratios."""
    return (against, ratio) if (against, ratio) in scores else (against, 0.0)


def _paired(scores: Scores, cell: tuple[str, float], other: tuple[str, float]) -> dict[int, float]:
    """Differences by seed, in the order of the seeds."""
    ours, theirs = scores.get(cell, {}), scores.get(other, {})
    return {seed: ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())}


def _comparison(arm: str, ratio: float, against: str, metric: str, differences: np.ndarray) -> Comparison:
    interval, p, n = bootstrap_interval(differences), sign_flip_p(differences), len(differences)
    spread = float(np.std(differences, ddof=1)) if n > 1 else 0.0
    return Comparison(arm, ratio, against, metric, interval.mean, interval.low, interval.high, p, p, n, spread)
