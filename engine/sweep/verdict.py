"""The verdict in three ways: synthetic images help, harm, or there is no evidence that they do either.

*helps* at a ratio: the interval of the difference to duplicated reals lies above 0 and its Holm p is below 0.05, and
the same ratio does not harm; *harms*: the interval of the difference to the real images alone lies below 0 and its
Holm p is below 0.05. Fewer than 6 paired seeds are a quick look and claim nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.sweep.comparisons import Comparison
from engine.sweep.statistics import (
    ALPHA,
    QUICK_LOOK_BELOW,
    Interval,
    seeds_needed,
    seeds_to_claim,
    smallest_sign_flip_p,
)

PHANTOM = "On the drawn phantom, which says nothing about patients: "


@dataclass(frozen=True)
class Verdict:
    """What the sweep found; `ratio` is the one that the sentence speaks of, `needed` what would tell more."""

    verdict: Literal["helps", "harms", "no evidence"]
    sentence: str
    needed: str
    ratio: float | None


def judge(to_real: list[Comparison], to_duplicates: list[Comparison], *, phantom: bool = False) -> Verdict:
    """The verdict from the comparisons of real+synthetic with real and with real+duplicates, one for each ratio."""
    verdict = _judge(to_real, to_duplicates)
    if not phantom:
        return verdict
    sentence = PHANTOM + verdict.sentence[0].lower() + verdict.sentence[1:]
    return Verdict(verdict.verdict, sentence, verdict.needed, verdict.ratio)


def _judge(to_real: list[Comparison], to_duplicates: list[Comparison]) -> Verdict:
    if not to_real:
        return Verdict(
            "no evidence",
            "This sweep cannot tell whether synthetic images help: no arm used them.",
            "A sweep with the arm real+synthetic.",
            None,
        )
    n = min(comparison.n for comparison in to_real)
    if n < QUICK_LOOK_BELOW:
        best = max(to_real, key=lambda comparison: comparison.mean_difference)
        return Verdict(
            "no evidence",
            f"A quick look with {n} repetitions claims nothing: with {_share(best)} synthetic images added, accuracy "
            f"was {_points(best)} than with the real images alone.",
            f"At least 8 repetitions; with {n}, chance alone gives a difference this consistent too often "
            f"(smallest possible p = {smallest_sign_flip_p(n):.2g}).",
            best.ratio,
        )
    harmful = {comparison.ratio: comparison for comparison in to_real if _below(comparison)}
    helpful = [comparison for comparison in to_duplicates if _above(comparison) and comparison.ratio not in harmful]
    if helpful:
        best = max(helpful, key=lambda comparison: comparison.mean_difference)
        warning = f" At {_list(sorted(harmful))} they harm." if harmful else ""
        return Verdict(
            "helps",
            f"Synthetic images help: with {_share(best)} added, accuracy was {_points(best)} than with as many "
            f"duplicated real images ({_evidence(best)}).{warning}",
            "A second data set or another hospital's images, before anybody relies on it.",
            best.ratio,
        )
    if harmful:
        worst = min(harmful.values(), key=lambda comparison: comparison.mean_difference)
        return Verdict(
            "harms",
            f"Synthetic images harm: with {_share(worst)} added, accuracy was {_points(worst)} than with the real "
            f"images alone ({_evidence(worst)}).",
            "Better synthetic images, or a smaller share of them.",
            worst.ratio,
        )
    if not to_duplicates:
        best = max(to_real, key=lambda comparison: comparison.mean_difference)
        return Verdict(
            "no evidence",
            f"No evidence that synthetic images harm; whether they help cannot be told without the control of "
            f"duplicated real images. With {_share(best)} added, accuracy was {_points(best)} than with the real "
            f"images alone ({_evidence(best)}).",
            "A sweep with the arm real+duplicates.",
            best.ratio,
        )
    best = max(to_duplicates, key=lambda comparison: comparison.mean_difference)
    return Verdict(
        "no evidence",
        f"No evidence that synthetic images help or harm: at best, with {_share(best)} added, accuracy was "
        f"{_points(best)} than with as many duplicated real images ({_evidence(best)}).",
        _needed(best, len(to_duplicates)),
        best.ratio,
    )


def with_test_noise(verdict: Verdict, noise: Interval, n_test: int) -> Verdict:
    """Add to what is needed how far another test set of this size could move the difference."""
    half = (noise.high - noise.low) / 2
    return Verdict(
        verdict.verdict,
        verdict.sentence,
        f"{verdict.needed} Another test set of {n_test} images could move this difference by about "
        f"{100 * half:.1f} points either way; four times as many images would halve that.",
        verdict.ratio,
    )


def _needed(best: Comparison, ratios: int) -> str:
    if smallest_sign_flip_p(best.n) * ratios >= ALPHA:
        return (
            f"With {best.n} repetitions and {ratios} ratios no result could have been significant; "
            f"at least {seeds_to_claim(ratios)} repetitions, or fewer ratios."
        )
    if best.mean_difference <= 0:
        return "Other synthetic images; more repetitions of these are not likely to show a benefit."
    seeds = seeds_needed(best.mean_difference, best.spread, ratios)
    if seeds is None:
        return "More than 1,000 repetitions would be needed to tell a difference so small from chance."
    return f"About {seeds} repetitions would be needed to tell a difference of this size from chance."


def _above(comparison: Comparison) -> bool:
    return comparison.low > 0 and comparison.p_holm < ALPHA


def _below(comparison: Comparison) -> bool:
    return comparison.high < 0 and comparison.p_holm < ALPHA


def _share(comparison: Comparison) -> str:
    return f"{100 * comparison.ratio:g} %"


def _list(ratios: list[float]) -> str:
    return ", ".join(f"{100 * ratio:g} %" for ratio in ratios)


def _points(comparison: Comparison) -> str:
    points = 100 * comparison.mean_difference
    if round(abs(points), 1) == 0:
        return "no higher"
    return f"{abs(points):.1f} points {'higher' if points > 0 else 'lower'}"


def _evidence(comparison: Comparison) -> str:
    return (
        f"95 % interval {100 * comparison.low:+.1f} to {100 * comparison.high:+.1f}, corrected "
        f"p = {comparison.p_holm:.2g}, {comparison.n} paired repetitions"
    )
