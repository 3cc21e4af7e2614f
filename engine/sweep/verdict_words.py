"""What a verdict is about, and the words in which differences and their evidence are told."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from engine.sweep.arms import CLASSICAL, arm_rule, baseline_of, control_of
from engine.sweep.comparisons import Comparison
from engine.sweep.metrics import LOSSES
from engine.sweep.positive import OF_POSITIVE

NAMES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "macro_f1": "macro F1",
    "auroc": "AUROC",
    "average_precision": "average precision",
    "brier": "the Brier score",
    "log_score": "the log score",
}
IN_POINTS = ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "macro_f1")

UNKNOWN = "in its config"
"""Where something was declared, when nothing is known of other sweeps on the test set."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a verdict is about."""

    arm: str = "real+synthetic"
    metric: str = "accuracy"
    positive_class: str = ""
    """Of two classes; empty with more."""
    level: Literal["image", "patient"] = "image"
    extra_classes: tuple[str, ...] = ()
    fills_gap: bool = False
    """Ratios count what a class lacks to the largest one."""
    primary_ratio: float | None = None
    """The one that was declared; none: all of them and their mean."""
    margin: float | None = None
    """The largest difference that would not matter."""
    declared: str = UNKNOWN
    """Where both were declared, and what the ledger knows of the time: `in its config, before any sweep had ...`."""

    @property
    def baseline(self) -> str:
        return baseline_of(self.arm) or "real"

    @property
    def control(self) -> str | None:
        return control_of(self.arm)

    @property
    def measure(self) -> str:
        by_patient = " by patient" if self.level == "patient" else ""
        return f"{NAMES[self.metric]}{by_patient}{of_positive(self.metric, self.positive_class)}"


def of_positive(metric: str, positive_class: str) -> str:
    """` (positive: melanoma)` behind the metrics that depend on it; empty behind others, and with more classes."""
    return f" (positive: {positive_class})" if positive_class and metric in OF_POSITIVE else ""


def compared(comparison: Comparison, question: Question) -> str:
    """`with 50 % synthetic images added, accuracy was 2.1 points higher than with ...`."""
    share = "on the mean over the shares" if comparison.is_mean else share_in_words(comparison.ratio, question)
    return (
        f"{share}, {question.measure} was "
        f"{change_in_words(comparison.mean_difference, question.metric)} than {others_in_words(comparison.against)}"
    )


def share_in_words(ratio: float, question: Question) -> str:
    rule, share = arm_rule(question.arm), listed([ratio])
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


def others_in_words(against: str) -> str:
    plain = against.removesuffix(CLASSICAL)
    words = {
        "real": "with the real images alone",
        "real+duplicates": "with as many duplicated real images",
        "replaced+duplicates": "with as many real images replaced by duplicates of the others",
    }[plain]
    return words + (" and classical augmentation" if against.endswith(CLASSICAL) else "")


def change_in_words(difference: float, metric: str) -> str:
    size = amount(difference, metric)
    if float(size.split()[0]) == 0:
        return "no lower" if metric in LOSSES else "no higher"
    if metric in LOSSES:
        return f"{size} {'lower (better)' if difference > 0 else 'higher (worse)'}"
    return f"{size} {'higher' if difference > 0 else 'lower'}"


def amount(difference: float, metric: str) -> str:
    """Its size, in points or as the metric is written."""
    return f"{100 * abs(difference):.1f} points" if metric in IN_POINTS else f"{abs(difference):.3f}"


def evidence(comparison: Comparison, several: int, question: Question) -> str:
    """`several`: shares that are corrected for, beside their mean."""
    low, high = interval_ends(comparison)
    of = " of the improvement" if comparison.metric in LOSSES else ""
    if not math.isfinite(comparison.low_total):
        return (
            f"95 % interval{of} {low} to {high} for other seeds alone, on these test images; "
            f"{repetitions(comparison.n, 'paired ')}"
        )
    by = f" from {comparison.generators} generators a class" if comparison.generators > 1 else ""
    luck = "generators, seeds" if by else "seeds"
    corrected = f" corrected over {several} shares and their mean" if several > 1 else ""
    return (
        f"{level(comparison)} interval{of} {low} to {high} for other {luck} and test images, "
        f"p = {comparison.p_corrected:.2g}{corrected}; {repetitions(comparison.n, 'paired ')}{by}"
    )


def level(comparison: Comparison) -> str:
    """Of the intervals for both kinds of luck: `95 %`, or `99.5 %` at a look with a nominal alpha of 0.5 %."""
    return percent(1 - comparison.alpha)


def percent(share: float) -> str:
    """`99.5 %`, with as many digits as tell it from 100 % or 0 %."""
    missing = min(share, 1 - share)
    digits = 0 if missing <= 0 else max(0, 1 - math.floor(math.log10(100 * missing)))
    return f"{100 * share:.{digits}f}".rstrip("0").rstrip(".") + " %" if digits else f"{100 * share:.0f} %"


def brief_evidence(comparison: Comparison) -> str:
    """Interval and p, where what they hold for has been said."""
    low, high = interval_ends(comparison)
    p = f"; p = {comparison.p_corrected:.2g}" if math.isfinite(comparison.p_corrected) else ""
    return f"{low} to {high}{p}"


def interval_ends(comparison: Comparison) -> tuple[str, str]:
    low, high = comparison.low_total, comparison.high_total
    if not math.isfinite(low):
        low, high = comparison.low, comparison.high
    scale, digits = (100, 1) if comparison.metric in IN_POINTS else (1, 3)
    return f"{scale * low:+.{digits}f}", f"{scale * high:+.{digits}f}"


def signed_amount(difference: float, metric: str) -> str:
    """As `+0.4 points`; of a loss as `an improvement of +0.004`."""
    of = "an improvement of " if metric in LOSSES else ""
    return f"{of}{'-' if difference < 0 else '+'}{amount(difference, metric)}"


def at_ratios(comparisons: list[Comparison]) -> str:
    """`At 50 %, 100 %`, or `On the mean`."""
    ratios = sorted(each.ratio for each in comparisons if not each.is_mean)
    return f"At {listed(ratios)}" if ratios else "On the mean over the shares"


def repetitions(n: int, kind: str = "") -> str:
    return f"{n} {kind}repetition{'' if n == 1 else 's'}"


def listed(ratios: list[float]) -> str:
    return ", ".join(f"{100 * ratio:g} %" for ratio in ratios)


def capitalised(words: str) -> str:
    return words[0].upper() + words[1:]
