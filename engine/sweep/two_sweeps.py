"""How far apart the same arm of two sweeps is: a t for the luck of both, whatever they have in common.

With the same seeds and the same test patients the sweeps are two columns of one table, and the difference is taken
seed by seed: the crossed analysis of variance of `statistics.two_way_interval`. What they do not share is luck of its
own in either: variances add, and the degrees of freedom are those of Welch (1947) and Satterthwaite (1946). Never a
normal or a bootstrap: a handful of seeds knows too little of its own spread for these.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from engine.sweep.statistics import ALPHA, Interval, two_way_interval

How = Literal["paired", "same images", "apart", ""]
"""Seed by seed on the same test images; other seeds on the same test images; each on its own; not at all."""


@dataclass(frozen=True)
class OneSweep:
    """A metric by seed, and the influences `[G]` of its test patients on it by seed (none: they are not known)."""

    values: Mapping[int, float]
    parts: Mapping[int, np.ndarray]


@dataclass(frozen=True)
class Apart:
    """What the second has more than the first, with a 95 % interval, and how that was had."""

    interval: Interval
    how: How


def apart(one: OneSweep, other: OneSweep, same_images: bool, comparable: bool = True) -> Apart:
    """The difference of the means over the seeds.

    `comparable`: whether their test images, where not the same, are draws of one data set; the interval is NaN if not,
    and with a single seed or patient in either.
    """
    first, second = (np.array(list(sweep.values.values())) for sweep in (one, other))
    difference = float(second.mean() - first.mean())
    unknown = Apart(Interval(difference, math.nan, math.nan), "")
    if min(len(first), len(second)) < 2 or not (same_images or comparable):
        return unknown
    if any(seed not in sweep.parts for sweep in (one, other) for seed in sweep.values):
        return unknown
    if same_images and set(one.values) == set(other.values):
        seeds = sorted(one.values)
        found = two_way_interval(
            np.array([other.values[seed] - one.values[seed] for seed in seeds]),
            np.stack([other.parts[seed] - one.parts[seed] for seed in seeds]),
        )
        return Apart(Interval(difference, found.low, found.high), "paired") if math.isfinite(found.low) else unknown
    tables = [np.stack([sweep.parts[seed] for seed in sweep.values]) for sweep in (one, other)]
    if min(table.shape[1] for table in tables) < 2:
        return unknown
    variances = [(float(values.var(ddof=1)) / len(values), len(values) - 1) for values in (first, second)]
    if same_images:
        moved = tables[1].mean(0) - tables[0].mean(0)
        variances.append((max(_patients(moved) - sum(map(_both, tables)), 0.0), len(moved) - 1))
    else:
        variances += [(max(_patients(t.mean(0)) - _both(t), 0.0), t.shape[1] - 1) for t in tables]
    total = sum(variance for variance, _ in variances)
    below = sum(variance**2 / freedom for variance, freedom in variances)
    half = float(special.stdtrit(total**2 / below, 1 - ALPHA / 2)) * math.sqrt(total) if total > 0 else 0.0
    return Apart(Interval(difference, difference - half, difference + half), "same images" if same_images else "apart")


def _patients(moved: np.ndarray) -> float:
    """Variance of a mean by its influences `[G]`, with the luck of single trainings in it."""
    return len(moved) / (len(moved) - 1) * float(np.square(moved).sum())


def _both(parts: np.ndarray) -> float:
    """That luck: what each seed's influences `[S, G]` vary by about their mean, as in `two_way_interval`."""
    n_seeds, n_patients = parts.shape
    rest = (parts - parts.mean(0)) * n_patients
    return float(np.square(rest).sum()) / ((n_seeds - 1) * (n_patients - 1)) / (n_seeds * n_patients)
