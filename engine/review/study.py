"""A reader study: the answers to a quiz of all who finished it, and their summary in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.datasets.dataset import Dataset
from engine.review.agreement import (
    MEASURES,
    NOBODY,
    Patients,
    Pooled,
    by_reviewer,
    cohen,
    complete,
    fleiss,
    judged,
    pooled,
)
from engine.review.kappa import UNDEFINED
from engine.review.quiz import REAL, Quiz, answers
from engine.review.reader_roc import ReaderRoc, reader_roc
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.sweep.statistics import Interval


@dataclass(frozen=True)
class Study:
    """Who is not through yet is in `on_the_way` alone: answers seen early could be stopped at a lucky moment."""

    quiz: Quiz
    table: pd.DataFrame
    """The answers of those who finished, see `judged`."""
    reviewers: list[str]
    on_the_way: dict[str, int]
    """Images that others have seen so far."""
    scores: pd.DataFrame
    """See `by_reviewer`."""
    pooled: dict[str, Pooled]
    """By measure; those that no image has all answers for are left out."""
    pairs: pd.DataFrame
    """See `cohen`."""
    fleiss: Interval
    """Fleiss' kappa of all reviewers; NaN for one."""
    roc: ReaderRoc | None = None
    """From how sure they were; None where the quiz did not ask."""

    @property
    def kappa(self) -> float:
        """Fleiss' kappa without its interval."""
        return self.fleiss.mean

    @property
    def agreement(self) -> Interval:
        """Cohen's kappa of two reviewers, Fleiss' of more; NaN for one. For other images, these reviewers."""
        if len(self.pairs) != 1:
            return self.fleiss
        pair = self.pairs.iloc[0]
        return Interval(float(pair["kappa"]), float(pair["kappa_low"]), float(pair["kappa_high"]))

    @property
    def sentence(self) -> str:
        """The result in words."""
        if "accuracy" not in self.pooled:
            return "Nobody has finished this quiz yet." if not self.reviewers else "No image has answers of everybody."
        found = self.pooled["accuracy"]
        low, mean, high = found.interval.low, found.interval.mean, found.interval.high
        who = "1 reviewer" if found.reviewers == 1 else f"{found.reviewers} reviewers"
        meaning = (
            "better than guessing: the synthetic images can be told"
            if low > 0.5
            else "worse than guessing: the synthetic images look more real than the real ones"
            if high < 0.5
            else "no evidence that they can be told apart, which is no proof that they cannot"
        )
        return (
            f"{who} told synthetic from real in {100 * mean:.0f} % of {found.images} images "
            f"({100 * low:.0f} to {100 * high:.0f} %; 50 % is guessing): {meaning}."
        )

    @property
    def area_sentence(self) -> str:
        """What the ratings say in words; empty where there are none, or not of the same images."""
        if self.roc is None or self.roc.pooled is None:
            return ""
        found = self.roc.pooled
        of = (
            "The ratings give"
            if found.reviewers == 1
            else f"On average the ratings of {found.reviewers} reviewers give"
        )
        return (
            f"{of} an area under the ROC curve of {area_told(found.interval)} on {found.images} images; 0.5 is "
            "guessing, 1 tells every synthetic image from every real one."
        )


def study(home: Home, quiz: Quiz) -> Study:
    """Everything the answers to a quiz say."""
    return studied(quiz, answers(home, quiz), patients_of(home, quiz))


def patients_of(home: Home, quiz: Quiz) -> Patients:
    """The patient of each real item, where the data set knows it; none where the data set is gone."""
    try:
        manifest = Dataset.open(home, quiz.dataset).manifest
    except ErsatzError:
        return NOBODY
    known = manifest[manifest["group"].astype(str) != ""]
    groups = dict(zip(known["path"], known["group"].astype(str), strict=True))
    return {
        place: groups[item.path] for place, item in enumerate(quiz.items) if item.source == REAL and item.path in groups
    }


def studied(quiz: Quiz, given: pd.DataFrame, patients: Patients = NOBODY) -> Study:
    """As `study`, of answers that need not be kept anywhere."""
    reviewers = complete(quiz, given)
    others = given[~given["reviewer"].isin(reviewers)]
    table = judged(quiz, given[given["reviewer"].isin(reviewers)])
    found = {measure: pooled(table, measure, patients) for measure in MEASURES}
    return Study(
        quiz=quiz,
        table=table,
        reviewers=reviewers,
        on_the_way={str(name): len(rows) for name, rows in others.groupby("reviewer")},
        scores=by_reviewer(table, patients),
        pooled={measure: each for measure, each in found.items() if each is not None},
        pairs=cohen(table, patients),
        fleiss=fleiss(table, patients)[0] if len(reviewers) > 1 else UNDEFINED,
        roc=reader_roc(table, patients) if quiz.rated else None,
    )


def area_told(area: Interval) -> str:
    """`0.82 (0.71 to 0.90)`; a dash where it is not defined."""
    return "–" if np.isnan(area.mean) else f"{area.mean:.2f} ({area.low:.2f} to {area.high:.2f})"


def kappa_told(kappa: Interval) -> str:
    """`0.41 (0.20 to 0.62)`; a dash where it is not defined."""
    return "–" if np.isnan(kappa.mean) else f"{kappa.mean:.2f} ({kappa.low:.2f} to {kappa.high:.2f})"


def kappa_words(kappa: float) -> str:
    """Landis and Koch's (1977) word for a kappa; a dash where it is not defined."""
    if np.isnan(kappa):
        return "–"
    bounds = ((0.0, "poor"), (0.2, "slight"), (0.4, "fair"), (0.6, "moderate"), (0.8, "substantial"))
    return next((word for bound, word in bounds if kappa <= bound), "almost perfect")
