"""What was found at each planned look of a sweep, and in which words the verdict says which look it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.configs import SweepConfig
from engine.store.versioned import Number
from engine.sweep.comparisons import Comparison
from engine.sweep.looks import Boundary, information_fractions, is_planned, next_boundary
from engine.sweep.verdict import Verdict
from engine.sweep.verdict_words import percent, repetitions


@dataclass(frozen=True, kw_only=True)
class LookResult:
    """One look: what it could spend, and what it found."""

    number: int
    """From 1; 0 of one that was not planned."""
    of: int
    """Planned looks."""
    seeds: int
    """Repetitions that it saw."""
    fraction: Number
    """Information as a share of that of the last planned look, as estimated then."""
    spent: Number
    """Alpha spent so far."""
    alpha: Number
    """Nominal alpha of this look."""
    verdict: Verdict
    planned: bool = True

    @property
    def claims(self) -> bool:
        return self.verdict.verdict != "no evidence"


def boundary_of(config: SweepConfig, earlier: Sequence[LookResult], deciding: Sequence[Comparison]) -> Boundary | None:
    """What the look after the `earlier` ones may spend, from the variances of the comparisons that decide; None for a
    sweep that is read once."""
    if not is_planned(config):
        return None
    looks = config.looks[: len(earlier) + 1]
    fractions = information_fractions(deciding, config.seeds, looks, config.looks[-1])
    before = [Boundary(look.fraction, look.spent, look.alpha) for look in earlier]
    return next_boundary(before, fractions, config.spending)


def look_in_words(number: int, of: int, seeds: int, alpha: float) -> str:
    """`look 1 of 2 at 8 repetitions (nominal 0.5 %)`."""
    return f"look {number} of {of} at {repetitions(seeds)} (nominal {percent(alpha)})"


def look_result(
    config: SweepConfig, earlier: Sequence[LookResult], boundary: Boundary | None, verdict: Verdict
) -> tuple[LookResult, ...]:
    """The looks so far, with the one that found this verdict; none of a sweep that is read once."""
    if boundary is None:
        return ()
    return (
        *earlier,
        LookResult(
            number=len(earlier) + 1,
            of=len(config.looks),
            seeds=config.seeds,
            fraction=boundary.fraction,
            spent=boundary.spent,
            alpha=boundary.alpha,
            verdict=verdict,
        ),
    )


def standing(earlier: Sequence[LookResult], verdict: Verdict, words: str) -> Verdict:
    """The verdict of the first look that claimed something, for what was rejected there stays so; else that of now.

    `words` say which look this is.
    """
    claimed = next((look for look in earlier if look.claims), None)
    if claimed is None:
        return verdict
    return replace(claimed.verdict, sentence=f"{claimed.verdict.sentence} That stands; {words}: {verdict.verdict}.")
