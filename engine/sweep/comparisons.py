"""Paired comparisons of two arms, at every ratio and on the mean over the ratios, from the table of trials."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from engine.store.versioned import Number
from engine.sweep.max_t import alone, crossed, together, with_luck_of_generators
from engine.sweep.metric_table import Parts
from engine.sweep.metrics import gain_sign
from engine.sweep.statistics import ALPHA, seed_interval


@dataclass(frozen=True)
class Comparison:
    """An arm minus another at one ratio, or on the mean over its ratios: paired seed by seed.

    Of a loss (Brier and log score) the other minus the arm, so that more is always better.
    """

    arm: str
    ratio: Number
    """NaN: the mean over the ratios."""
    against: str
    metric: str
    mean_difference: Number
    low: Number
    high: Number
    """`low`, `high`: 95 % for the luck of the seeds alone, on these test images; it decides nothing."""
    p: Number
    """Two-sided, of this comparison by itself, for the luck of the seeds and of the test patients (two-way t)."""
    p_corrected: Number
    """The same for all ratios and their mean together (max-t); in sweeps of before, Holm's over the ratios."""
    n: int
    """Paired seeds: those that have every ratio."""
    spread: Number
    """Standard deviation of the paired differences."""
    low_total: Number = math.nan
    high_total: Number = math.nan
    """95 % for the luck of the seeds and of the test patients, for all ratios and their mean together; the verdict's
    interval: it excludes 0 exactly where `p_corrected` is below 0.05."""
    seed_variance: Number = math.nan
    image_variance: Number = math.nan
    """Parts of the mean's variance that more seeds, and that more test images, would lower."""
    low_alone: Number = math.nan
    high_alone: Number = math.nan
    """95 % for both kinds of luck, of this comparison by itself: the interval of `p`."""
    alpha: Number = ALPHA
    """What p is held against: 5 %, or less at one of several planned looks (`looks.py`). The intervals for both kinds
    of luck leave as much out: of 99.5 % at an alpha of 0.005."""

    generators: int = 1
    """Generators a class that took turns over the seeds; with several their luck is in `p` and the intervals."""

    @property
    def is_mean(self) -> bool:
        """Whether this is the mean over the ratios."""
        return math.isnan(self.ratio)


Scores = dict[tuple[str, float], dict[int, float]]
"""Of each arm and ratio: a metric by seed, where it is defined."""


def compare(
    trials: pd.DataFrame,
    arm: str,
    against: str,
    metric: str,
    parts: Parts | None = None,
    turns: Mapping[int, int] | None = None,
    alpha: float = ALPHA,
) -> list[Comparison]:
    """`arm` against `against` at every ratio of `arm` and, with several, on their mean, which comes last.

    `trials` has a row for each arm, ratio and seed (one for all folds) and a column for the metric. Seeds that lack
    one of the ratios are left out of all. Differences in a loss are turned round: an improvement is above 0. Without
    `parts`, the influences of the test patients on the metric, the noise of the test images is not known, and so
    neither are p and the intervals for both. `alpha` is 5 %, or the
    nominal one of a look.

    `turns` says of each seed which of several generators made its synthetic images. Seeds are nested in generators
    then, and the mean over the seeds of a generator takes the place of a seed in the analysis of variance: its mean
    square holds the luck of the generators and of the seeds, at one degree of freedom less than there are generators
    (`max_t.with_luck_of_generators`).
    """
    scores, sign = _scores(trials, metric), gain_sign(metric)
    pairs = {}
    for ratio in sorted(ratio for name, ratio in scores if name == arm):
        other = _other(scores, against, ratio)
        if differences := _paired(scores, (arm, ratio), other):
            pairs[ratio] = other, differences
    seeds = sorted(set.intersection(*(set(found) for _, found in pairs.values()))) if pairs else []
    if not seeds:
        return []
    values = sign * and_mean(np.array([[found[seed] for seed in seeds] for _, found in pairs.values()]))
    ratios = [*pairs, math.nan][: len(values)]
    comparisons = [_comparison(arm, ratio, against, metric, row) for ratio, row in zip(ratios, values, strict=True)]
    if parts is None:
        return comparisons
    moved = sign * and_mean(
        np.stack(
            [
                np.stack([parts[arm, ratio][seed] - parts[other][seed] for seed in seeds])
                for ratio, (other, _) in pairs.items()
            ]
        )
    )
    made_by = [turns[seed] for seed in seeds] if turns else []
    makers = len(set(made_by))
    found = crossed(values, moved)
    if makers > 1:
        of_generators = crossed(by_generator(values, made_by), by_generator(moved, made_by))
        found = with_luck_of_generators(found, of_generators, makers)
    return [
        replace(
            comparison,
            p=own.p,
            p_corrected=of_all.p,
            low_total=of_all.low,
            high_total=of_all.high,
            low_alone=own.low,
            high_alone=own.high,
            seed_variance=float(found.seeds[row, row]),
            image_variance=float(found.images[row, row]),
            generators=max(1, makers),
            alpha=alpha,
        )
        for row, (comparison, own, of_all) in enumerate(
            zip(comparisons, alone(found, alpha), together(found, alpha), strict=True)
        )
    ]


def by_generator(of_seeds: np.ndarray, made_by: Sequence[int]) -> np.ndarray:
    """Means `[R, G, ...]` over the seeds of each generator, from `[R, S, ...]`; `made_by` names that of each seed."""
    makers = sorted(set(made_by))
    return np.stack([of_seeds[:, np.equal(made_by, maker)].mean(1) for maker in makers], axis=1)


def and_mean(rows: np.ndarray) -> np.ndarray:
    """With their mean as one more row, where there are several."""
    return np.concatenate((rows, rows.mean(0, keepdims=True))) if len(rows) > 1 else rows


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
    interval, n = seed_interval(differences), len(differences)
    spread = float(np.std(differences, ddof=1)) if n > 1 else 0.0
    unknown = math.nan
    return Comparison(
        arm, ratio, against, metric, interval.mean, interval.low, interval.high, unknown, unknown, n, spread
    )
