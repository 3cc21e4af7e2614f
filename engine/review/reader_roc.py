"""ROC curves of readers who said how sure they were, and the areas below them with 95 % intervals.

A reader's answer and its certainty are one rating: from -5, certainly real, to 5, certainly synthetic. The area (AUC)
is the share of pairs of a synthetic and a real image in which the synthetic one has the higher rating, equal ones
counted half: 0.5 is guessing, 1 tells all. It needs no threshold, so that a reader who says "real" whenever in doubt
and one who says "synthetic" then have the same area if they see the same.

The interval of one reader holds for other images of this kind: by the placements of DeLong et al. (1988), whole
patients together (Obuchowski 1997), with a t quantile at Satterthwaite's degrees of freedom. Near 1 these vary too
little, at 1 not at all; so it is never narrower than the score interval of Newcombe (2006, method 5), which has the
variance of Hanley and McNeil (1982), for as many images as those of so few patients are worth. The mean over readers
takes readers and images as random (Dorfman, Berbaum and Metz 1992).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, special

from engine.review.agreement import NOBODY, Patients, Pooled, groups_of
from engine.review.kappa import independent, numbered
from engine.review.quiz import MOST_SURE, NONE, SYNTHETIC, UNASKED
from engine.sweep.influence import influence
from engine.sweep.statistics import ALPHA, Interval, two_way_interval

UNDEFINED = Interval(math.nan, math.nan, math.nan)
STEP = 1e-9
"""Less than any pair of images moves an area by."""


@dataclass(frozen=True)
class ReaderRoc:
    """What readers' ratings say; only of quizzes that asked how sure they were."""

    areas: pd.DataFrame
    """One row a reader: reviewer, auc, auc_low, auc_high, synthetic, real (rated images of each). NaN where a reader
    rated images of one source alone."""
    curves: pd.DataFrame
    """The points of the curves, from (0, 0) to (1, 1): reviewer, threshold (the lowest rating that is called
    synthetic), found (share of the synthetic images), wrong (share of the real ones)."""
    pooled: Pooled | None
    """The mean area over the readers, on the images that all of them rated; None when there are none."""


def reader_roc(table: pd.DataFrame, patients: Patients = NOBODY) -> ReaderRoc | None:
    """Curves and areas of the readers of `judged` answers; None when nobody was asked how sure they were."""
    rated = table[(table["answer"] != NONE) & (table["sure"] != UNASKED)]
    if rated.empty:
        return None
    rated = rated.assign(rating=ratings(rated))
    areas, curves = [], []
    for reviewer, own in rated.groupby("reviewer", sort=True):
        actual, rating = (own["source"] == SYNTHETIC).to_numpy(), own["rating"].to_numpy(float)
        found = area(actual, rating, groups_of(own["item"], patients))
        row = {"reviewer": reviewer, "auc": found.mean, "auc_low": found.low, "auc_high": found.high}
        areas.append({**row, "synthetic": int(actual.sum()), "real": int((~actual).sum())})
        if 0 < actual.sum() < len(actual):
            curves.append(curve(actual, rating).assign(reviewer=reviewer))
    columns = ["reviewer", "threshold", "found", "wrong"]
    return ReaderRoc(
        areas=pd.DataFrame(areas),
        curves=pd.concat(curves, ignore_index=True)[columns] if curves else pd.DataFrame(columns=columns),
        pooled=_pooled(rated, patients),
    )


def ratings(table: pd.DataFrame) -> pd.Series:
    """From -5 (certainly real) to 5 (certainly synthetic), by answer and certainty."""
    return table["sure"].where(table["answer"] == SYNTHETIC, -table["sure"])


def curve(actual: np.ndarray, rating: np.ndarray) -> pd.DataFrame:
    """The points of a ROC curve, one for each rating that was given and the corner where nothing is called synthetic.

    `actual` [N] is whether the image is synthetic.
    """
    thresholds = [MOST_SURE + 1, *sorted(set(rating.tolist()), reverse=True)]
    called = rating[:, None] >= np.array(thresholds)
    return pd.DataFrame(
        {"threshold": thresholds, "found": called[actual].mean(axis=0), "wrong": called[~actual].mean(axis=0)}
    )


def area(actual: np.ndarray, rating: np.ndarray, groups: np.ndarray) -> Interval:
    """The area under one reader's curve, with its 95 % interval for other images; NaN with images of one source alone.

    `groups` [N] names the patient of each image; those of synthetic and real images differ.
    """
    if not 0 < actual.sum() < len(actual):
        return UNDEFINED
    parts, value = _influences(actual, rating)
    worth = _worth(actual, parts, groups)
    least = newcombe(value, *worth)
    # of each source by itself: images were drawn from both, as many as were wanted of each
    errors, freedoms = [], []
    for of_source in (actual, ~actual):
        by_group = np.bincount(numbered(groups[of_source]), weights=parts[of_source])
        if len(by_group) < 2:
            return Interval(value, least.low, least.high)
        errors.append(len(by_group) / (len(by_group) - 1) * float(np.square(by_group).sum()))
        freedoms.append(len(by_group) - 1)
    variance = sum(errors)
    if variance <= 0:
        return Interval(value, least.low, least.high)
    freedom = variance**2 / sum(error**2 / free for error, free in zip(errors, freedoms, strict=True))
    half = float(special.stdtrit(freedom, 1 - ALPHA / 2)) * math.sqrt(variance)
    return Interval(value, max(0.0, min(least.low, value - half)), min(1.0, max(least.high, value + half)))


def newcombe(value: float, positives: float, negatives: float) -> Interval:
    """95 % score interval of an area from so many images of each source (Newcombe 2006, method 5).

    Its ends are the areas t with |value - t| = z * sqrt(V(t)), where
    V(t) = t (1 - t) (1 + (N - 1) ((1 - t) / (2 - t) + t / (1 + t))) / (positives * negatives), N = their mean.
    It is defined, and of sensible width, where all ratings are in the right order too.
    """
    z = float(special.ndtri(1 - ALPHA / 2))
    count = (positives + negatives) / 2

    def beyond(t: float) -> float:
        variance = t * (1 - t) * (1 + (count - 1) * ((1 - t) / (2 - t) + t / (1 + t))) / (positives * negatives)
        return (value - t) ** 2 - z * z * variance

    # at the area itself the distance is 0, and so is the variance where that is 0 or 1: look a little inside of it
    low = 0.0 if value <= STEP else float(optimize.brentq(beyond, 0.0, value - STEP))
    high = 1.0 if value >= 1 - STEP else float(optimize.brentq(beyond, value + STEP, 1.0))
    return Interval(value, low, high)


def _pooled(rated: pd.DataFrame, patients: Patients) -> Pooled | None:
    """The mean area over readers, on the images that all of them rated."""
    wide = rated.pivot(index="reviewer", columns="item", values="rating").dropna(axis="columns").astype(float)
    source = rated.drop_duplicates("item").set_index("item")["source"]
    actual = (source.loc[wide.columns] == SYNTHETIC).to_numpy()
    readers, images = wide.shape
    if not 0 < actual.sum() < images:
        return None
    groups = groups_of(wide.columns, patients)
    number = numbered(groups)
    found = [_influences(actual, row) for row in wide.to_numpy()]
    means = np.array([value for _, value in found])
    two_way = two_way_interval(means, np.stack([np.bincount(number, weights=parts) for parts, _ in found]))
    mean_parts = np.mean([parts for parts, _ in found], axis=0)
    differ = two_way.high > two_way.low  # not when all tell everything; NaN for one reader
    if readers == 1:
        return Pooled(area(actual, wide.to_numpy()[0], groups), readers, images)
    if not differ:
        return Pooled(newcombe(float(means.mean()), *_worth(actual, mean_parts, groups)), readers, images)
    # as many readers as these are worth: those who err on the same images are one
    alone = float(np.mean([np.square(parts).sum() for parts, _ in found]))
    several = min(float(readers), max(1.0, alone / float(np.square(mean_parts).sum())))
    least = newcombe(float(means.mean()), *(several * worth for worth in _worth(actual, mean_parts, groups)))
    low, high = max(0.0, min(least.low, two_way.low)), min(1.0, max(least.high, two_way.high))
    return Pooled(Interval(two_way.mean, low, high), readers, images)


def _influences(actual: np.ndarray, rating: np.ndarray) -> tuple[np.ndarray, float]:
    """What each image [N] moves the area by, and the area."""
    parts = influence("auroc", actual.astype(int), np.stack([-rating, rating], axis=1), 1)
    above = rating[actual][:, None] - rating[~actual][None]
    return parts, float(((above > 0) + 0.5 * (above == 0)).mean())


def _worth(actual: np.ndarray, parts: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """How many independent images of each source these are worth: those of one patient are alike."""
    synthetic, real = (max(1.0, independent(parts[of], groups[of])) for of in (actual, ~actual))
    return synthetic, real
