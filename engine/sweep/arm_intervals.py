"""How well an arm does in other seeds and other patients: a mean over the seeds with a 95 % interval for both.

The seeds alone say how far a mean would move if the same test images were classified anew, which is no more than a part
of what a reader asks: eight networks that agree on 100 images may all be wrong about the next 100. The interval is that
of `statistics.two_way_interval`, formed where the metric is unbounded and brought back, so that it keeps within the
metric's bounds and is wider on the side where there is more room: the logit of a share, the logarithm of a loss.

Where next to nothing was got wrong (or right) the analysis of variance has nothing to go by; then the interval is at
least Wilson's (1927) for so many patients.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from engine.sweep.analysis_units import Level, Units, seed_scores, units_of
from engine.sweep.metric_table import unit_influence, unit_metric
from engine.sweep.metrics import COUNTING, LOSSES, RANKING
from engine.sweep.statistics import ALPHA, Interval, two_way_interval, wilson_interval

FEW = 2
"""With fewer patients than these on one side of a share, Wilson's interval is the least that is told."""
WITH_INTERVALS = (*COUNTING, *RANKING, *LOSSES)
"""The calibration error has none: it is biased upwards in small test sets, and no interval around it would be right."""
COLUMNS = ["arm", "ratio", "metric", "n", "mean", "low", "high"]


@dataclass(frozen=True)
class Counted:
    """Some test images of a sweep, as they are judged."""

    trials: pd.DataFrame
    units: Units
    classes: int
    positive: int
    test_images: pd.DataFrame


def counted(
    trials: pd.DataFrame,
    test_images: pd.DataFrame,
    classes: list[str],
    positive: int,
    level: Level,
    among: np.ndarray | None = None,
) -> Counted:
    """The test images of the mask `among` `[N]` (default: all), with the scores of them alone.

    `trials` have the column `scores`, in the order of `test_images`, and `fold` where there are folds.
    """
    if among is None or among.all():
        return Counted(trials, units_of(test_images, classes, positive, level), len(classes), positive, test_images)
    folds = test_images["fold"].to_numpy(int) if "fold" in test_images else np.zeros(len(test_images), int)
    own = trials["fold"].to_numpy(int) if "fold" in trials else np.zeros(len(trials), int)
    cut = [
        np.reshape(scores, (-1, len(classes)))[among[folds == fold]].ravel()
        for fold, scores in zip(own, trials["scores"], strict=True)
    ]
    kept = test_images[among].reset_index(drop=True)
    some = trials.assign(scores=cut)[np.isin(own, folds[among])]
    return Counted(some, units_of(kept, classes, positive, level), len(classes), positive, kept)


def arm_intervals(what: Counted, metrics: Iterable[str]) -> pd.DataFrame:
    """One row an arm, ratio and metric: `arm, ratio, metric, n` (seeds)`, mean, low, high`; unknown ends are NaN."""
    wanted = [name for name in metrics if name in WITH_INTERVALS]
    values: dict[tuple[str, float], dict[str, list[tuple[float, np.ndarray]]]] = {}
    for arm, ratio, _, scores in seed_scores(what.trials, what.test_images, what.classes):
        of_units = what.units.scores(scores)
        for name in wanted:
            value = unit_metric(name, what.units, of_units, what.positive)
            if not math.isfinite(value):
                continue
            moved = by_patient(what.units, unit_influence(name, what.units, of_units, what.positive))
            values.setdefault((arm, ratio), {}).setdefault(name, []).append((value, moved))
    rows = []
    for (arm, ratio), by_metric in values.items():
        for name, seeds in by_metric.items():
            of_seeds, parts = np.array([value for value, _ in seeds]), np.stack([part for _, part in seeds])
            interval = metric_interval(name, of_seeds, parts, patients_behind(name, what.units, what.positive))
            rows.append((arm, ratio, name, len(seeds), interval.mean, interval.low, interval.high))
    return pd.DataFrame(rows, columns=COLUMNS)


def by_patient(units: Units, influences: np.ndarray) -> np.ndarray:
    """Influences `[U]` of images or patients, summed over what belongs together `[G]`."""
    return np.bincount(units.clusters, weights=influences, minlength=units.n_clusters)


@dataclass(frozen=True)
class Behind:
    """How many patients a metric rests on."""

    patients: float
    """Of a mean over the classes, as many as would move a share as much."""
    rarest: int
    """Of the classes that count, the patients of the smallest: their spread is known no better than from so many."""


def patients_behind(metric: str, units: Units, positive: int) -> Behind:
    """How many patients the metric rests on, of the images or patients that are judged."""
    labels = np.unique(units.labels)
    sizes = {int(label): len(np.unique(units.clusters[units.labels == label])) for label in labels}
    if metric in ("accuracy", *LOSSES) or not sizes:
        return Behind(units.n_clusters, units.n_clusters)
    if len(sizes) == 2 and metric in ("sensitivity", "specificity"):
        own = sum(size for label, size in sizes.items() if (label == positive) == (metric == "sensitivity"))
        return Behind(own, own)
    return Behind(len(sizes) ** 2 / sum(1 / size for size in sizes.values()), min(sizes.values()))


def metric_interval(metric: str, values: np.ndarray, parts: np.ndarray, behind: Behind) -> Interval:
    """Mean of a metric over seeds `[S]` with a 95 % interval for seeds and test patients.

    `parts` `[S, G]` are the patients' influences. The ends are NaN with one seed, or one patient of a class that
    counts, for then one kind of luck is unknown.
    """
    mean, half = mean_and_half(values, parts, behind.rarest)
    if not math.isfinite(half):
        return Interval(mean, math.nan, math.nan)
    if metric in LOSSES:
        if mean <= 0 or half == 0:
            return Interval(mean, math.nan, math.nan)
        reach = math.exp(half / mean)
        return Interval(mean, mean / reach, mean * reach)
    return share_interval(mean, half, behind.patients, few=0 if metric in RANKING else FEW)


def mean_and_half(values: np.ndarray, parts: np.ndarray, rarest: int, most: float = math.inf) -> tuple[float, float]:
    """Mean over seeds `[S]` and half the width of its two-way interval, on its own scale; NaN where unknown.

    As `two_way_interval`, but the patients' degrees of freedom are those of the rarest class that counts, and there are
    `most` degrees of freedom at most.
    """
    found = two_way_interval(values, parts)
    if not math.isfinite(found.low) or rarest < 2:
        return found.mean, math.nan
    n = parts.shape[1]
    seeds, images = found.seed_variance, found.image_variance * (1 - 1 / n) / (1 - 1 / rarest)
    variance = seeds + images
    if not variance > 0:
        return found.mean, 0.0
    freedom = min(variance**2 / (seeds**2 / (len(values) - 1) + images**2 / (rarest - 1)), most)
    return found.mean, float(special.stdtrit(freedom, 1 - ALPHA / 2)) * math.sqrt(variance)


def share_interval(mean: float, half: float, patients: float, few: float = FEW) -> Interval:
    """Interval of a share (0 to 1) of so many patients whose interval on its own scale is `mean` ± `half`.

    At least Wilson's with fewer than `few` patients on one side, and where nothing varied.
    """
    mean = min(max(mean, 0.0), 1.0)
    least = wilson_interval(mean, max(patients, 1))
    ends = least.low, least.high
    if half > 0 and 0 < mean < 1:
        centre, reach = float(special.logit(mean)), half / (mean * (1 - mean))
        ends = float(special.expit(centre - reach)), float(special.expit(centre + reach))
        if patients * min(mean, 1 - mean) < few:
            ends = min(ends[0], least.low), max(ends[1], least.high)
    return Interval(mean, max(min(ends[0], mean), 0.0), min(max(ends[1], mean), 1.0))
