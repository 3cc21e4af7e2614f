"""What the check of a pool says against it, in a word: a pool far from real images is no green step."""

from __future__ import annotations

from engine.quality.quality_scores import SCORES_FILE, QualityScores
from engine.quality.results import QualityResult
from engine.store.errors import ErsatzError
from pages.components.files import read_model
from pages.components.run_summary import RunSummary
from pages.overview.steps import StepState
from pages.quality.score_status import FAR, QUESTIONS, score_status

LOOKS_AND_VARIETY = tuple(name for names in list(QUESTIONS.values())[:2] for name in names)
"""The scores of how real and how varied the images are."""


def check_warning(check: RunSummary) -> StepState | None:
    """What a finished check found that calls for a look before the next step; None where nothing does."""
    if far_from_real(check):
        return StepState("far from real", "failed")
    found = check.status.result_as(QualityResult)
    copies = max(0, found.flags.get("copy", 0) - found.excluded) if found else 0
    return StepState(f"{copies} {'copy' if copies == 1 else 'copies'} in it", "alarm") if copies else None


def far_from_real(check: RunSummary) -> bool:
    """Whether a score of all classes together lies more than half of the way to the worst possible value."""
    try:
        scores = read_model(check.run.path / SCORES_FILE, QualityScores).of_class("")
    except (OSError, ErsatzError):  # damaged: the page of the check says so
        return False
    return any(score_status(scores[name]) == FAR for name in LOOKS_AND_VARIETY if name in scores)
