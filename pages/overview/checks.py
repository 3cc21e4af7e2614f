"""What the check of a pool says against it, in a word: a pool far from real images is no green step."""

from __future__ import annotations

from engine.quality.results import QualityResult
from engine.report.pool_verdict import FAR, PoolVerdict
from engine.store.errors import ErsatzError
from pages.components.pool_standing import verdict_of_check
from pages.components.run_summary import RunSummary
from pages.overview.steps import StepState


def check_warning(check: RunSummary) -> StepState | None:
    """What a finished check found that calls for a look before the next step; None where nothing does."""
    if is_red(check):
        return StepState("red pool", "failed")
    found = check.status.result_as(QualityResult)
    copies = max(0, found.flags.get("copy", 0) - found.excluded) if found else 0
    return StepState(f"{copies} {'copy' if copies == 1 else 'copies'} in it", "alarm") if copies else None


def is_red(check: RunSummary) -> bool:
    """Whether the verdict on the pool is the one that Quality shows in red."""
    verdict = _verdict(check)
    return verdict is not None and verdict.level == FAR


def _verdict(check: RunSummary) -> PoolVerdict | None:
    try:
        return verdict_of_check(check.run)
    except (OSError, ErsatzError):  # damaged: the page of the check says so
        return None
