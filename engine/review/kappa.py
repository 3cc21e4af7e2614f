"""Kappas with 95 % intervals for other images of this kind, the reviewers staying the same.

The variance is that of the delta method, for Cohen's kappa the one of Fleiss, Cohen and Everitt (1969): what each image
moves kappa by, squared and summed, whole patients together where they are known, with a t quantile at one fewer degrees
of freedom than there are patients. Near full agreement that is too small (0 where all agree); the interval is therefore
never narrower than that of Wilson for the share of agreement, carried over at the chance agreement that was seen.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy import special

from engine.sweep.statistics import ALPHA, Interval, wilson_interval

UNDEFINED = Interval(math.nan, math.nan, math.nan)


def cohen_kappa(one: pd.Series, other: pd.Series, groups: np.ndarray | None = None) -> Interval:
    """Cohen's kappa (1960) of two raters' answers to the same images; NaN where it is not defined.

    `groups` [N] names the patient of each image; without it each image is its own.
    """
    if one.empty:
        return UNDEFINED
    first, second = one.to_numpy(), other.to_numpy()
    labels = sorted({*first, *second})
    shares = [{label: float((given == label).mean()) for label in labels} for given in (first, second)]
    chance = sum(shares[0][label] * shares[1][label] for label in labels)
    # Each rater's answer moves the chance agreement by the other's share of it.
    moved = np.array([shares[1][a] + shares[0][b] for a, b in zip(first, second, strict=True)]) - 2 * chance
    return _kappa((first == second).astype(float), chance, moved, 2, groups)


def fleiss_kappa(counts: np.ndarray, groups: np.ndarray | None = None) -> Interval:
    """Fleiss' kappa (1971) of `counts` `[images, categories]`, how many raters chose each category for each image.

    Every image has as many ratings, two or more. NaN where only one category was ever chosen, or nothing rated.
    """
    counts = np.asarray(counts, float)
    raters = counts.sum(1)
    if not len(counts) or raters[0] < 2:
        return UNDEFINED
    agreement = ((counts**2).sum(1) - raters) / (raters * (raters - 1))
    shares = counts / raters[:, None]
    mean = shares.mean(0)
    return _kappa(agreement, float((mean**2).sum()), 2 * (shares - mean) @ mean, int(raters[0]), groups)


def _kappa(agreement: np.ndarray, chance: float, moved: np.ndarray, raters: int, groups: np.ndarray | None) -> Interval:
    """(mean agreement - chance) / (1 - chance), from each image's agreement [N] and what it moves chance by [N]."""
    if not chance < 1:
        return UNDEFINED
    n, mean = len(agreement), float(agreement.mean())
    kappa = (mean - chance) / (1 - chance)
    influence = ((agreement - mean) * (1 - chance) - moved * (1 - mean)) / (1 - chance) ** 2 / n
    worth, spread = independent(agreement, groups), float(agreement.var())
    if spread > 0:  # several raters of an image vary less than a single yes or no, but bring no more comparisons
        worth *= min(mean * (1 - mean) / spread, raters - 1)
    least = wilson_interval(mean, worth)
    low, high = ((share - chance) / (1 - chance) for share in (least.low, least.high))
    by_group = influence if groups is None else np.bincount(numbered(groups), weights=influence)
    patients = len(by_group)
    if patients > 1:
        error = math.sqrt(patients / (patients - 1) * float(np.square(by_group).sum()))
        half = float(special.stdtrit(patients - 1, 1 - ALPHA / 2)) * error
        low, high = min(low, kappa - half), max(high, kappa + half)
    return Interval(kappa, max(-1.0, low), min(1.0, high))


def independent(values: np.ndarray, groups: np.ndarray | None) -> float:
    """How many independent images these [N], each between 0 and 1, are worth: those of one patient are alike.

    N over the ratio of the variance of the mean by patients to that by images (Kish's design effect, at least 1); where
    all are equal nothing says how alike a patient's are, and each patient counts once.
    """
    if groups is None:
        return len(values)
    number = numbered(groups)
    patients = int(number.max()) + 1
    off = values - values.mean()
    by_image = float(np.square(off).sum())
    if by_image == 0 or patients < 2:
        return patients
    by_patient = patients / (patients - 1) * float(np.square(np.bincount(number, weights=off)).sum())
    return len(values) / max(1.0, by_patient * (len(values) - 1) / len(values) / by_image)


def numbered(groups: np.ndarray) -> np.ndarray:
    """Numbers from 0 for names [N]."""
    return np.unique(groups, return_inverse=True)[1]
