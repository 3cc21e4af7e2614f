"""The verdict: every outcome and its words. How often it is wrong is simulated in `test_power.py`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.sweep.comparisons import Comparison, compare
from engine.sweep.verdict import PHANTOM, judge, prefixed, without_claim
from engine.sweep.verdict_words import Question
from tests.sweep.simulated_worlds import RATIOS, World, simulate, verdict_of
from tests.sweep.worlds import NULL, everywhere


def comparison(against: str, mean: float, arm: str = "real+synthetic", ratio: float = 0.5, n: int = 8) -> Comparison:
    """A difference that is certain: a narrow interval."""
    return uncertain(against, mean, 0.001, arm, ratio, n)


def uncertain(
    against: str, mean: float, half: float, arm: str = "real+synthetic", ratio: float = 0.5, n: int = 8
) -> Comparison:
    """A difference with an interval of this half-width, and a p that agrees with it."""
    low, high = mean - half, mean + half
    p = 0.03 if low > 0 or high < 0 else 0.3
    return Comparison(
        arm, ratio, against, "accuracy", mean, low, high, p / 2, p, n, 0.001, low, high, 1e-7, 1e-7, low, high
    )


def test_helps_names_the_ratio_and_the_evidence() -> None:
    verdict = verdict_of(simulate(0, World(effect=(0.0, 0.12, 0.0, 0.0))))
    assert (verdict.verdict, verdict.ratio) == ("helps", 0.5)
    assert (verdict.arm, verdict.against) == ("real+synthetic", "real+duplicates")
    assert verdict.sentence.startswith("Synthetic images help: with 50 % synthetic images added, accuracy was ")
    assert "duplicated real images (95 % interval +" in verdict.sentence
    assert "for other seeds and test images, p = " in verdict.sentence
    assert "corrected over 4 shares and their mean; 8 paired repetitions) and " in verdict.sentence
    assert " points higher than with the real images alone (+" in verdict.sentence


def test_harms_names_the_worst_ratio() -> None:
    verdict = verdict_of(simulate(0, World(effect=(0.0, -0.02, -0.08, -0.16))))
    assert (verdict.verdict, verdict.ratio) == ("harms", 1.0)
    assert "points lower than with the real images alone" in verdict.sentence


def test_one_ratio_may_help_while_another_harms() -> None:
    verdict = verdict_of(simulate(1, World(effect=(0.12, 0.0, 0.0, -0.2))))
    assert (verdict.verdict, verdict.ratio) == ("helps", 0.25)
    assert "At 100 % they harm." in verdict.sentence


@pytest.mark.parametrize(
    ("to_real", "to_duplicates", "verdict", "opening"),
    [
        (0.05, 0.05, "helps", "Synthetic images help: "),
        (0.00, 0.05, "no evidence", "Better than duplicates; not shown better than the real images alone: "),
        (-0.05, 0.05, "harms", "Synthetic images harm: "),
        (0.05, 0.00, "no evidence", "Better than the real images alone; not shown better than as many duplicated"),
        (0.00, 0.00, "no evidence", "No evidence that synthetic images help or harm: "),
        (-0.05, 0.00, "harms", "Synthetic images harm: "),
        (0.05, -0.05, "no evidence", "Worse than as many duplicated real images; not shown worse than the real"),
        (0.00, -0.05, "no evidence", "Worse than as many duplicated real images; not shown worse than the real"),
        (-0.05, -0.05, "harms", "Synthetic images harm: "),
    ],
)
def test_every_case_of_above_unclear_and_below(
    to_real: float, to_duplicates: float, verdict: str, opening: str
) -> None:
    found = judge(Question(), [uncertain("real", to_real, 0.02)], [uncertain("real+duplicates", to_duplicates, 0.02)])
    assert found.verdict == verdict
    assert found.sentence.startswith(opening)
    assert found.sentence.count("with the real images alone (") == 1, "its difference to the real images is told"
    if to_real == 0:
        assert "A gain above 2.0 points against the real images alone is excluded (95 %)." in found.sentence
    assert "repetitions would be needed" not in found.needed


def test_help_at_one_ratio_is_above_both_at_that_ratio() -> None:
    real = [uncertain("real", 0.05, 0.02, ratio=0.25), uncertain("real", 0.0, 0.02, ratio=0.5)]
    duplicates = [
        uncertain("real+duplicates", 0.0, 0.02, ratio=0.25),
        uncertain("real+duplicates", 0.05, 0.02, ratio=0.5),
    ]
    assert judge(Question(), real, duplicates).verdict == "no evidence"
    both = [duplicates[1], replace(duplicates[1], ratio=0.25)]
    assert judge(Question(), real, both).ratio == 0.25


def test_the_mean_over_the_ratios_can_carry_the_verdict() -> None:
    ratios = [uncertain("real", 0.02, 0.03, ratio=ratio) for ratio in (0.25, 0.5)]
    mean = uncertain("real", 0.02, 0.01, ratio=np.nan)
    against = [replace(each, against="real+duplicates") for each in (*ratios, mean)]
    verdict = judge(Question(), [*ratios, mean], against)
    assert (verdict.verdict, verdict.ratio) == ("helps", None)
    assert verdict.sentence.startswith("Synthetic images help: on the mean over the shares, accuracy was 2.0 points")
    worse = [replace(mean, mean_difference=-0.02, low_total=-0.03, high_total=-0.01)]
    verdict = judge(Question(), [*ratios, *worse], against[:2])
    assert (verdict.verdict, verdict.ratio) == ("harms", None)


def test_a_declared_ratio_is_judged_by_itself_and_alone() -> None:
    """Corrected for four it shows nothing; declared, its own p and interval count, and no other ratio does."""
    real = [uncertain("real", 0.02, 0.03, ratio=ratio) for ratio in RATIOS]
    duplicates = [replace(each, against="real+duplicates") for each in real]
    families = [[replace(each, low_alone=0.001, high_alone=0.039, p=0.02) for each in f] for f in (real, duplicates)]
    assert judge(Question(), *families).verdict == "no evidence"
    question = Question(primary_ratio=0.75)
    verdict = judge(question, *families)
    assert (verdict.verdict, verdict.ratio) == ("helps", 0.75)
    assert "+0.1 to +3.9 for other seeds and test images, p = 0.02; 8" in verdict.sentence
    assert verdict.sentence.endswith("That share was declared in its config; others are exploratory.")
    assert "other generators, or the same trained again, were not tried" in verdict.sentence
    declared = replace(question, declared="in its config, after 2 other sweeps had read this test set")
    assert judge(declared, *families).sentence.endswith(
        "That share was declared in its config, after 2 other sweeps had read this test set; others are exploratory."
    )
    harmful = [comparison("real", -0.2, ratio=0.25), *families[0][1:]]
    assert judge(Question(primary_ratio=0.75), harmful, families[1]).verdict == "helps"


def test_classical_augmentation_is_always_in_the_sentence() -> None:
    classical = [uncertain("real+classical", 0.004, 0.014)]
    for effect in (0.1, 0.0, -0.1):
        found = judge(Question(), [comparison("real", effect)], [comparison("real+duplicates", effect)], classical)
        assert "Against classical augmentation alone: +0.4 points, -1.0 to +1.8." in found.sentence
    few = [replace(comparison("real", 0.1), n=3)]
    quick = judge(Question(), few, [comparison("real+duplicates", 0.1)], classical)
    assert quick.sentence.startswith("Quick look, no verdict: 3 repetitions claim nothing. ")
    assert quick.sentence.endswith("Against classical augmentation alone: +0.4 points, -1.0 to +1.8.")


def test_differences_within_a_margin_that_was_set_do_not_matter() -> None:
    real = [uncertain("real", 0.0, 0.018, ratio=ratio) for ratio in RATIOS]
    duplicates = [replace(each, against="real+duplicates") for each in real]
    verdict = judge(Question(margin=0.02), real, duplicates)
    assert verdict.verdict == "no relevant difference"
    assert verdict.sentence.startswith(
        "No relevant difference: at every share, the difference to the real images alone lies within ±2.0 points"
    )
    assert judge(Question(), real, duplicates).verdict == "no evidence"
    assert judge(Question(margin=0.015), real, duplicates).verdict == "no evidence"
    wide = [*real[:3], uncertain("real", 0.0, 0.03, ratio=1.0)]
    assert judge(Question(margin=0.02), wide, duplicates).verdict == "no evidence"
    assert judge(Question(margin=0.02), [replace(each, n=5) for each in real], duplicates).verdict == "no evidence"
    assert judge(Question(margin=0.02), [uncertain("real", -0.01, 0.005)], duplicates).verdict == "harms"
    better = [uncertain("real+duplicates", 0.05, 0.01, ratio=ratio) for ratio in RATIOS]
    verdict = judge(Question(margin=0.02), real, better)
    assert verdict.verdict == "no evidence"
    assert "lies within ±2.0 points" in verdict.sentence
    worse = judge(Question(margin=0.02), real, [replace(each, low_total=-0.07, high_total=-0.05) for each in better])
    assert worse.verdict == "no relevant difference"
    assert "duplicated real images they are worse" in worse.sentence


def test_a_lucky_test_set_is_no_evidence_whatever_the_seeds_say() -> None:
    lucky = comparison("real+duplicates", 0.05)
    assert judge(Question(), [comparison("real", 0.05)], [lucky]).verdict == "helps"
    lucky = replace(lucky, low_total=-0.03, high_total=0.13, p_corrected=0.2, image_variance=0.04**2)
    verdict = judge(Question(), [replace(lucky, against="real")], [lucky])
    assert verdict.verdict == "no evidence"
    assert "95 % interval -3.0 to +13.0 for other seeds and test images, p = 0.2" in verdict.sentence
    assert verdict.needed.startswith("More test images: another test set of this size could move this difference by")
    unknown = replace(lucky, low_total=np.nan, high_total=np.nan, p_corrected=np.nan, image_variance=np.nan)
    assert judge(Question(), [comparison("real", 0.05)], [unknown]).verdict == "no evidence"


def test_no_evidence_says_which_noise_hides_smaller_differences() -> None:
    verdict = verdict_of(simulate(4, World(patients=1000, lasting=0.0, of_seed=0.3, effect=everywhere(0.002))))
    assert verdict.verdict == "no evidence"
    assert verdict.sentence.startswith("No evidence that synthetic images help or harm")
    assert "at any share (95 %)" in verdict.sentence
    assert verdict.needed.startswith("A new sweep with more repetitions, their number fixed before it starts")


def test_identical_arms_are_no_evidence() -> None:
    verdict = verdict_of(simulate(0, NULL["nothing differs"]))
    assert verdict.verdict == "no evidence"
    assert "no higher than with as many duplicated" in verdict.sentence


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_few_seeds_are_a_quick_look_that_claims_nothing(seeds: int) -> None:
    verdict = verdict_of(simulate(0, World(seeds=seeds, effect=everywhere(0.14))))
    assert verdict.verdict == "no evidence"
    assert verdict.sentence.startswith(f"Quick look, no verdict: {seeds} repetitions claim nothing. ")


def test_one_seed_is_a_quick_look_too() -> None:
    verdict = verdict_of(simulate(0, World(seeds=1)))
    assert verdict.sentence.startswith("Quick look, no verdict: 1 repetition claims nothing. ")


def test_six_seeds_can_claim_what_is_large() -> None:
    assert verdict_of(simulate(0, World(seeds=6, patients=300, effect=everywhere(0.14)))).verdict == "helps"


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
    (to_b,) = compare(trials, "a", "b", "accuracy")
    assert (to_b.n, to_b.mean_difference) == (2, pytest.approx(0.15))
    assert to_b.spread == pytest.approx(np.std([0.1, 0.2], ddof=1))
    (to_c,) = compare(trials, "a", "c", "accuracy")
    assert (to_c.n, to_c.mean_difference) == (1, pytest.approx(0.4))
    assert compare(trials, "a", "absent", "accuracy") == []


def test_comparisons_hold_both_intervals() -> None:
    sweep = simulate(0, World(lasting=1.5))
    trials, parts = sweep.table, sweep.parts
    found = compare(trials, "real+synthetic", "real+duplicates", "accuracy", parts)
    assert [each.ratio for each in found[:-1]] == list(RATIOS)
    assert found[-1].is_mean
    assert found[-1].mean_difference == pytest.approx(np.mean([each.mean_difference for each in found[:-1]]))
    for each in found:
        assert each.low_total < each.low_alone < each.low < each.high < each.high_alone < each.high_total
        assert each.p <= each.p_corrected
    alone = compare(trials[trials["ratio"].isin((0.0, 0.5))], "real+synthetic", "real+duplicates", "accuracy", parts)
    assert (alone[0].p, alone[0].low_alone) == (alone[0].p_corrected, alone[0].low_total)
    assert len(alone) == 1, "one ratio is its own mean"
    assert np.isnan(compare(trials, "real+synthetic", "real", "accuracy")[0].low_total)


def test_seeds_without_one_of_the_ratios_count_for_none() -> None:
    sweep = simulate(0, World())
    trials, parts = sweep.table, sweep.parts
    lost = (trials["arm"] == "real+synthetic") & (trials["ratio"] == 0.5) & (trials["seed"] == 3)
    found = compare(trials.assign(accuracy=trials["accuracy"].mask(lost)), "real+synthetic", "real", "accuracy", parts)
    assert [each.n for each in found] == [7] * 5
