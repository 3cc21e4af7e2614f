"""The verdict: synthetic images help, harm, make no relevant difference, or there is no evidence for any of these.

*helps* at a ratio, or on the mean over the ratios: the difference to the duplicated reals **and** that to the real
images alone lie above 0, and the same ratio does not harm. Both must hold, so that neither spends the other's alpha
(Berger 1982). *harms*: a difference to the real images lies below 0. *no relevant difference*: all differences to the
real images lie within a margin that the config names. "Lie" is said of 95 % intervals for the luck of the
seeds and of the test patients that hold for all ratios and their mean together (`max_t.py`), or for the one ratio
that the config declares; when that was, the ledger of the test set says (`standing.py`). Fewer than 6 paired seeds are
a quick look and claim nothing. See docs/protocol.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from engine.sweep.comparisons import Comparison
from engine.sweep.statistics import QUICK_LOOK_BELOW
from engine.sweep.tally import above as _above
from engine.sweep.tally import below as _below
from engine.sweep.tally import overall, tally
from engine.sweep.verdict_words import (
    Question,
    amount,
    at_ratios,
    brief_evidence,
    capitalised,
    change_in_words,
    compared,
    evidence,
    interval_ends,
    level,
    others_in_words,
    repetitions,
    signed_amount,
)

RULE = (
    "two-way t with the luck of the patients bounded, max-t over the ratios and their mean; above the duplicates and "
    "above the real images"
)
FORMER_RULE = "sign flip of the seeds (Holm) and intervals for seeds and images; above the duplicates"
"""What sweeps of before were judged by."""

ABOVE_REAL = "Better than the real images alone"
ONE_GENERATOR = "This is about the images of this pool; other generators, or the same trained again, were not tried."
QUICK_LOOK = "Quick look, no verdict"
PHANTOM = "On the drawn phantom, which says nothing about patients: "
EXPLORATORY = "Exploratory, for the verdict is about another arm: "


@dataclass(frozen=True)
class Verdict:
    """What the sweep found; `ratio` is the one in the sentence (None: their mean), `needed` what would settle more."""

    verdict: Literal["helps", "harms", "no relevant difference", "no evidence"]
    sentence: str
    needed: str = ""
    ratio: float | None = None
    arm: str | None = None
    against: str | None = None
    """The arm that the sentence compares with."""
    claims: bool = True
    """Whether the protocol and the program's checks leave room for a claim."""


@dataclass(frozen=True)
class _Found:
    """The comparisons that count, and the question in whose words they are told."""

    question: Question
    to_baseline: list[Comparison]
    to_control: list[Comparison]
    to_classical: list[Comparison]
    declared: bool
    """Whether there were other ratios, which were declared not to count."""

    def verdict(
        self,
        verdict: Literal["helps", "harms", "no relevant difference", "no evidence"],
        opening: str,
        at: Comparison,
        then: Sequence[Comparison] = (),
        needed: str = "",
        more: Sequence[str] = (),
    ) -> Verdict:
        """`opening` and the difference `at`, that to others at the same ratio, and more sentences."""
        several = len(self.to_baseline) - 1
        parts = [f"{compared(at, self.question)} ({evidence(at, several, self.question)})"]
        for each in then:
            change = change_in_words(each.mean_difference, self.question.metric)
            parts.append(f"{change} than {others_in_words(each.against)} ({brief_evidence(each)})")
        sentences = [f"{opening}{' and '.join(parts)}.", *_share_by_share(self.to_control, self.to_baseline)]
        sentences += [*more, *_beside_classical(at, self.to_classical)]
        if verdict != "no evidence" and at.generators == 1:
            sentences.append(ONE_GENERATOR)
        if self.declared:
            sentences.append(f"That share was declared {self.question.declared}; others are exploratory.")
        ratio = None if at.is_mean else at.ratio
        return Verdict(verdict, " ".join(sentences), needed, ratio, self.question.arm, at.against)


def judge(
    question: Question,
    to_baseline: list[Comparison],
    to_control: list[Comparison],
    to_classical: Sequence[Comparison] = (),
) -> Verdict:
    """The verdict on a synthetic arm from its comparisons with its baseline and its control, each as `compare` makes
    them; those with `real+classical`, the practical alternative, are told beside it.
    """
    arm, baseline = question.arm, question.baseline
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
        return _quick_look(question, n, to_baseline, to_control, to_classical)
    declared = len(to_baseline) > 1 and any(each.ratio == question.primary_ratio for each in to_baseline)
    if declared:
        to_baseline, to_control, to_classical = (
            [_by_itself(each) for each in family if each.ratio == question.primary_ratio]
            for family in (to_baseline, to_control, to_classical)
        )
    return _judged(_Found(question, list(to_baseline), list(to_control), list(to_classical), declared))


def _quick_look(
    question: Question,
    n: int,
    to_baseline: list[Comparison],
    to_control: list[Comparison],
    to_classical: Sequence[Comparison],
) -> Verdict:
    """What few repetitions gave, against the control that would decide, over all shares; nothing is claimed."""
    deciding = to_control or to_baseline
    at = overall([each for each in deciding if each.ratio == question.primary_ratio] or deciding)
    beside = [each for each in to_baseline if to_control and _place(each) == _place(at)]
    told = [
        compared(at, question),
        *(
            f"{change_in_words(each.mean_difference, question.metric)} than {others_in_words(each.against)}"
            for each in beside
        ),
    ]
    return Verdict(
        "no evidence",
        " ".join(
            [
                f"{QUICK_LOOK}: {repetitions(n)} claim{'s' * (n == 1)} nothing. {capitalised(' and '.join(told))}.",
                *_share_by_share(to_control, to_baseline),
                *_beside_classical(at, to_classical),
            ]
        ),
        f"At least {QUICK_LOOK_BELOW} repetitions, better 8: how much fewer of them vary is too poorly known.",
        None if at.is_mean else at.ratio,
        question.arm,
        at.against,
    )


def _share_by_share(*families: Sequence[Comparison]) -> list[str]:
    """At how many of several shares an arm was higher and lower than each of its controls."""
    return [
        f"{capitalised(others_in_words(rows[0].against).replace('with', 'against', 1))}: {tally(rows)}."
        for rows in families
        if sum(not each.is_mean for each in rows) > 1
    ]


def _judged(found: _Found) -> Verdict:
    question, to_baseline, to_control = found.question, found.to_baseline, found.to_control
    harmful = {_place(each): each for each in to_baseline if _below(each)}
    better = {_place(each) for each in to_baseline if _above(each)}
    above = [each for each in to_control if _above(each)]
    helpful = [each for each in above if _place(each) in better]
    if helpful:
        best = _best(helpful)
        return found.verdict(
            "helps",
            "Synthetic images help: ",
            best,
            [each for each in to_baseline if _place(each) == _place(best)],
            "A second data set or another hospital's images, before anybody relies on it.",
            [f"{at_ratios(list(harmful.values()))} they harm."] if harmful else [],
        )
    if harmful:
        worst = min(harmful.values(), key=lambda each: each.mean_difference)
        return found.verdict(
            "harms", "Synthetic images harm: ", worst, needed="Better synthetic images, or a smaller share of them."
        )
    same, usual = _equivalent(found), overall(to_baseline)
    if same and not above:
        worse = [each for each in to_control if _below(each)]
        told = "Against as many duplicated real images they are worse"
        more = [f"{told} ({brief_evidence(_worst(worse))})."] if worse else []
        return found.verdict("no relevant difference", f"No relevant difference: {same}; ", usual, more=more)
    needed, limit = _needed(usual, question), _excluded(found)
    if not to_control:
        return found.verdict(
            "no evidence",
            "No evidence that synthetic images harm; whether they help cannot be told without the control of "
            "duplicated real images: ",
            usual,
            needed=f"A sweep with the arm {question.control}."
            if question.control
            else "A sweep in which they are added to the real images.",
            more=limit,
        )
    if above:
        best = _best(above)
        within = [f"{capitalised(same)}."] if same else []
        return found.verdict(
            "no evidence",
            "Better than duplicates; not shown better than the real images alone: ",
            best,
            [each for each in to_baseline if _place(each) == _place(best)],
            needed,
            [*within, *limit],
        )
    if worse := [each for each in to_control if _below(each)]:
        at = _worst(worse)
        return found.verdict(
            "no evidence",
            "Worse than as many duplicated real images; not shown worse than the real images alone: ",
            at,
            [each for each in to_baseline if _place(each) == _place(at)],
            "Better synthetic images: repeating real ones does more.",
            limit,
        )
    if better:
        at = _best([each for each in to_baseline if _place(each) in better])
        return found.verdict(
            "no evidence",
            f"{ABOVE_REAL}; not shown better than as many duplicated real images: ",
            at,
            [each for each in to_control if _place(each) == _place(at)],
            needed,
        )
    usual = overall(to_control)
    return found.verdict(
        "no evidence",
        "No evidence that synthetic images help or harm: ",
        usual,
        [each for each in to_baseline if _place(each) == _place(usual)],
        needed,
        limit,
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


def _equivalent(found: _Found) -> str:
    """That all differences to the real images lie within the margin; empty where they do not, or none was set."""
    margin = found.question.margin
    inside = [each for each in found.to_baseline if not each.is_mean]
    if margin is None or any(
        not (-margin < each.low_total < each.high_total < margin)  # equal ends: nothing differed, nothing is known
        for each in inside
    ):
        return ""
    where = "at this share" if len(inside) == 1 else "at every share"
    return (
        f"{where}, the difference to {others_in_words(found.question.baseline).removeprefix('with ')} lies within "
        f"±{amount(margin, found.question.metric)}, the margin set {found.question.declared}"
    )


def _excluded(found: _Found) -> list[str]:
    """How large a gain would have been seen: the upper end of the intervals against the real images."""
    rows = [each for each in found.to_baseline if not each.is_mean]
    highest = max((each.high_total for each in rows if each.high_total > each.low_total), default=math.nan)
    if not highest > 0:
        return []
    where = f"{' at any share' * (len(rows) > 1)} ({level(rows[0])})"
    return [
        f"A gain above {amount(highest, found.question.metric)} against "
        f"{others_in_words(found.question.baseline).removeprefix('with ')} is excluded{where}."
    ]


def _needed(best: Comparison, question: Question) -> str:
    """Which noise hides a smaller difference, and how not to look for it."""
    if not math.isfinite(best.image_variance):
        return ""
    if best.image_variance + best.seed_variance == 0:
        return "A harder test, or more test images: on these the arms hardly differ."
    units = "patients" if question.level == "patient" else "test images"
    half = amount(1.96 * math.sqrt(best.image_variance), question.metric)
    if best.image_variance > best.seed_variance:
        return (
            f"More {units}: another test set of this size could move this difference by about {half} either way, and "
            "four times as many would halve that; more repetitions would not."
        )
    return (
        "A new sweep with more repetitions, their number fixed before it starts: adding some to this one until it "
        "claims something would find what is not there."
    )


def _beside_classical(at: Comparison, to_classical: Sequence[Comparison]) -> list[str]:
    """The difference to the practical alternative at the same ratio, where that arm is there."""
    for each in to_classical:
        if _place(each) == _place(at):
            low, high = interval_ends(each)
            ends = f", {low} to {high}" if each.n > 1 else ""  # one repetition has no interval
            return [f"Against classical augmentation alone: {signed_amount(each.mean_difference, each.metric)}{ends}."]
    return []


def _by_itself(comparison: Comparison) -> Comparison:
    """Uncorrected, as the one that was declared."""
    return replace(
        comparison,
        p_corrected=comparison.p,
        low_total=comparison.low_alone,
        high_total=comparison.high_alone,
    )


def _place(comparison: Comparison) -> float:
    """The ratio; -1 for the mean over the ratios, for NaN equals nothing."""
    return -1.0 if comparison.is_mean else comparison.ratio


def _best(comparisons: list[Comparison]) -> Comparison:
    """The largest, of those at a ratio where there is one."""
    return max(comparisons, key=lambda each: (not each.is_mean, each.mean_difference))


def _worst(comparisons: list[Comparison]) -> Comparison:
    return min(comparisons, key=lambda each: (each.is_mean, each.mean_difference))
