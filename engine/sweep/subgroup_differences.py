"""Whether synthetic images gain more in one subgroup than in another: paired differences, and a test of interaction.

That a gain is significant in one subgroup and not in another says nothing of a difference between the two; the test of
it is of the interaction (Brookes et al. 2004). In each subgroup the paired difference of an arm to another is what the
sweep's metric says of these test images alone. Each is then held against the mean of the others, with both kinds of
luck: for two subgroups by a two-way t, for more by the largest |t| of all of them together (`max_t.py`). Exploratory:
several columns are not corrected for, and a sweep is not planned to find it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from engine.datasets.patients import clusters_in
from engine.store.versioned import Number, Result
from engine.sweep.analysis_units import Level, seed_scores
from engine.sweep.arm_intervals import Counted, by_patient, counted, mean_and_half, patients_behind
from engine.sweep.comparisons import Comparison, by_generator
from engine.sweep.max_t import crossed, together
from engine.sweep.metric_table import unit_influence, unit_metric
from engine.sweep.metrics import gain_sign


class SubgroupDifference(Result):
    """An arm minus another in a subgroup of the test images, paired seed by seed (of a loss the improvement)."""

    column: str
    value: str
    arm: str
    ratio: float
    against: str
    metric: str
    mean_difference: Number
    low: Number
    high: Number
    """95 % for the luck of the seeds and of the test patients, of this subgroup by itself."""
    n: int
    """Images (or patients) of the subgroup."""
    apart: Number = math.nan
    """This difference minus the mean of those in the column's other subgroups."""
    p_apart: Number = math.nan
    """Two-sided p of that; with more than two subgroups for all of them together."""


class Interaction(Result):
    """Whether the difference of two arms is another one in some subgroup of a column; exploratory."""

    column: str
    arm: str
    ratio: float
    against: str
    metric: str
    p: Number
    subgroups: int


def subgroup_differences(
    trials: pd.DataFrame,
    test_images: pd.DataFrame,
    classes: list[str],
    positive: int,
    level: Level,
    metric: str,
    columns: Sequence[str],
    comparisons: Sequence[Comparison],
    turns: Mapping[int, int] | None = None,
) -> tuple[list[SubgroupDifference], list[Interaction]]:
    """Of each column: the differences of `comparisons` (their arms and ratios, in the sweep's metric) by its values.

    Subgroups in which the metric is not defined, in any seed, are left out. `turns` says of each seed which of several
    generators made its synthetic images; the mean over the seeds of a generator takes the place of a seed then, as in
    `compare`.
    """
    differences: list[SubgroupDifference] = []
    interactions: list[Interaction] = []
    for column in columns:
        values = test_images[column].astype(str)
        parts = {
            value: _Part(metric, counted(trials, test_images, classes, positive, level, (values == value).to_numpy()))
            for value in sorted(set(values) - {""})
        }
        clusters = _places(parts)
        for each in comparisons:
            rows = _of_column(column, parts, clusters, each, turns or {})
            if len(rows) > 1:
                p = min((row.p_apart for row in rows if math.isfinite(row.p_apart)), default=math.nan)
                interactions.append(
                    Interaction(
                        column=column, arm=each.arm, ratio=each.ratio, against=each.against, metric=metric, p=p,
                        subgroups=len(rows),
                    )
                )  # fmt: skip
            differences += rows
    return differences, interactions


class _Part:
    """The metric and its influences in one subgroup, by arm, ratio and seed."""

    def __init__(self, metric: str, what: Counted) -> None:
        self.units = what.units
        self.images = what.test_images
        self.rarest = patients_behind(metric, what.units, what.positive).rarest
        self.found: dict[tuple[str, float], dict[int, tuple[float, np.ndarray]]] = {}
        for arm, ratio, seed, scores in seed_scores(what.trials, what.test_images, what.classes):
            of_units = what.units.scores(scores)
            value = unit_metric(metric, what.units, of_units, what.positive)
            if math.isfinite(value):
                moved = by_patient(what.units, unit_influence(metric, what.units, of_units, what.positive))
                self.found.setdefault((arm, ratio), {})[seed] = value, moved


def _places(parts: dict[str, _Part]) -> dict[str, np.ndarray]:
    """Of each subgroup the places `[G]` of its patients among those of the column: one may be in several subgroups."""
    names = {value: _named(part.images) for value, part in parts.items()}
    every = {name: place for place, name in enumerate(sorted(set().union(*map(set, names.values()))))}
    places = {}
    for value, part in parts.items():
        _, own = np.unique(clusters_in(part.images), return_inverse=True)  # as `units_of` numbers them
        places[value] = np.empty(part.units.n_clusters, int)
        places[value][own] = [every[name] for name in names[value]]
    return places


def _named(images: pd.DataFrame) -> list[str]:
    """Of each image its group, or where it has none its path: it is in one subgroup alone."""
    group = images["group"].astype(str)
    return group.where(group != "", "alone " + images["path"].astype(str)).tolist()


def _of_column(
    column: str,
    parts: dict[str, _Part],
    places: dict[str, np.ndarray],
    each: Comparison,
    turns: Mapping[int, int],
) -> list[SubgroupDifference]:
    sign, total = gain_sign(each.metric), 1 + max((int(of.max()) for of in places.values() if len(of)), default=-1)
    values, moved, rows, sizes = [], [], [], []
    shared: set[int] | None = None
    pairs = {}
    for value, part in parts.items():
        other = (each.against, each.ratio) if (each.against, each.ratio) in part.found else (each.against, 0.0)
        ours, theirs = part.found.get((each.arm, each.ratio), {}), part.found.get(other, {})
        seeds = ours.keys() & theirs.keys()
        if seeds:
            pairs[value] = ours, theirs
            shared = set(seeds) if shared is None else shared & seeds
    if not shared:
        return []
    for value, (ours, theirs) in pairs.items():
        part, order = parts[value], sorted(shared)
        difference = sign * np.array([ours[seed][0] - theirs[seed][0] for seed in order])
        influence = sign * np.stack([ours[seed][1] - theirs[seed][1] for seed in order])
        made_by = [turns.get(seed, 0) for seed in order]
        several = len(set(made_by)) > 1
        most = len(set(made_by)) - 1 if several else math.inf  # as `max_t.with_luck_of_generators`
        if several:
            difference, influence = (by_generator(of[None], made_by)[0] for of in (difference, influence))
        mean, half = mean_and_half(difference, influence, part.rarest, most)
        wide = np.zeros((len(difference), total))
        wide[:, places[value]] = influence
        values.append(difference)
        moved.append(wide)
        sizes.append(part.rarest)
        rows.append(
            SubgroupDifference(
                column=column, value=value, arm=each.arm, ratio=each.ratio, against=each.against, metric=each.metric,
                mean_difference=mean, low=mean - half, high=mean + half, n=len(part.units),
            )
        )  # fmt: skip
    if len(rows) < 2:
        return rows
    return _held_apart(rows, np.array(values), np.stack(moved), min(sizes), most)


def _held_apart(
    rows: list[SubgroupDifference], values: np.ndarray, moved: np.ndarray, rarest: int, most: float
) -> list[SubgroupDifference]:
    """With each difference held against the mean of the others; degrees of freedom as of the smallest subgroup, and
    `most` at most."""
    n, n_seeds = len(rows), values.shape[1]
    contrast = (np.eye(n) * n - 1) / (n - 1)  # 1 for its own, -1 / (n - 1) for every other
    if n == 2:
        contrast = contrast[:1]  # the second is the first with the other sign
    found = crossed(contrast @ values, np.tensordot(contrast, moved, 1))
    if rarest > 1 and n_seeds > 1:
        a, b = np.diag(found.seeds), np.diag(found.images)
        with np.errstate(invalid="ignore", divide="ignore"):
            freedom = (a + b) ** 2 / (a**2 / (n_seeds - 1) + b**2 / (rarest - 1))
        found = replace(found, freedom=np.fmin(np.where(a + b > 0, freedom, math.inf), most))
        p = [judged.p for judged in together(found)]
    else:
        p = [math.nan] * len(contrast)
    apart = list(found.means)
    if n == 2:
        p, apart = p * 2, [apart[0], -apart[0]]
    return [
        row.model_copy(update={"apart": float(by), "p_apart": float(chance)})
        for row, by, chance in zip(rows, apart, p, strict=True)
    ]
