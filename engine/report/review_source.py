"""What reviewers said of a pool, for a report, where they have numbers: it travels further than their names."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from engine.review.decisions import decisions
from engine.review.quiz import Quiz, answers, list_quizzes
from engine.review.study import Study, studied
from engine.store.home import Home


@dataclass(frozen=True)
class ReviewSource:
    """The reviews of one pool: quizzes with a finished reviewer, and decisions."""

    studies: list[Study]
    decided: pd.DataFrame
    """See `decisions`."""


def read_review(home: Home, pool: str) -> ReviewSource | None:
    """What reviewers said of a pool, under numbers; None when they said nothing."""
    studies = [_numbered(home, quiz) for quiz in list_quizzes(home, pool)]
    found = ReviewSource([each for each in studies if each.reviewers], decisions(home, pool))
    return found if found.studies or len(found.decided) else None


def _numbered(home: Home, quiz: Quiz) -> Study:
    given = answers(home, quiz)
    names = {name: f"Reviewer {number}" for number, name in enumerate(sorted(given["reviewer"].unique()), 1)}
    return studied(quiz, given.assign(reviewer=given["reviewer"].map(names)))
