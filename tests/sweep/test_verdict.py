"""The verdict: every outcome and its words. How often it is wrong is simulated in `test_power.py`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.sweep.comparisons import Comparison, compare, paired_differences
from engine.sweep.verdict import PHANTOM, Question, judge, prefixed, without_claim
from tests.sweep.simulated import RATIOS, simulate, verdict_of


def comparison(against: str, mean: float, arm: str = "real+synthetic", ratio: float = 0.5, n: int = 8) -> Comparison:
    """A difference that is certain: a narrow interval and the smallest p."""
    low, high, p = mean - 0.001, mean + 0.001, 2.0 ** (1 - n)
    return Comparison(arm, ratio, against, "accuracy", mean, low, high, p, p, n, 0.001, low, high, 1e-7, 1e-7)


def test_helps_names_the_ratio_and_the_evidence() -> None:
    verdict = verdict_of(simulate(0, {0.5: 0.12}))
    assert (verdict.verdict, verdict.ratio) == ("helps", 0.5)
    assert (verdict.arm, verdict.against) == ("real+synthetic", "real+duplicates")
    assert verdict.sentence.startswith("Synthetic images help: with 50 % synthetic images added, accuracy was ")
    assert "duplicated real images (95 % interval +" in verdict.sentence
    assert "for other seeds and test images, 4 shares together" in verdict.sentence
    assert "8 paired repetitions" in verdict.sentence


def test_harms_names_the_worst_ratio() -> None:
    verdict = verdict_of(simulate(0, {0.25: 0.0, 0.5: -0.02, 0.75: -0.08, 1.0: -0.16}))
    assert (verdict.verdict, verdict.ratio) == ("harms", 1.0)
    assert "points lower than with the real images alone" in verdict.sentence


def test_one_ratio_may_help_while_another_harms() -> None:
    verdict = verdict_of(simulate(1, {0.25: 0.12, 0.5: 0.0, 0.75: 0.0, 1.0: -0.2}))
    assert (verdict.verdict, verdict.ratio) == ("helps", 0.25)
    assert "At 100 % they harm." in verdict.sentence


def test_better_than_harmful_duplicates_but_worse_than_the_reals_is_no_help() -> None:
    assert judge(Question(), [comparison("real", 0.01)], [comparison("real+duplicates", 0.1)]).verdict == "helps"
    verdict = judge(Question(), [comparison("real", -0.1)], [comparison("real+duplicates", 0.1)])
    assert verdict.verdict == "harms"


def test_a_lucky_test_set_is_no_evidence_whatever_the_seeds_say() -> None:
    """Eight seeds that agree give p = 0.0078; the interval for other test images decides."""
    lucky = comparison("real+duplicates", 0.05)
    assert judge(Question(), [comparison("real", 0.05)], [lucky]).verdict == "helps"
    lucky = replace(lucky, low_total=-0.03, high_total=0.13, image_variance=0.04**2)
    verdict = judge(Question(), [comparison("real", 0.05)], [lucky])
    assert verdict.verdict == "no evidence"
    assert "95 % interval -3.0 to +13.0 for other seeds and test images" in verdict.sentence
    assert "times as many test images would be needed" in verdict.needed
    assert "more repetitions alone cannot" in verdict.needed
    unknown = replace(lucky, low_total=np.nan, high_total=np.nan, image_variance=np.nan)
    assert judge(Question(), [comparison("real", 0.05)], [unknown]).verdict == "no evidence"


def test_no_evidence_says_what_would_be_needed() -> None:
    verdict = verdict_of(simulate(3, dict.fromkeys(RATIOS, 0.01), patients=1000, lasting=0.0))
    assert verdict.verdict == "no evidence"
    assert verdict.sentence.startswith("No evidence that synthetic images help or harm")
    assert "repetitions" in verdict.needed


def test_identical_arms_are_no_evidence() -> None:
    trials, parts = simulate(0)
    trials["accuracy"] = 0.8
    still = {cell: {seed: np.zeros(100) for seed in of_cell} for cell, of_cell in parts.items()}
    verdict = verdict_of((trials, still))
    assert verdict.verdict == "no evidence"
    assert "no higher than with as many duplicated" in verdict.sentence


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_few_seeds_are_a_quick_look_that_claims_nothing(seeds: int) -> None:
    verdict = verdict_of(simulate(0, dict.fromkeys(RATIOS, 0.14), seeds=seeds))
    assert verdict.verdict == "no evidence"
    assert verdict.sentence.startswith(f"A quick look with {seeds} repetitions claims nothing")


def test_one_seed_is_a_quick_look_too() -> None:
    verdict = verdict_of(simulate(0, seeds=1))
    assert verdict.sentence.startswith("A quick look with 1 repetition claims nothing")


def test_six_seeds_and_four_ratios_cannot_claim_and_say_so() -> None:
    verdict = verdict_of(simulate(0, dict.fromkeys(RATIOS, 0.14), seeds=6))
    assert verdict.verdict == "no evidence"
    assert "at least 8 repetitions, or fewer ratios" in verdict.needed


def test_without_duplicates_no_help_is_claimed_but_harm_is_seen() -> None:
    helped = judge(Question(), [comparison("real", 0.1)], [])
    assert helped.verdict == "no evidence"
    assert "control of duplicated real images" in helped.sentence
    assert helped.needed == "A sweep with the arm real+duplicates."
    assert judge(Question(), [comparison("real", -0.1)], []).verdict == "harms"
    assert judge(Question(), [], []).ratio is None


def test_synthetic_images_alone_can_only_be_seen_to_harm() -> None:
    question = Question(arm="synthetic")
    better = judge(question, [comparison("real", 0.1, "synthetic")], [])
    assert better.verdict == "no evidence"
    assert better.needed == "A sweep in which they are added to the real images."
    worse = judge(question, [comparison("real", -0.1, "synthetic")], [])
    assert worse.verdict == "harms"
    assert "with synthetic images alone, 50 % as many as real ones, accuracy was 10.0 points lower" in worse.sentence


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (Question(arm="replaced+synthetic"), "with 50 % of the real images replaced by synthetic ones, accuracy was "),
        (Question(arm="replaced+synthetic"), "with as many real images replaced by duplicates of the others ("),
        (Question(arm="real+synthetic+classical"), "all with classical augmentation, accuracy was "),
        (Question(arm="real+synthetic+classical"), "duplicated real images and classical augmentation ("),
        (Question(extra_classes=("melanoma",)), "with 50 % synthetic images added to melanoma, accuracy was "),
        (Question(fills_gap=True), "with 50 % of what a class lacks to the largest added as synthetic images"),
        (Question(level="patient"), "accuracy by patient was 10.0 points higher"),
    ],
)
def test_the_sentence_says_what_was_compared(question: Question, words: str) -> None:
    to_baseline = [comparison(question.baseline, 0.1, question.arm)]
    to_control = [comparison(str(question.control), 0.1, question.arm)]
    assert words in judge(question, to_baseline, to_control).sentence


def test_ranking_metrics_are_not_written_in_points() -> None:
    to_real = replace(comparison("real", 0.02), metric="auroc")
    to_control = replace(comparison("real+duplicates", 0.02), metric="auroc")
    sentence = judge(Question(metric="auroc"), [to_real], [to_control]).sentence
    assert "AUROC was 0.020 higher than" in sentence
    assert "+0.019 to +0.021" in sentence


def test_what_departs_from_the_sound_protocol_takes_the_claim_away() -> None:
    verdict = judge(Question(), [comparison("real", 0.1)], [comparison("real+duplicates", 0.1)])
    voided = without_claim(verdict, ["It repeats a publication.", "It ran for epochs.", "It has a leak."], "No leak.")
    assert voided.verdict == "no evidence"
    assert voided.sentence.startswith("It repeats a publication. It ran for epochs. It has a leak. What it shows, ")
    assert voided.needed == "No leak."
    assert "help:" not in voided.sentence
    assert "accuracy was 10.0 points higher" in voided.sentence


def test_the_phantom_is_always_called_one() -> None:
    for effect in (0.1, 0.0, -0.1):
        verdict = prefixed(judge(Question(), [comparison("real", effect)], []), PHANTOM)
        assert verdict.sentence.startswith("On the drawn phantom, which says nothing about patients: ")


def test_differences_are_paired_by_seed_at_the_same_ratio() -> None:
    trials = pd.DataFrame(
        [("a", 0.5, 1, 0.9), ("a", 0.5, 0, 0.6), ("b", 0.5, 0, 0.5), ("b", 0.5, 1, 0.7), ("b", 1.0, 0, 0.0),
         ("c", 0.0, 1, 0.5), ("a", 0.5, 2, 0.1), ("c", 0.0, 2, np.nan)],
        columns=["arm", "ratio", "seed", "accuracy"],
    )  # fmt: skip
    assert paired_differences(trials, "a", 0.5, "b", "accuracy") == pytest.approx([0.1, 0.2])
    assert paired_differences(trials, "a", 0.5, "c", "accuracy") == pytest.approx([0.4])
    assert len(paired_differences(trials, "a", 0.5, "absent", "accuracy")) == 0


def test_comparisons_hold_both_intervals() -> None:
    trials, parts = simulate(0, lasting=1.5)
    found = compare(trials, "real+synthetic", "real+duplicates", "accuracy", parts)
    assert [comparison.ratio for comparison in found] == list(RATIOS)
    for comparison_ in found:
        assert comparison_.low_total < comparison_.low < comparison_.high < comparison_.high_total
    assert np.isnan(compare(trials, "real+synthetic", "real", "accuracy")[0].low_total)


def test_a_difference_that_neither_more_seeds_nor_more_images_alone_can_tell_says_so() -> None:
    """As 2.7 points on 101 images with 8 seeds: both noises are as large as the margin."""
    numbers = {"low": 0.009, "high": 0.042, "p": 0.031, "p_holm": 0.125, "n": 8, "spread": 0.024}
    total = {"low_total": -0.013, "high_total": 0.068, "seed_variance": 7.2e-5, "image_variance": 1.6e-4}
    found = [
        Comparison("real+synthetic", ratio, "real+duplicates", "accuracy", 0.027, **numbers, **total)
        for ratio in RATIOS
    ]
    verdict = judge(Question(), found, found)
    assert verdict.verdict == "no evidence"
    assert verdict.needed.startswith("More repetitions and more test images, both, would be needed")
