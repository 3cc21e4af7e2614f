"""What reviewers found, as the report of a sweep shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from engine.report.pictures import data_uri
from engine.report.review_figures import figure_reader_roc, figure_reviewers, readable_areas, readable_scores
from engine.review.agreement import mistaken
from engine.review.decisions import BY_REVIEW, tally
from engine.review.quiz import REAL, SYNTHETIC
from engine.review.study import Study, kappa_told, kappa_words
from engine.store.home import Home

PICTURES = 6
"""Pictures of each kind that fooled most."""


def study_content(found: Study, home: Home) -> dict[str, Any]:
    """What the report shows of a quiz."""
    quiz = found.quiz
    rows = found.scores
    several = len(found.reviewers) > 1
    return {
        "sentence": found.sentence,
        "images": len(quiz.items),
        "seconds": quiz.seconds,
        "seed": quiz.seed,
        "figure": figure_reviewers(rows, found.pooled.get("accuracy")),
        "table": readable_scores(rows),
        "areas": found.area_sentence,
        "figure_roc": figure_reader_roc(found.roc) if found.roc is not None and len(found.roc.curves) else None,
        "table_roc": readable_areas(found.roc) if found.roc is not None else None,
        "kappa": f"{kappa_told(found.agreement)}, {kappa_words(found.agreement.mean)}"
        if several and not np.isnan(found.agreement.mean)
        else "",
        "fooling": _pictures(found, home, SYNTHETIC),
        "doubted": _pictures(found, home, REAL),
    }


def _pictures(found: Study, home: Home, source: str) -> list[dict[str, str]]:
    quiz = found.quiz
    folder = home.run(quiz.pool) if source == SYNTHETIC else home.dataset(quiz.dataset)
    shown = []
    for row in mistaken(found.table, source).head(PICTURES).to_dict("records"):
        if (folder / row["path"]).is_file():
            with Image.open(folder / row["path"]) as image:
                pixels = np.asarray(image)
            words = f"{row['class']}: {row['mistaken']} of {row['reviewers']}"
            shown.append({"image": data_uri(pixels[..., None] if pixels.ndim == 2 else pixels), "words": words})
    return shown


def decided_sentence(decided: pd.DataFrame) -> str:
    """The outcome of accepting and rejecting; empty without decisions."""
    if decided.empty:
        return ""
    counts = tally(decided)
    reviewers = decided["reviewer"].nunique()
    return (
        f"{_count(reviewers, 'reviewer')} looked through the pool and decided on {_count(len(counts), 'image')}: "
        f"{int((counts['rejects'] > 0).sum())} rejected by somebody, {int((counts['rejects'] == 0).sum())} by nobody."
    )


def without_names(reasons: Mapping[str, int]) -> dict[str, int]:
    """How many images left a pool for each reason, without the reviewers' names."""
    found: Counter[str] = Counter()
    for reason, count in reasons.items():
        why = reason.removeprefix(BY_REVIEW).partition(": ")[2]
        found[f"{BY_REVIEW}reviewers: {why}" if reason.startswith(BY_REVIEW) else reason] += count
    return dict(found)


def methods_sentence(studies: list[Study]) -> str:
    """How the reader studies were done; no result."""
    sentences = []
    for each in studies:
        sources = Counter(item.source for item in each.quiz.items)
        limit = f", {each.quiz.seconds} seconds for each" if each.quiz.seconds else ", without a limit of time"
        several = len(each.reviewers) > 1
        kappa = "Fleiss' kappa (Fleiss 1971)" if len(each.reviewers) > 2 else "Cohen's kappa"
        pooled = (
            "; the mean over reviewers takes reviewers and images as random (crossed analysis of variance), and "
            f"agreement is {kappa} with a 95 % "
            "interval by the delta method (Fleiss, Cohen and Everitt 1969) for other images (whole patients where "
            "known), these reviewers"
            if several
            else ""
        )
        sentences.append(
            f"{_count(len(each.reviewers), 'reviewer')} who did not know which images were synthetic judged "
            f"{sources[REAL]} real images (of the training and validation parts) and {sources[SYNTHETIC]} of the pool, "
            f"in each class as many of both, {'each in another' if several else 'in random'} order{limit}; shares have "
            f"Wilson intervals, for as many images as those of one patient are worth{pooled}.{_rated(each)}"
        )
    return " ".join(sentences)


def _rated(each: Study) -> str:
    """How the ratings were taken and analysed; empty where nobody was asked how sure they were."""
    if not each.quiz.rated:
        return ""
    many = len(each.reviewers) > 1
    mean = (
        "; the mean over reviewers takes reviewers and images as random (Dorfman, Berbaum and Metz 1992)"
        if many
        else ""
    )
    return (
        f" With each answer {'the reviewers' if many else 'the reviewer'} said how sure the answer was, from "
        "1 (a guess) to 5 (certain); areas under the ROC curve of these ratings are empirical, ties counted half, with "
        "intervals by DeLong et al. (1988), whole patients together (Obuchowski 1997), and never narrower than the "
        f"score interval of Newcombe (2006, method 5), which has the variance of Hanley and McNeil (1982){mean}."
    )


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
