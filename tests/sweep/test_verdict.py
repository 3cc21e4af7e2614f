"""The verdict: every outcome, its words, and how often it is wrong on simulated sweeps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from engine.sweep.comparisons import compare, paired_differences
from engine.sweep.verdict import Verdict, judge

RATIOS = (0.25, 0.5, 0.75, 1.0)


def simulate(
    seed: int, effect: dict[float, float] | None = None, seeds: int = 8, n_test: int = 100, duplicates: float = 0.0
) -> pd.DataFrame:
    """Accuracies of a sweep: luck shared by all arms of a seed, luck of each trial, whole test images.

    `effect` is what synthetic images add at a ratio, `duplicates` what duplicated reals add at any.
    """
    rng = np.random.default_rng(seed)
    shared = rng.normal(0, 0.02, seeds)
    rows = []
    for arm, ratio in [
        ("real", 0.0),
        *(("real+duplicates", r) for r in RATIOS),
        *(("real+synthetic", r) for r in RATIOS),
    ]:
        gain = (effect or {}).get(ratio, 0.0) if arm == "real+synthetic" else 0.0
        gain += duplicates if arm == "real+duplicates" else 0.0
        accuracy = np.round((0.8 + gain + shared + rng.normal(0, 0.015, seeds)) * n_test) / n_test
        rows += [(arm, ratio, s, a) for s, a in enumerate(accuracy)]
    return pd.DataFrame(rows, columns=["arm", "ratio", "seed", "accuracy"])


def verdict_of(trials: pd.DataFrame, phantom: bool = False) -> Verdict:
    to_real = compare(trials, "real+synthetic", "real", "accuracy")
    to_duplicates = compare(trials, "real+synthetic", "real+duplicates", "accuracy")
    return judge(to_real, to_duplicates, phantom=phantom)


def test_helps_names_the_ratio_and_the_evidence() -> None:
    verdict = verdict_of(simulate(0, dict.fromkeys(RATIOS, 0.0) | {0.5: 0.06}))
    assert (verdict.verdict, verdict.ratio) == ("helps", 0.5)
    assert verdict.sentence.startswith("Synthetic images help: with 50 % added, accuracy was ")
    assert "duplicated real images (95 % interval +" in verdict.sentence
    assert "8 paired repetitions" in verdict.sentence


def test_harms_names_the_worst_ratio() -> None:
    verdict = verdict_of(simulate(0, {0.25: 0.0, 0.5: -0.02, 0.75: -0.05, 1.0: -0.09}))
    assert (verdict.verdict, verdict.ratio) == ("harms", 1.0)
    assert "points lower than with the real images alone" in verdict.sentence


def test_one_ratio_may_help_while_another_harms() -> None:
    verdict = verdict_of(simulate(1, {0.25: 0.06, 0.5: 0.0, 0.75: 0.0, 1.0: -0.08}))
    assert (verdict.verdict, verdict.ratio) == ("helps", 0.25)
    assert "At 100 % they harm." in verdict.sentence


def test_better_than_harmful_duplicates_but_worse_than_the_reals_is_no_help() -> None:
    verdict = verdict_of(simulate(2, dict.fromkeys(RATIOS, -0.05), duplicates=-0.12))
    assert verdict.verdict == "harms"


def test_no_evidence_says_what_would_be_needed() -> None:
    verdict = verdict_of(simulate(3, dict.fromkeys(RATIOS, 0.004)))
    assert verdict.verdict == "no evidence"
    assert verdict.sentence.startswith("No evidence that synthetic images help or harm")
    assert "repetitions" in verdict.needed


def test_identical_arms_are_no_evidence() -> None:
    trials = simulate(0)
    trials["accuracy"] = 0.8
    verdict = verdict_of(trials)
    assert verdict.verdict == "no evidence"
    assert "no higher than with as many duplicated" in verdict.sentence


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_few_seeds_are_a_quick_look_that_claims_nothing(seeds: int) -> None:
    verdict = verdict_of(simulate(0, dict.fromkeys(RATIOS, 0.15), seeds=seeds))
    assert verdict.verdict == "no evidence"
    assert verdict.sentence.startswith(f"A quick look with {seeds} repetitions claims nothing")


def test_six_seeds_and_four_ratios_cannot_claim_and_say_so() -> None:
    verdict = verdict_of(simulate(0, dict.fromkeys(RATIOS, 0.15), seeds=6))
    assert verdict.verdict == "no evidence"
    assert "at least 8 repetitions, or fewer ratios" in verdict.needed


def test_without_duplicates_no_help_is_claimed_but_harm_is_seen() -> None:
    helped = simulate(0, dict.fromkeys(RATIOS, 0.1)).query("arm != 'real+duplicates'")
    assert verdict_of(helped).verdict == "no evidence"
    assert "control of duplicated real images" in verdict_of(helped).sentence
    harmed = simulate(0, dict.fromkeys(RATIOS, -0.1)).query("arm != 'real+duplicates'")
    assert verdict_of(harmed).verdict == "harms"
    assert verdict_of(harmed.query("arm == 'real'")).ratio is None


def test_the_phantom_is_always_called_one() -> None:
    for effect in (0.1, 0.0, -0.1):
        verdict = verdict_of(simulate(0, dict.fromkeys(RATIOS, effect)), phantom=True)
        assert verdict.sentence.startswith("On the drawn phantom, which says nothing about patients: ")


def test_differences_are_paired_by_seed_at_the_same_ratio() -> None:
    trials = pd.DataFrame(
        [("a", 0.5, 1, 0.9), ("a", 0.5, 0, 0.6), ("b", 0.5, 0, 0.5), ("b", 0.5, 1, 0.7), ("b", 1.0, 0, 0.0),
         ("c", 0.0, 1, 0.5), ("a", 0.5, 2, 0.1)],
        columns=["arm", "ratio", "seed", "accuracy"],
    )  # fmt: skip
    assert paired_differences(trials, "a", 0.5, "b", "accuracy") == pytest.approx([0.1, 0.2])
    assert paired_differences(trials, "a", 0.5, "c", "accuracy") == pytest.approx([0.4])
    assert len(paired_differences(trials, "a", 0.5, "absent", "accuracy")) == 0


@pytest.mark.slow
def test_on_null_data_the_verdict_claims_in_at_most_five_percent() -> None:
    sweeps = 200
    claims = sum(verdict_of(simulate(1000 + seed, n_test=2000)).verdict != "no evidence" for seed in range(sweeps))
    # 17 of 200 is the 97.5 % quantile of Binomial(200, 0.05): the tolerance of so small a simulation.
    assert claims <= stats.binom.ppf(0.975, sweeps, 0.05)


@pytest.mark.slow
def test_a_planted_effect_is_found() -> None:
    sweeps = 40
    effect = dict.fromkeys(RATIOS, 0.04)  # twice the spread of a paired difference (0.021)
    helps = sum(verdict_of(simulate(2000 + seed, effect)).verdict == "helps" for seed in range(sweeps))
    assert helps >= stats.binom.ppf(0.025, sweeps, 0.8)
