"""A sweep in one word and one line, for whoever looks for five seconds.

The line quotes what decides: the control of repeated real images where it is there, and over all shares of synthetic
images. The share that looks best is never picked, and what was not shown is not said to be. It is made from the
comparisons as they are stored, so that sweeps of before get the same words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from engine.configs import SweepConfig
from engine.sweep.arms import arm_rule, baseline_of, control_of, primary_arm
from engine.sweep.comparisons import Comparison
from engine.sweep.metrics import LOSSES, gain_sign
from engine.sweep.pool_words import in_place
from engine.sweep.results import SweepResult
from engine.sweep.statistics import QUICK_LOOK_BELOW
from engine.sweep.summary_model import Cell, SweepSummary
from engine.sweep.tally import above, below, overall, tally
from engine.sweep.verdict import Verdict
from engine.sweep.verdict_words import (
    IN_POINTS,
    NAMES,
    capitalised,
    change_in_words,
    listed,
    of_positive,
    repetitions,
)

Tone = Literal["helps", "harms", "no relevant difference", "no evidence", "no verdict", "control"]
ROUNDING = 0.0006
"""How far two written means may be from their written difference."""

ON_PHANTOM = "Drawn phantom: says nothing about patients."
UNABLE = "More real images would hardly have helped either, so this sweep could hardly have shown a benefit."


@dataclass(frozen=True)
class Headline:
    """What is read first."""

    word: str
    """The verdict in a word or two."""
    tone: Tone
    line: str
    """What was found, with its numbers."""
    tallies: tuple[str, ...] = ()
    """How the arm lies against its controls over all shares, the one that decides first."""
    notes: tuple[str, ...] = ()
    """What has to be known beside it."""
    rows: tuple[Comparison, ...] = ()
    """The comparisons that the line is about, each with the interval and the p that the verdict uses in `low_total`,
    `high_total` and `p_corrected`: the one that decides first."""
    family: tuple[Comparison, ...] = ()
    """Those of all shares that count with what decides, and of their mean, with the same intervals."""

    @property
    def sentence(self) -> str:
        """Word, line and the first tally, as one text."""
        return " ".join([f"{self.word}.", self.line, *self.tallies[:1], *self.notes])


def headline(summary: SweepSummary, config: SweepConfig, arm: str | None = None) -> Headline:
    """The headline of a sweep's verdict, or of that on another of its arms."""
    arm = arm or summary.primary_arm or primary_arm(config)
    of_another = arm is not None and summary.primary_arm not in (None, arm)
    verdict = summary.verdicts[str(arm)] if of_another else summary.verdict
    found = _headline(summary, config, verdict, arm, (*summary.comparisons, *summary.averages), summary.cells)
    if found.tone != "control" and summary.learning_curve is not None and summary.learning_curve.reading == "unable":
        found = replace(found, notes=(*found.notes, UNABLE)) if verdict.verdict == "no evidence" else found
    return replace(found, notes=(*found.notes, ON_PHANTOM)) if summary.phantom else found


def external_headline(summary: SweepSummary, config: SweepConfig) -> Headline:
    """That of the same trials on a second data set."""
    external = summary.external
    assert external is not None
    rows = (*external.comparisons, *external.averages)
    return _headline(summary, config, external.verdict, summary.primary_arm, rows, external.cells)


def sweep_result(summary: SweepSummary, config: SweepConfig) -> SweepResult:
    """What `status.json` keeps of a sweep."""
    told = headline(summary, config)
    return SweepResult(
        verdict=summary.verdict.verdict,
        sentence=summary.verdict.sentence,
        control=summary.control,
        word=told.word,
        headline=told.sentence,
    )


def deciding(
    comparisons: Sequence[Comparison], arm: str | None, metric: str, primary_ratio: float | None = None
) -> tuple[list[Comparison], list[Comparison]]:
    """Of all comparisons those of an arm with its control and with its baseline, with the intervals of the verdict.

    Of a share that was declared these are its own, of the others those for all shares together.
    """
    ours = [each for each in comparisons if (each.arm, each.metric) == (arm, metric)]
    of_arm = [of_verdict(each, primary_ratio) for each in ours]
    control, baseline = (control_of(arm), baseline_of(arm)) if arm else (None, None)
    return [each for each in of_arm if each.against == control], [each for each in of_arm if each.against == baseline]


def of_verdict(comparison: Comparison, primary_ratio: float | None) -> Comparison:
    """With the interval and p that the verdict uses; one repetition has neither."""
    if comparison.n < 2:
        of_seeds = replace(comparison, low=math.nan, high=math.nan, low_alone=math.nan, high_alone=math.nan)
        return replace(_untested(of_seeds), p=math.nan)
    if primary_ratio is not None and comparison.ratio == primary_ratio and math.isfinite(comparison.low_alone):
        return replace(
            comparison,
            low_total=comparison.low_alone,
            high_total=comparison.high_alone,
            p_corrected=comparison.p,
        )
    return comparison


def _headline(
    summary: SweepSummary,
    config: SweepConfig,
    verdict: Verdict,
    arm: str | None,
    comparisons: Sequence[Comparison],
    cells: Sequence[Cell],
) -> Headline:
    primary = config.primary_ratio if len(config.ratios) > 1 else None
    to_control, to_baseline = deciding(comparisons, arm, summary.metric, primary)
    if arm is None or not (to_control or to_baseline):
        return Headline("No verdict", "no verdict", "Nothing was compared that could tell.")
    against_real = verdict.verdict in ("harms", "no relevant difference")
    first, second = (to_baseline, to_control) if against_real and to_baseline else (to_control, to_baseline)
    if not first:
        first, second = second, first
    at = _at(first, second if verdict.verdict == "helps" else [], verdict, primary)
    rows = [at, *(each for each in second if _place(each) == _place(at))]
    n = min(each.n for each in first)
    where = _where(at, first, primary)
    told = Told(arm, summary, cells, config.extra_classes)
    word, tone, line = _told(told, config, verdict, at, n, where, bool(to_control))
    tallies = [
        f"Against {_others(family[0].against)}: {tally(_counted(family, primary))}."
        for family in (first, second)
        if family
    ]
    notes: tuple[str, ...] = ()
    if summary.control:
        word, tone = f"Control: {word[0].lower()}{word[1:]}", "control"
        line, tallies = in_place(line, summary.control), [in_place(each, summary.control) for each in tallies]
        notes = ("A control: no result on synthetic images.",)
    family = [each for each in first if primary is None or each.ratio == primary]
    return Headline(word, tone, line, tuple(tallies), notes, tuple(rows), tuple(family))


def _told(
    told: Told, config: SweepConfig, verdict: Verdict, at: Comparison, n: int, where: str, controlled: bool
) -> tuple[str, Tone, str]:
    """Word, tone and line."""
    numbers = told.numbers(at)
    if reasons := _without_claim(told.summary, config):
        return "No verdict", "no verdict", f"Nothing is claimed: {reasons}. What it gave: {numbers}{where}."
    if n < QUICK_LOOK_BELOW:
        few = f"{capitalised(repetitions(n))} claim{'s' * (n == 1)} nothing"
        return "Quick look, no verdict", "no verdict", f"{few}. So far: {numbers}{where}."
    subject = told.subject
    if verdict.verdict in ("helps", "harms"):
        shown = above(at) if verdict.verdict == "helps" else below(at)
        did = "helped" if verdict.verdict == "helps" else "harmed"
        if not shown:  # an earlier look claimed it, and what was added since claims nothing
            line = f"{subject} {did}, by an earlier look. With all {repetitions(n)}: {numbers}{where}."
            return verdict.verdict.capitalize(), verdict.verdict, line
        return verdict.verdict.capitalize(), verdict.verdict, f"{subject} {did}: {numbers}{where}."
    if verdict.verdict == "no relevant difference":
        line = f"{subject} made no relevant difference: {numbers}{where}."
        return "No relevant difference", "no relevant difference", line
    if not controlled:
        lacks = (
            "cannot be told without the control of repeated real images" if control_of(told.arm) else "was not shown"
        )
        helps = "harms" if control_of(told.arm) is None else "helps"
        return "No evidence", "no evidence", f"Whether {_small(subject)} {helps} {lacks}: {numbers}{where}."
    gained = change_in_words(at.mean_difference, at.metric)
    positive = at.mean_difference > 0 and not gained.startswith("no ")
    did = "was not shown to help" if positive else "was not shown to help, nor to harm"
    return "No evidence", "no evidence", f"{subject} {did}: {numbers}{where}."


@dataclass(frozen=True)
class Told:
    """The words for one arm of a sweep, and its means."""

    arm: str
    summary: SweepSummary
    cells: Sequence[Cell]
    extra_classes: Sequence[str] = ()
    """The classes that get synthetic images, where it is not all of them."""

    @property
    def subject(self) -> str:
        rule = arm_rule(self.arm)
        words = {
            "real": "Adding synthetic images",
            "replaced": "Replacing real images by synthetic images",
            "none": "Training on synthetic images alone",
        }[rule.base]
        only = f" to {' and '.join(self.extra_classes)}" if self.extra_classes else ""
        return words + only + (" on top of classical augmentation" if rule.classical and rule.base == "real" else "")

    @property
    def measure(self) -> str:
        by_patient = " by patient" if self.summary.level == "patient" else ""
        metric = self.summary.metric
        return f"{NAMES[metric]}{by_patient}{of_positive(metric, self.summary.positive_class)}"

    def numbers(self, at: Comparison) -> str:
        """`accuracy 85.6 % with synthetic images, 88.9 % with the same number of repeated real images`."""
        ours, theirs = self.mean(at.arm, at.ratio), self.mean(at.against, at.ratio)
        others = _others(at.against)
        rest = abs(gain_sign(at.metric) * (ours - theirs) - at.mean_difference)
        if not rest < ROUNDING:  # their means are not known, or are of other repetitions than the pairs
            change = change_in_words(at.mean_difference, at.metric)
            return f"{self.measure} was {change} than with {others}"
        better = " (lower is better)" if at.metric in LOSSES else ""
        return f"{self.measure}{better} {_written(ours, at.metric)} with, {_written(theirs, at.metric)} with {others}"

    def mean(self, arm: str, ratio: float) -> float:
        """Of an arm at a share, or of all its shares; NaN where it is not known."""
        own = {cell.ratio: cell.mean for cell in self.cells if cell.arm == arm}
        if math.isnan(ratio):
            shares = {cell.ratio for cell in self.cells if cell.arm == self.arm}
            values = [own.get(share, own.get(0.0, math.nan)) for share in shares]
            return sum(values) / len(values) if values else math.nan
        return own.get(ratio, own.get(0.0, math.nan))


def _at(family: list[Comparison], beside: list[Comparison], verdict: Verdict, primary: float | None) -> Comparison:
    """The comparison that the line quotes: of the declared share, else what stands for all where that says the same as
    the verdict, else of the share that the verdict names."""
    if primary is not None and (own := [each for each in family if each.ratio == primary]):
        return own[0]
    if verdict.verdict in ("helps", "harms"):
        shown = above if verdict.verdict == "helps" else below
        if all(shown(overall(each)) for each in (family, beside) if each):
            return overall(family)  # what holds for all shares together says more than one of them
        wanted = -1.0 if verdict.ratio is None else verdict.ratio
        if own := [each for each in family if _place(each) == wanted]:
            return own[0]
    return overall(family)


def _counted(family: list[Comparison], primary: float | None) -> list[Comparison]:
    """All shares; where one was declared, p and interval of the others do not count."""
    if primary is None:
        return family
    return [each if each.ratio == primary else _untested(each) for each in family]


def _untested(comparison: Comparison) -> Comparison:
    return replace(comparison, low_total=math.nan, high_total=math.nan, p_corrected=math.nan)


def _place(comparison: Comparison) -> float:
    return -1.0 if comparison.is_mean else comparison.ratio


def _where(at: Comparison, family: list[Comparison], primary: float | None) -> str:
    shares = sum(not each.is_mean for each in family)
    if at.is_mean:
        return f" (mean of {shares} shares of synthetic images)"
    if primary is not None and at.ratio == primary:
        return f" (at {listed([at.ratio])}, the share declared before)"
    return f" (at {listed([at.ratio])})" if shares > 1 else ""


def _without_claim(summary: SweepSummary, config: SweepConfig) -> str:
    """Why nothing may be claimed from it; empty: it may."""
    if not config.claims:
        return "it repeats a published protocol with its flaws"
    return "" if all(check.ok for check in summary.checks) else "a check of the program on its own results failed"


def _others(against: str) -> str:
    plain = against.removesuffix("+classical") or against
    words = {
        "real": "the real images alone",
        "real+duplicates": "the same number of repeated real images",
        "replaced+duplicates": "repeated real images in their place",
    }[plain]
    return words + (", classically augmented" if against.endswith("+classical") else "")


def _written(value: float, metric: str) -> str:
    return f"{100 * value:.1f} %" if metric in IN_POINTS else f"{value:.3f}"


def _small(words: str) -> str:
    return words[:1].lower() + words[1:]
