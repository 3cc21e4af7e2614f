"""Analysis of reviewers' answers: their accuracy, their agreement, and the images that mislead them.

Images without an answer (the time was over) are left out of every share and counted beside it. `patients` names the
patient of the images of which it is known, by their items; images of one patient are no independent draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from engine.review.kappa import cohen_kappa, fleiss_kappa, independent, numbered
from engine.review.quiz import NONE, REAL, SYNTHETIC, UNASKED, Quiz
from engine.sweep.statistics import Interval, two_way_interval, wilson_interval

Patients = Mapping[int, str]
NOBODY: Patients = {}
MEASURES = {"accuracy": "", "sensitivity": SYNTHETIC, "specificity": REAL}
"""Measure -> the source of the images that it is of; accuracy is of all."""


@dataclass(frozen=True)
class Pooled:
    """The mean over reviewers of a measure, on the images that all of them answered."""

    interval: Interval
    reviewers: int
    images: int


def judged(quiz: Quiz, answers: pd.DataFrame) -> pd.DataFrame:
    """Answers with what was shown: reviewer, item, source, path, class, answer, correct, sure, seconds, time."""
    table = answers.merge(quiz.table(), on="item", how="left")
    table["correct"] = table["answer"] == table["source"]
    if "sure" not in table:
        table["sure"] = UNASKED
    return table[["reviewer", "item", "source", "path", "class", "answer", "correct", "sure", "seconds", "time"]]


def by_reviewer(table: pd.DataFrame, patients: Patients = NOBODY) -> pd.DataFrame:
    """A row for each reviewer, over all classes (class '') and for each: `MEASURES` with Wilson intervals, and times.

    Sensitivity: share of synthetic images called synthetic. Specificity: share of real images called real. An interval
    counts as many images as those of so few patients are worth.
    """
    classes = sorted(table["class"].unique())
    rows = []
    for reviewer, own in table.groupby("reviewer", sort=True):
        for name in ["", *(classes if len(classes) > 1 else [])]:
            part = own if name == "" else own[own["class"] == name]
            given = part[part["answer"] != NONE]
            row = {"reviewer": reviewer, "class": name, "answered": len(given), "no_answer": len(part) - len(given)}
            for measure, source in MEASURES.items():
                found = _share(given if source == "" else given[given["source"] == source], patients)
                row |= {measure: found.mean, f"{measure}_low": found.low, f"{measure}_high": found.high}
            rows.append({**row, "seconds": given["seconds"].median()})
    return pd.DataFrame(rows)


def _share(given: pd.DataFrame, patients: Patients) -> Interval:
    if given.empty:
        return Interval(np.nan, np.nan, np.nan)
    right = given["correct"].to_numpy(float)
    return wilson_interval(float(right.mean()), independent(right, groups_of(given["item"], patients)))


def groups_of(items: pd.Series | pd.Index, patients: Patients) -> np.ndarray:
    """The patient of each item; an item of unknown patient is one of its own."""
    return np.array([f"patient {patients[item]}" if item in patients else f"item {item}" for item in items])


def pooled(table: pd.DataFrame, measure: str = "accuracy", patients: Patients = NOBODY) -> Pooled | None:
    """The mean of a measure over reviewers, with an interval for other reviewers and other images of this kind.

    Reviewers who saw the same images err on the same ones, so that their answers are no independent draws: the
    interval is that of reader studies, with readers and cases random (see `two_way_interval`), and never narrower than
    Wilson's over all answers. With one reviewer, or when all answers agree, it is Wilson's over the images.
    None when no image has all answers.
    """
    given = table[table["answer"] != NONE]
    if source := MEASURES[measure]:
        given = given[given["source"] == source]
    whole = given.pivot(index="reviewer", columns="item", values="correct").dropna(axis="columns").astype(float)
    reviewers, images = whole.shape
    if not images:
        return None
    values = whole.to_numpy()
    means = values.mean(1)
    groups = groups_of(whole.columns, patients)
    number = numbered(groups)
    parts = np.stack([np.bincount(number, weights=row) for row in (values - means[:, None]) / images])
    found = two_way_interval(means, parts)
    differ = found.high > found.low  # not when all are always right; NaN for one reviewer
    worth = independent(values.mean(0), groups)
    least = wilson_interval(float(means.mean()), reviewers * worth if differ else worth)
    low, high = (min(least.low, found.low), max(least.high, found.high)) if differ else (least.low, least.high)
    return Pooled(Interval(found.mean, max(0.0, low), min(1.0, high)), reviewers, images)


def cohen(table: pd.DataFrame, patients: Patients = NOBODY) -> pd.DataFrame:
    """Cohen's kappa of each pair of reviewers on the images that both answered, with its 95 % interval.

    Columns: one, other, images, kappa, kappa_low, kappa_high. 1 is full agreement, 0 what chance gives; not defined
    (NaN) where both gave one and the same answer to everything.
    """
    wide = _wide(table)
    rows = []
    for one, other in combinations(wide.columns, 2):
        both = wide[[one, other]].dropna()
        found = cohen_kappa(both[one], both[other], groups_of(both.index, patients))
        rows.append((one, other, len(both), found.mean, found.low, found.high))
    return pd.DataFrame(rows, columns=["one", "other", "images", "kappa", "kappa_low", "kappa_high"])


def fleiss(table: pd.DataFrame, patients: Patients = NOBODY) -> tuple[Interval, int]:
    """Fleiss' kappa of all reviewers, and the number of images that all of them answered."""
    wide = _wide(table).dropna()
    counts = np.stack([(wide == label).sum(axis=1) for label in (REAL, SYNTHETIC)], axis=1)
    return fleiss_kappa(counts, groups_of(wide.index, patients)), len(wide)


def _wide(table: pd.DataFrame) -> pd.DataFrame:
    """Answers by item (rows) and reviewer (columns); missing where there is none."""
    return table[table["answer"] != NONE].pivot(index="item", columns="reviewer", values="answer")


def mistaken(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """Images of a source by how often they were taken for the other: path, class, reviewers, mistaken, share, seconds.

    Of synthetic images the most fooling first, of real ones the most doubted; those never mistaken are left out. Among
    equals, the image that was answered sooner comes first: it was answered without hesitation.
    """
    given = table[(table["answer"] != NONE) & (table["source"] == source)]
    found = given.groupby(["path", "class"], as_index=False).agg(
        reviewers=("correct", "size"), right=("correct", "sum"), seconds=("seconds", "median")
    )
    found["mistaken"] = found["reviewers"] - found["right"].astype(int)
    found["share"] = found["mistaken"] / found["reviewers"]
    found = found[found["mistaken"] > 0].sort_values(
        ["share", "mistaken", "seconds", "path"], ascending=[False, False, True, True]
    )
    return found[["path", "class", "reviewers", "mistaken", "share", "seconds"]].reset_index(drop=True)


def complete(quiz: Quiz, answers: pd.DataFrame) -> list[str]:
    """The reviewers who saw every image of the quiz; only they can be compared with each other."""
    seen = answers.groupby("reviewer")["item"].nunique()
    return sorted(seen.index[seen == len(quiz.items)])
