"""The summary of a sweep: what it says of every arm, of folds, patients and subgroups, and when it claims nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine.configs import SweepConfig
from engine.store.home import Home
from engine.store.runs import Run
from engine.sweep import splits as of_splits
from engine.sweep.metric_table import metric_table
from engine.sweep.positive import positive_index, positive_of_sweep
from engine.sweep.protocol_deviations import deviations, dropped_runs
from engine.sweep.summary import summarise
from engine.sweep.summary_model import Classifier, SweepSummary
from tests.sweep.made_up import make_trials

NewSweep = Callable[..., tuple[Run, SweepConfig]]
EVERY_ARM = (
    "real",
    "real+classical",
    "real+duplicates",
    "real+synthetic",
    "real+synthetic+classical",
    "replaced+duplicates",
    "replaced+synthetic",
    "synthetic",
)


@dataclass
class Summarised:
    home: Home
    new_sweep: NewSweep

    def __call__(self, gain: float = 0.0, margin: float = 1.0, **changes: Any) -> SweepSummary:
        _, config = self.new_sweep(**{"seeds": 8, **changes})
        splits = of_splits.open_splits(self.home, config)
        test_images = of_splits.test_table(splits, config)
        trials = make_trials(config, splits, test_images, gain, margin)
        classes = splits[0].dataset.classes
        positive = positive_index(positive_of_sweep(config, splits[0].dataset)[0], classes)
        table = metric_table(trials, test_images, classes, positive, config.subgroups)
        summary = summarise(config, splits, trials, test_images, table, Classifier(name="small-cnn"))
        json.dumps(summary.plain(), allow_nan=False)
        return summary


@pytest.fixture
def summarised(home: Home, new_sweep: NewSweep) -> Summarised:
    return Summarised(home, new_sweep)


def test_every_synthetic_arm_has_a_verdict_and_the_first_is_the_one(summarised: Summarised) -> None:
    summary = summarised(arms=EVERY_ARM, gain=2.5, margin=0.0)
    assert summary.primary_arm == "real+synthetic"
    assert summary.verdict == summary.verdicts["real+synthetic"]
    assert summary.verdict.verdict == "helps"
    others = {arm: verdict for arm, verdict in summary.verdicts.items() if arm != "real+synthetic"}
    assert set(others) == {"real+synthetic+classical", "replaced+synthetic", "synthetic"}
    assert all("exploratory, for the verdict is about another arm" in v.sentence for v in others.values())
    assert others["synthetic"].verdict == "no evidence"  # there is no control that could tell
    assert others["real+synthetic+classical"].needed == "A sweep with the arm real+duplicates+classical."
    pairs = {(row.arm, row.against) for row in summary.comparisons}
    assert {("replaced+synthetic", "replaced+duplicates"), ("real+synthetic+classical", "real+classical")} <= pairs
    assert {row.arm for row in summary.cells} == set(EVERY_ARM)
    assert all(row.low_total <= row.mean_difference <= row.high_total for row in summary.comparisons)
    assert ("replaced+duplicates", "real") in {(row.arm, row.against) for row in summary.baselines}
    assert all(check.ok for check in summary.checks)
    assert [row.name for row in summary.departures] == ["no-duplicates"]
    assert summary.dropped is None


def test_folds_patients_and_subgroups(summarised: Summarised, folds: list[dict[str, str]]) -> None:
    summary = summarised(folds=folds, level="patient", metric="auroc", subgroups=("site",), ratios=(0.5,), seeds=6)
    assert [row.n_test for row in summary.folds] == [16, 16, 16]
    assert summary.n_test == 48
    assert summary.n_units == summary.n_groups == 24 == summary.patients.known
    assert summary.detectable.n_test == 24
    assert summary.n_train == 24
    assert (summary.metric, summary.level) == ("auroc", "patient")
    assert "AUROC by patient was" in summary.verdict.sentence
    assert {row.metric for row in summary.comparisons} == {
        "auroc",
        "accuracy",
        "balanced_accuracy",
        "brier",
        "log_score",
    }
    assert {(row.column, row.value) for row in summary.subgroups} == {("site", "north"), ("site", "south")}
    for row in summary.subgroups:
        assert 0 <= row.low <= row.mean <= row.high <= 1
    assert {row.interval_for for row in summary.cells} == {"seeds and test patients"}
    assert all(0 <= row.low < row.mean < row.high <= 1 for row in summary.cells)
    gains = [(row.value, row.ratio, row.against) for row in summary.subgroup_differences]
    assert gains == [(site, 0.5, other) for other in ("real", "real+duplicates", "real+classical")
                     for site in ("north", "south")]  # fmt: skip
    assert [(row.against, row.subgroups) for row in summary.interactions] == [
        ("real", 2), ("real+duplicates", 2), ("real+classical", 2)]  # fmt: skip
    assert all(0 <= row.p <= 1 for row in summary.interactions)
    assert {row.fold for row in summary.folds} == {0, 1, 2}


def test_a_subgroup_that_is_always_right_is_not_certain(summarised: Summarised) -> None:
    summary = summarised(margin=30.0, subgroups=("site",), ratios=(0.5,))
    for row in summary.subgroups:
        assert (row.mean, row.high) == (1.0, 1.0)
        assert row.low < 0.95


def test_excluded_images_are_counted_by_reason(summarised: Summarised, home: Home, pool: Any) -> None:
    path = pool.path / "manifest.csv"
    manifest = pd.read_csv(path, dtype=str, keep_default_na=False)
    manifest.loc[[0, 1, 2], "excluded"] = ["copy", "copy", "looks wrong"]
    manifest.to_csv(path, index=False)
    summary = summarised(ratios=(0.5,))
    assert summary.pool_excluded == {"copy": 2, "looks wrong": 1}
    assert summary.pool_images == 77


def test_a_published_protocol_claims_nothing_and_says_why(summarised: Summarised) -> None:
    summary = summarised(
        gain=2.5, margin=0.0, arms=("real", "real+synthetic"), epochs=5, flaws=("test-is-validation", "dropped-runs")
    )
    verdict = summary.verdict
    assert verdict.verdict == "no evidence"
    assert "repeats a published protocol for comparison and claims nothing" in verdict.sentence.lower()
    names = [row.name for row in summary.departures]
    assert names == ["test-is-validation", "dropped-runs", "unequal-steps", "no-duplicates"]
    for departure in summary.departures:
        assert departure.sentence in verdict.sentence
    assert summary.dropped.trials


def test_a_failed_check_takes_the_claim_away(summarised: Summarised, home: Home, pool: Any, dataset: Any) -> None:
    assert summarised(gain=2.5, margin=0.0).verdict.verdict == "helps"
    (pool.path / "training_images.txt").write_text(dataset.rows("test")["sha256"].iloc[0] + "\n")
    summary = summarised(gain=2.5, margin=0.0)
    assert summary.verdict.verdict == "no evidence"
    assert "1 of 32 test images are among the training images" in summary.verdict.sentence
    assert summary.verdict.needed == "The cause of the failed check, mended, and a new sweep."

    both = summarised(gain=2.5, margin=0.0, epochs=5).verdict.sentence
    for reason in ("claims nothing", "more steps can help", "own results failed", "1 of 32 test images are among"):
        assert reason in both
    assert both.count("What it shows, without any claim:") == 1


def test_one_seed_has_no_intervals_and_claims_nothing(summarised: Summarised) -> None:
    summary = summarised(seeds=1, gain=2.5, margin=0.0, subgroups=("site",), ratios=(0.5,))
    assert summary.verdict.verdict == "no evidence"
    assert "quick look, no verdict: 1 repetition claims" in summary.verdict.sentence
    assert all(np.isnan(row.low_total) for row in summary.comparisons)
    assert all(np.isnan(row.low) for row in summary.subgroups)
    assert [row.name for row in summary.departures] == ["few-seeds"]
    assert summary.detectable.difference is None


def test_without_synthetic_images_there_is_nothing_to_judge(summarised: Summarised) -> None:
    summary = summarised(arms=("real", "real+duplicates"))
    assert summary.primary_arm is None
    assert summary.verdicts == {}
    assert summary.verdict.verdict == "no evidence"


def test_deviations_of_a_quick_look() -> None:
    config = SweepConfig(name="s", dataset="d", pool="p", seeds=1)
    (few,) = deviations(config)
    assert few.name == "few-seeds"
    assert "ran once" in few.sentence
    assert deviations(SweepConfig(name="s", dataset="d", pool="p")) == []


def test_trainings_that_may_end_early_are_said_to() -> None:
    (early,) = deviations(SweepConfig(name="s", dataset="d", pool="p", patience=3))
    assert early.name == "early-stopping"
    assert "for 3 looks" in early.sentence


def test_the_published_rule_drops_the_best_and_the_worst() -> None:
    trials = pd.DataFrame(
        [("real", 0.0, 0, 1.0), ("real", 0.0, 1, 0.8), ("real", 0.0, 2, 0.9), ("real+synthetic", 1.0, 0, 0.6)],
        columns=["arm", "ratio", "seed", "accuracy"],
    ).assign(fold=0)
    found = dropped_runs(trials, majority=0.625)
    assert [row.reason for row in found.trials] == ["accuracy of 1", "extremely low accuracy"]
    (cell,) = found.cells
    assert (cell.arm, cell.ratio, cell.n) == ("real", 0.0, 2)
    assert cell.mean == pytest.approx(np.mean([0.8, 0.9]))
