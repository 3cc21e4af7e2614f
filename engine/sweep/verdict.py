"""The verdict in three ways: synthetic images help, harm, or there is no evidence that they do either.

*helps* at a ratio: the interval of the difference to the duplicated reals lies above 0 and its Holm p is below 0.05,
and the same ratio does not harm; *harms*: the interval of the difference to the real images alone lies below 0 and its
Holm p is below 0.05. The p is that of the seeds; the interval holds for the luck of the seeds and of the test patients
and for all ratios together, for otherwise the best of four ratios on one lucky test set would be called a finding.
Fewer than 6 paired seeds are a quick look and claim nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from engine.sweep.arms import CLASSICAL, arm_rule, baseline_of, control_of
from engine.sweep.comparisons import Comparison
from engine.sweep.power import larger_test_set, seeds_needed, seeds_to_claim
from engine.sweep.statistics import ALPHA, QUICK_LOOK_BELOW, smallest_sign_flip_p

PHANTOM = "On the drawn phantom, which says nothing about patients: "
EXPLORATORY = "Exploratory, for the verdict is about another arm: "
NAMES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "macro_f1": "macro F1",
    "auroc": "AUROC",
    "average_precision": "average precision",
}
IN_POINTS = ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "macro_f1")


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a verdict is about."""

    arm: str = "real+synthetic"
    metric: str = "accuracy"
    level: Literal["image", "patient"] = "image"
    extra_classes: tuple[str, ...] = ()
    fills_gap: bool = False
    """Ratios count what a class lacks to the largest one."""

    @property
    def baseline(self) -> str:
        return baseline_of(self.arm) or "real"

    @property
    def control(self) -> str | None:
        return control_of(self.arm)

    @property
    def measure(self) -> str:
        return NAMES[self.metric] + (" by patient" if self.level == "patient" else "")


@dataclass(frozen=True)
class Verdict:
    """What the sweep found; `ratio` is the one in the sentence, `needed` what would settle more."""

    verdict: Literal["helps", "harms", "no evidence"]
    sentence: str
    needed: str = ""
    ratio: float | None = None
    arm: str | None = None
    against: str | None = None
    """The arm that the sentence compares with."""
    claims: bool = True
    """Whether the protocol and the program's checks leave room for a claim."""


def judge(question: Question, to_baseline: list[Comparison], to_control: list[Comparison]) -> Verdict:
    """The verdict on a synthetic arm from its comparisons with its baseline and its control, one for each ratio."""
    arm, control, baseline = question.arm, question.control, question.baseline
    if not to_baseline:
        return Verdict(
            "no evidence",
            f"This sweep cannot tell whether synthetic images help: the arms {arm} and {baseline} are not both there.",
            f"A sweep with the arms {baseline} and {arm}.",
            None,
            arm,
        )
    n = min(comparison.n for comparison in to_baseline)
    if n < QUICK_LOOK_BELOW:
        best = max(to_baseline, key=lambda comparison: comparison.mean_difference)
        return Verdict(
            "no evidence",
            f"A quick look with {_repetitions(n)} claims nothing: {_compared(best, question)}.",
            f"At least 8 repetitions; with {n}, chance alone gives a difference this consistent too often "
            f"(smallest possible p = {smallest_sign_flip_p(n):.2g}).",
            best.ratio,
            arm,
            baseline,
        )
    harmful = {comparison.ratio: comparison for comparison in to_baseline if _below(comparison)}
    helpful = [comparison for comparison in to_control if _above(comparison) and comparison.ratio not in harmful]
    if helpful:
        best = max(helpful, key=lambda comparison: comparison.mean_difference)
        warning = f" At {_list(sorted(harmful))} they harm." if harmful else ""
        return Verdict(
            "helps",
            f"Synthetic images help: {_compared(best, question)} ({_evidence(best, len(to_control))}).{warning}",
            "A second data set or another hospital's images, before anybody relies on it.",
            best.ratio,
            arm,
            control,
        )
    if harmful:
        worst = min(harmful.values(), key=lambda comparison: comparison.mean_difference)
        return Verdict(
            "harms",
            f"Synthetic images harm: {_compared(worst, question)} ({_evidence(worst, len(to_baseline))}).",
            "Better synthetic images, or a smaller share of them.",
            worst.ratio,
            arm,
            baseline,
        )
    if not to_control:
        best = max(to_baseline, key=lambda comparison: comparison.mean_difference)
        return Verdict(
            "no evidence",
            "No evidence that synthetic images harm; whether they help cannot be told without the control of "
            f"duplicated real images. {_capital(_compared(best, question))} ({_evidence(best, len(to_baseline))}).",
            f"A sweep with the arm {control}." if control else "A sweep in which they are added to the real images.",
            best.ratio,
            arm,
            baseline,
        )
    best = max(to_control, key=lambda comparison: comparison.mean_difference)
    return Verdict(
        "no evidence",
        f"No evidence that synthetic images help or harm: at best, {_compared(best, question)} "
        f"({_evidence(best, len(to_control))}).",
        _needed(best, len(to_control), question),
        best.ratio,
        arm,
        control,
    )


def without_claim(verdict: Verdict, reasons: Sequence[str], needed: str) -> Verdict:
    """The same numbers as no verdict: the reasons (sentences) come first, and `needed` is what would remove them."""
    found = verdict.sentence.split(": ", 1)[-1]
    return replace(
        verdict,
        verdict="no evidence",
        claims=False,
        sentence=" ".join((*reasons, f"What it shows, without any claim: {found}")),
        needed=needed,
    )


def prefixed(verdict: Verdict, prefix: str) -> Verdict:
    """With words before the sentence, which then goes on in small letters."""
    return replace(verdict, sentence=prefix + verdict.sentence[0].lower() + verdict.sentence[1:])


def _needed(best: Comparison, ratios: int, question: Question) -> str:
    if smallest_sign_flip_p(best.n) * ratios >= ALPHA:
        return (
            f"With {best.n} repetitions and {ratios} ratios no result could have been significant; "
            f"at least {seeds_to_claim(ratios)} repetitions, or fewer ratios."
        )
    noise = _test_noise(best, question)
    if best.mean_difference <= 0:
        return "Other synthetic images; more repetitions of these are not likely to show a benefit." + noise
    images = best.image_variance if math.isfinite(best.image_variance) else 0.0
    seeds = seeds_needed(best.mean_difference, best.spread, ratios, images)
    if seeds is not None and seeds > best.n:
        return f"About {seeds} repetitions would be needed to tell a difference of this size from chance." + noise
    if seeds is not None:
        return "A difference of this size is at the edge of what so many repetitions can tell; more would settle it."
    units = "patients" if question.level == "patient" else "test images"
    larger = larger_test_set(best.mean_difference, best.spread**2 / best.n, images, ratios)
    if larger is not None and larger <= 1000:
        return (
            f"About {math.ceil(larger)} times as many {units} would be needed to tell a difference of this size from "
            f"the luck of one test set; more repetitions alone cannot.{noise}"
        )
    if images and seeds_needed(best.mean_difference, best.spread, ratios) is not None:
        return f"More repetitions and more {units}, both, would be needed to tell such a difference from chance.{noise}"
    return f"More than 1,000 repetitions would be needed to tell a difference so small from chance.{noise}"


def _test_noise(best: Comparison, question: Question) -> str:
    """How far another test set of this size could move the difference."""
    if not best.image_variance > 0:
        return ""
    half = _amount(1.96 * math.sqrt(best.image_variance), question.metric)
    return (
        f" Another test set of this size could move this difference by about {half} either way; four times as many "
        "images would halve that."
    )


def _above(comparison: Comparison) -> bool:
    return comparison.low_total > 0 and comparison.p_holm < ALPHA


def _below(comparison: Comparison) -> bool:
    return comparison.high_total < 0 and comparison.p_holm < ALPHA


def _compared(comparison: Comparison, question: Question) -> str:
    """`with 50 % synthetic images added, accuracy was 2.1 points higher than with ...`."""
    return (
        f"{_share(comparison.ratio, question)}, {question.measure} was "
        f"{_change(comparison.mean_difference, question.metric)} than {_others(comparison.against)}"
    )


def _share(ratio: float, question: Question) -> str:
    rule, share = arm_rule(question.arm), _list([ratio])
    where = f" to {', '.join(question.extra_classes)}" if question.extra_classes else ""
    if rule.base == "none":
        words = f"with synthetic images alone, {share} as many as real ones"
    elif rule.base == "replaced":
        words = f"with {share} of the real images replaced by synthetic ones"
    elif question.fills_gap:
        words = f"with {share} of what a class lacks to the largest added{where} as synthetic images"
    else:
        words = f"with {share} synthetic images added{where}"
    return words + (", all with classical augmentation" if rule.classical else "")


def _others(against: str) -> str:
    plain = against.removesuffix(CLASSICAL)
    words = {
        "real": "with the real images alone",
        "real+duplicates": "with as many duplicated real images",
        "replaced+duplicates": "with as many real images replaced by duplicates of the others",
    }[plain]
    return words + (" and classical augmentation" if against.endswith(CLASSICAL) else "")


def _change(difference: float, metric: str) -> str:
    amount = _amount(difference, metric)
    if float(amount.split()[0]) == 0:
        return "no higher"
    return f"{amount} {'higher' if difference > 0 else 'lower'}"


def _amount(difference: float, metric: str) -> str:
    """Its size, in points or as the metric is written."""
    return f"{100 * abs(difference):.1f} points" if metric in IN_POINTS else f"{abs(difference):.3f}"


def _evidence(comparison: Comparison, ratios: int) -> str:
    low, high, scope = comparison.low_total, comparison.high_total, "for other seeds and test images"
    if not math.isfinite(low):
        low, high, scope = comparison.low, comparison.high, "for other seeds"
    scale, digits = (100, 1) if comparison.metric in IN_POINTS else (1, 3)
    together = f", {ratios} shares together" if ratios > 1 and math.isfinite(comparison.low_total) else ""
    return (
        f"95 % interval {scale * low:+.{digits}f} to {scale * high:+.{digits}f} {scope}{together}; corrected "
        f"p = {comparison.p_holm:.2g}, {_repetitions(comparison.n, 'paired ')}"
    )


def _repetitions(n: int, kind: str = "") -> str:
    return f"{n} {kind}repetition{'' if n == 1 else 's'}"


def _list(ratios: list[float]) -> str:
    return ", ".join(f"{100 * ratio:g} %" for ratio in ratios)


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]
