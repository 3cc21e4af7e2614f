"""The headline quotes what decides, over all shares, whatever the kindest number would have said."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from engine.configs import SweepConfig
from engine.sweep.checks import Check
from engine.sweep.comparisons import Comparison
from engine.sweep.headline import Headline, headline, sweep_result
from engine.sweep.power import Detectable
from engine.sweep.results import SweepResult
from engine.sweep.summary_model import Cell, Classifier, RealNoise, SweepSummary, TestNoise
from engine.sweep.tally import overall, tally
from engine.sweep.verdict import judge
from engine.sweep.verdict_words import Question

SHARES = (0.25, 0.5, 0.75, 1.0)
ARM, REAL, REPEATED = "real+synthetic", "real", "real+duplicates"


def family(
    against: str, differences: Sequence[float], half: float = 0.12, n: int = 8, metric: str = "accuracy"
) -> list[Comparison]:
    """Differences at the shares and their mean, each with an interval that wide; significant where it leaves 0 out."""
    values = [*differences, sum(differences) / len(differences)][: len(differences) + (len(differences) > 1)]
    return [
        Comparison(
            ARM, ratio, against, metric, value, value - half, value + half,
            p=0.3 if abs(value) < half / 2 else 0.01, p_corrected=0.4 if abs(value) < half else 0.01, n=n, spread=0.02,
            low_total=value - half, high_total=value + half, low_alone=value - half / 2, high_alone=value + half / 2,
            seed_variance=1e-4, image_variance=1e-4,
        )
        for ratio, value in zip([*SHARES[: len(differences)], math.nan], values, strict=False)
    ]  # fmt: skip


def told(
    to_real: Sequence[float], to_repeated: Sequence[float], half: float = 0.12, n: int = 8, **changes: Any
) -> Headline:
    """The headline of a sweep with these differences."""
    return headline(*swept(to_real, to_repeated, half, n, **changes))


def swept(
    to_real: Sequence[float],
    to_repeated: Sequence[float],
    half: float = 0.12,
    n: int = 8,
    metric: str = "accuracy",
    primary_ratio: float | None = None,
    **changes: Any,
) -> tuple[SweepSummary, SweepConfig]:
    real, repeated = (
        family(against, differences, half, n, metric) if differences else []
        for against, differences in ((REAL, to_real), (REPEATED, to_repeated))
    )
    shares = SHARES[: len(to_real)]
    arms = (REAL, *([REPEATED] if to_repeated else []), ARM)
    config = SweepConfig(
        name="s", dataset="d", pool="p", seeds=n, arms=arms, ratios=shares, metric=metric, primary_ratio=primary_ratio
    )
    sign = -1 if metric == "brier" else 1
    cells = [(REAL, 0.0, 0.85), *((ARM, s, 0.85 + sign * d) for s, d in zip(shares, to_real, strict=True))]
    for share, ours, theirs in zip(shares, to_real, to_repeated, strict=False):
        cells.append((REPEATED, share, 0.85 + sign * (ours - theirs)))
    summary = SweepSummary(
        dataset="d",
        classifier=Classifier(name="small-cnn"),
        classes=["bleed", "normal"],
        metric=metric,
        majority_accuracy=0.6,
        n_train=80,
        n_valid=30,
        n_test=100,
        seeds=n,
        steps=300,
        batch=32,
        detectable=Detectable(half_width=0.13, n_test=30, difference=0.2, limited_by="test images"),
        comparisons=tuple(each for each in (*real, *repeated) if not each.is_mean),
        averages=tuple(each for each in (*real, *repeated) if each.is_mean),
        cells=tuple(
            Cell(arm=arm, ratio=ratio, n=n, metric=metric, mean=mean, low=math.nan, high=math.nan, n_real=80,
                 n_synthetic=0, means={})
            for arm, ratio, mean in cells
        ),
        primary_arm=ARM,
        test_noise=TestNoise(real=RealNoise(mean=0.8, low=0.7, high=0.9)),
        verdict=judge(Question(metric=metric, primary_ratio=primary_ratio), real, repeated),
    )  # fmt: skip
    return summary.model_copy(update=changes), config


CHEST = ((-0.023, -0.086, -0.035, -0.095), (0.0, -0.062, -0.01, -0.071))


def test_all_shares_below_are_told_as_below() -> None:
    found = told(*CHEST)
    assert (found.word, found.tone) == ("No evidence", "no evidence")
    assert found.line == (
        "Adding synthetic images was not shown to help, nor to harm: accuracy 79.0 % with, 82.6 % with the same number "
        "of repeated real "
        "images (mean of 4 shares of synthetic images)."
    )
    assert found.tallies == (
        "Against the same number of repeated real images: lower at 3 of 4 shares of synthetic "
        "images (by share -7.1 to +0.0 points), not "
        "significant.",
        "Against the real images alone: lower at 4 of 4 shares of synthetic images "
        "(by share -9.5 to -2.3 points), not significant.",
    )
    verdict = swept(*CHEST)[0].verdict
    assert "at best" not in verdict.sentence and "no higher" not in verdict.sentence
    all_lower = "lower at 4 of 4 shares of synthetic images (by share -9.5 to -2.3 points), not significant"
    assert all_lower in verdict.sentence
    assert "on the mean over the shares, accuracy was 3.6 points lower than with as many duplicated" in verdict.sentence


def test_a_quick_look_quotes_the_control_that_decides_and_gives_no_verdict() -> None:
    """Above the real images alone and below the repeated ones: the second decides."""
    found = told((0.011,), (-0.033,), n=3)
    assert found.word == "Quick look, no verdict"
    so_far = "accuracy 86.1 % with, 89.4 % with the same number of repeated real images."
    assert found.line == f"3 repetitions claim nothing. So far: {so_far}"
    assert [row.against for row in found.rows] == [REPEATED, REAL]
    summary, config = swept((0.011,), (-0.033,), n=3)
    sentence = summary.verdict.sentence
    assert sentence.startswith(
        "Quick look, no verdict: 3 repetitions claim nothing. With 25 % synthetic images added, "
    )
    assert sentence.index("3.3 points lower than with as many duplicated") < sentence.index("1.1 points higher than")
    result = sweep_result(summary, config)
    assert result.shown == "quick look, no verdict" and "1.1 points" not in result.headline


@pytest.mark.parametrize("kindest", range(4))
def test_the_kindest_share_is_never_the_headline(kindest: int) -> None:
    """Wherever the one share stands that is above both controls, what is read first says that no help was shown."""
    to_real = [0.06 if place == kindest else -0.05 for place in range(4)]
    found = told(to_real, [value - 0.01 for value in to_real])
    assert "was not shown to help, nor to harm" in found.line
    assert "mean of 4 shares of synthetic images" in found.line
    mixed = "higher at 1 of 4 shares of synthetic images, lower at 3 (by share -6.0 to +5.0 points), not significant"
    assert mixed in found.tallies[0]
    assert found.rows[0].is_mean and found.rows[0].mean_difference < 0


def test_a_gain_that_luck_could_bring_was_not_shown() -> None:
    found = told((0.02, 0.03), (0.03, 0.04))
    assert found.word == "No evidence"
    assert "was not shown to help: accuracy 87.5 % with, 84.0 % with" in found.line
    both = "higher at 2 of 2 shares of synthetic images (by share +3.0 to +4.0 points), not significant"
    assert both in found.tallies[0]


def test_help_is_told_of_all_shares_where_it_holds_for_them_together() -> None:
    everywhere = told((0.05, 0.06, 0.2, 0.07), (0.05, 0.06, 0.2, 0.07), half=0.02)
    assert (everywhere.word, everywhere.tone) == ("Helps", "helps")
    assert "helped: accuracy 94.5 % with, 85.0 % with" in everywhere.line
    assert "mean of 4 shares of synthetic images" in everywhere.line
    once = told((0.0, 0.0, 0.2, -0.1), (0.0, 0.0, 0.2, -0.1), half=0.08)
    assert once.word == "Helps" and "(at 75 %)" in once.line
    assert (
        "higher at 1 of 4 shares of synthetic images, lower at 1 "
        "(by share -10.0 to +20.0 points), significant at 75 %, 100 % alone" in (once.tallies[0])
    )


def test_harm_is_told_against_the_real_images_alone() -> None:
    found = told((-0.1, -0.2), (0.01, 0.01), half=0.05)
    assert (found.word, found.tone) == ("Harms", "harms")
    assert "harmed: accuracy 70.0 % with, 85.0 % with the real images alone (mean of 2 shares" in found.line
    assert [row.against for row in found.rows] == [REAL, REPEATED]


def test_without_the_control_nobody_can_tell() -> None:
    found = told((0.2,), (), half=0.05)
    assert found.word == "No evidence"
    assert (
        "helps cannot be told without the control of repeated real images: accuracy 105.0 % with, 85.0 %" in found.line
    )


def test_one_training_has_neither_interval_nor_p() -> None:
    found = told((0.05, 0.05), (0.04, 0.04), n=1)
    assert found.word == "Quick look, no verdict" and found.line.startswith("1 repetition claims nothing. ")
    assert "from one training of each, which cannot be told from luck" in found.tallies[0]
    assert all(math.isnan(value) for row in found.rows for value in (row.low, row.low_total, row.p, row.p_corrected))
    assert "+4.0 to +4.0" not in swept((0.05,), (0.04,), n=1)[0].verdict.sentence


def test_a_share_that_was_declared_stands_for_itself() -> None:
    found = told((0.01, 0.09, 0.01, 0.01), (0.01, 0.09, 0.01, 0.01), half=0.1, primary_ratio=0.5)
    assert found.rows[0].low_total == pytest.approx(0.04), "its own interval, not that for all shares"
    assert "(at 50 %, the share declared before)" in found.line
    assert found.tallies[0].endswith("(by share +1.0 to +9.0 points), significant at 50 % alone.")


def test_of_a_loss_less_is_better() -> None:
    found = told((-0.05, -0.06), (-0.05, -0.04), metric="brier")
    assert "the Brier score (lower is better) 0.905 with, 0.860 with the same number" in found.line
    assert "worse at 2 of 2 shares of synthetic images (by share -0.050 to -0.040), not significant" in found.tallies[0]


def test_what_may_not_be_claimed_is_no_verdict() -> None:
    failed = Check(id="leak", name="leak", ok=False, sentence="3 of 24 test images are known.")
    found = told((0.2, 0.2), (0.2, 0.2), half=0.02, checks=(failed,))
    assert (found.word, found.tone) == ("No verdict", "no verdict")
    assert "helped" not in found.line and "a check of the program on its own results failed" in found.line
    control = told((0.2, 0.2), (0.2, 0.2), half=0.02, control="noise")
    assert (control.word, control.tone) == ("Control: helps", "control")
    assert "Adding noise helped" in control.line and "no result on synthetic images" in control.notes[0]


def test_a_claim_of_an_earlier_look_is_not_told_with_the_numbers_of_now() -> None:
    summary, config = swept((0.01, 0.01), (0.01, 0.01))
    earlier = replace(summary.verdict, verdict="helps", ratio=0.5)
    found = headline(summary.model_copy(update={"verdict": earlier}), config)
    assert "helped, by an earlier look. With all 8 repetitions: accuracy 86.0 % with" in found.line


def test_means_that_are_not_those_of_the_pairs_are_not_shown() -> None:
    summary, config = swept((-0.03,), (-0.03,))
    found = headline(summary.model_copy(update={"cells": ()}), config)
    assert (
        "was not shown to help, nor to harm: accuracy was 3.0 points lower than with the same number of repeated real"
        in found.line
    )


def test_a_tally_counts_every_share_and_names_what_is_significant() -> None:
    assert tally(family(REAL, (0.0002, -0.0003), 0.1)) == "the same at 2 of 2 shares of synthetic images"
    some = tally(family(REAL, (-0.2, -0.01), 0.05))
    assert some == (
        "lower at 2 of 2 shares of synthetic images (by share -20.0 to -1.0 points), significant at 25 % alone"
    )
    on_mean = [replace(each, p_corrected=0.2) if not each.is_mean else each for each in family(REAL, (0.1, 0.1), 0.05)]
    assert tally(on_mean).endswith("significant on their mean alone")
    assert tally(family(REAL, (0.033,), 0.1)) == "3.3 points higher (-6.7 to +13.3), not significant"
    assert overall(family(REAL, (0.1, -0.1, 0.2))[:3]).mean_difference == -0.1, "without a mean never the kindest"


def test_lists_of_before_know_a_quick_look_by_its_sentence() -> None:
    old = SweepResult(verdict="no evidence", sentence="On the phantom: a quick look with 3 repetitions claims nothing.")
    assert old.shown == "quick look, no verdict"
    assert SweepResult(verdict="harms", sentence="Synthetic images harm.", control="noise").shown == "control: harms"
