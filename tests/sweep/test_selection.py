"""Which evaluation on the validation set is chosen, what is kept for it, and when a trial has waited long enough."""

from __future__ import annotations

import numpy as np
import pytest

from engine.configs import SweepConfig
from engine.sweep.selection import candidates, choose, evaluations_taken, out_of_patience, pick

RULES = ("within-error", "best-accuracy", "best-loss", "last")


def config(select: str) -> SweepConfig:
    return SweepConfig.build({"name": "s", "dataset": "d", "pool": "p", "select": select})


def test_the_latest_step_within_one_standard_error_of_the_best_is_picked() -> None:
    few = np.array([0.60, 0.75, 0.70, 0.50])
    assert pick(few, 40) == 2  # one standard error of 75 % on 40 images: 6.8 points
    assert pick(few, 4000) == 1
    assert pick(np.array([0.9, 0.9, 0.9]), 40) == 2
    assert pick(np.array([1.0, 0.95]), 40) == 0


def test_the_rules_by_hand() -> None:
    accuracies, losses = [0.5, 0.75, 0.75, 0.5], [0.7, 0.6, 0.4, 0.4]
    found = {rule: choose(accuracies, losses, 4000, config(rule)) for rule in RULES}
    assert found == {"within-error": 2, "best-accuracy": 1, "best-loss": 2, "last": 3}
    assert choose([0.5, 0.5], [float("nan"), 0.9], 10, config("best-loss")) == 1


@pytest.mark.parametrize("rule", RULES)
def test_whatever_follows_the_chosen_evaluation_was_kept(rule: str) -> None:
    rng = np.random.default_rng(0)
    dropped = 0
    for n_valid in (4, 30, 500):
        for _ in range(200):
            accuracies = (rng.integers(0, n_valid + 1, 9) / n_valid).tolist()
            losses = rng.random(9).round(1).tolist()
            kept: set[int] = set()
            for n in range(1, 10):
                wanted = candidates(accuracies[:n], losses[:n], n_valid, config(rule))
                kept = {number for number in kept if number in wanted} | ({n - 1} & wanted)
                assert choose(accuracies[:n], losses[:n], n_valid, config(rule)) in kept
            dropped += 9 - len(kept)
    assert dropped > 600 * 5  # most weights need not stay in memory


def test_patience_counts_evaluations_without_a_lower_loss() -> None:
    losses = [0.9, 0.8, 0.85, 0.8, 0.7, 0.7, 0.71, 0.72]
    assert evaluations_taken(losses, 0) == 8
    assert evaluations_taken(losses, 2) == 4  # equal is not lower
    assert evaluations_taken(losses, 3) == 8
    assert evaluations_taken(losses, 4) == 8
    assert not out_of_patience(losses, 4)
    assert evaluations_taken([float("nan")] * 5, 2) == 3
