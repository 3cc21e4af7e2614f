"""Which images a trial sees: nested, paired, equally many steps."""

from __future__ import annotations

import numpy as np
import pytest

from engine.configs import SweepConfig
from engine.store.errors import ErsatzError
from engine.sweep.arms import Trial, batches, plan, require_enough, training_set, validation_steps

REAL = np.repeat([0, 1], [11, 6])
POOL = np.tile([1, 0], 30)
RATIOS = (0.25, 0.5, 0.75, 1.0)


@pytest.mark.parametrize("arm", ["real+synthetic", "real+duplicates"])
def test_subsets_are_nested_and_counted_per_class(arm: str) -> None:
    labels = np.concatenate((REAL, POOL))
    before: set[int] = set()
    for ratio in RATIOS:
        chosen = training_set(Trial(arm, ratio, 5), REAL, POOL)
        extra = chosen.rows[len(REAL) :]
        assert np.array_equal(chosen.rows[: len(REAL)], np.arange(len(REAL)))
        assert np.bincount(labels[extra]).tolist() == [int(11 * ratio + 0.5), int(6 * ratio + 0.5)]
        assert len(set(extra)) == len(extra)
        assert before < set(extra)
        before = set(extra)
        assert chosen.n_synthetic == (len(extra) if arm == "real+synthetic" else 0)
    assert before != set(training_set(Trial(arm, 0.75, 6), REAL, POOL).rows[len(REAL) :])


def test_duplicates_and_synthetic_images_stand_at_the_same_places() -> None:
    labels = np.concatenate((REAL, POOL))
    for ratio in RATIOS:
        one, other = (training_set(Trial(arm, ratio, 3), REAL, POOL) for arm in ("real+duplicates", "real+synthetic"))
        assert np.array_equal(labels[one.rows], labels[other.rows])


def test_duplicates_above_one_repeat_every_image_before_any_again() -> None:
    rows = training_set(Trial("real+duplicates", 2.0, 0), REAL, POOL).rows
    assert set(np.bincount(rows)) == {3}


def test_every_arm_takes_equal_full_steps_and_passes_over_all_images() -> None:
    for n in (5, 32, 100):
        order = batches(n, 8, 50, seed=1)
        assert order.shape == (50, 8)
        counts = np.bincount(order.ravel(), minlength=n)
        assert counts.max() - counts.min() <= 1
        assert np.array_equal(order, batches(n, 8, 50, seed=1))
        assert not np.array_equal(order, batches(n, 8, 50, seed=2))


def test_the_plan_is_every_cell_for_every_seed_once() -> None:
    trials = plan(SweepConfig(name="s", dataset="d", pool="p", seeds=8))
    assert len(trials) == len(set(trials)) == 80
    assert {trial.arm for trial in trials[:10]} == {"real", "real+classical", "real+duplicates", "real+synthetic"}


def test_the_last_step_is_always_validated() -> None:
    assert validation_steps(10, 3)[-1] == 10
    assert list(validation_steps(2, 10)) == [1, 2]


def test_a_pool_too_small_for_the_largest_ratio_is_refused() -> None:
    config = SweepConfig(name="s", dataset="d", pool="p", ratios=(0.5, 2.0))
    require_enough(config, {"bleed": 10}, {"bleed": 20})
    with pytest.raises(ErsatzError, match="19 images of the class bleed, but the ratio 2 needs 20"):
        require_enough(config, {"bleed": 10}, {"bleed": 19})
