"""Which images a trial sees: nested, paired, equally many steps, in every arm."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest

from engine.configs import SweepConfig
from engine.configs.evaluation import Arm
from engine.store.errors import ErsatzError
from engine.sweep.arms import (
    Rule,
    TrainingSet,
    Trial,
    arm_rule,
    baseline_of,
    batches,
    control_of,
    evaluation_steps,
    plan,
    primary_arm,
    require_enough,
    steps_of,
    training_set,
    validation_steps,
)

ARMS: tuple[Arm, ...] = get_args(Arm)
REAL = np.repeat([0, 1, 0], [6, 6, 5])
POOL = np.tile([1, 0], 30)
LABELS = np.concatenate((REAL, POOL))
RATIOS = (0.25, 0.5, 0.75, 1.0)
EXTRA_ARMS = [arm for arm in ARMS if arm_rule(arm).extra != "none"]
REPLACED = [arm for arm in ARMS if arm.startswith("replaced")]


def config(**changes: Any) -> SweepConfig:
    return SweepConfig(name="s", dataset="d", pool="p", **changes)


def chosen(arm: str, ratio: float, seed: int = 5, pool: np.ndarray = POOL, **changes: Any) -> TrainingSet:
    return training_set(Trial(arm, ratio, seed), REAL, pool, config(**changes))


def ratios(arm: str) -> tuple[float, ...]:
    return RATIOS[:3] if arm in REPLACED else RATIOS


def extra_places(found: TrainingSet) -> np.ndarray:
    """Places whose image is not the real one that stands there in the arm real."""
    reals = np.resize(np.arange(len(REAL)), len(found.rows))
    beyond = np.arange(len(found.rows)) >= len(REAL)
    return np.flatnonzero(beyond | (found.rows != reals))


@pytest.mark.parametrize("arm", ["real+synthetic", "real+duplicates"])
def test_added_images_are_counted_per_class_behind_all_reals(arm: str) -> None:
    for ratio in RATIOS:
        found = chosen(arm, ratio)
        extra = found.rows[len(REAL) :]
        assert np.array_equal(found.rows[: len(REAL)], np.arange(len(REAL)))
        assert np.bincount(LABELS[extra]).tolist() == [int(11 * ratio + 0.5), int(6 * ratio + 0.5)]
        assert len(set(extra)) == len(extra)
        assert found.n_synthetic == (len(extra) if arm == "real+synthetic" else 0)


@pytest.mark.parametrize("arm", REPLACED)
def test_replacing_keeps_the_total_the_places_and_the_classes(arm: str) -> None:
    for ratio in RATIOS[:3]:
        found = chosen(arm, ratio)
        places = extra_places(found)
        assert len(found.rows) == len(REAL)
        assert np.array_equal(LABELS[found.rows], REAL)
        assert np.bincount(REAL[places]).tolist() == [int(11 * ratio + 0.5), int(6 * ratio + 0.5)]
        if "synthetic" in arm:
            assert found.n_synthetic == len(places) == len(set(found.rows[places]))
        else:  # repeats of the images that stayed, all of them before any again
            assert found.n_synthetic == 0
            stayed = np.setdiff1d(np.arange(len(REAL)), places)
            for label in (0, 1):
                counts = np.bincount(found.rows, minlength=len(REAL))[stayed[REAL[stayed] == label]]
                assert counts.max() - counts.min() <= 1
            assert set(found.rows) == set(stayed)


def test_at_least_one_real_image_of_a_class_stays() -> None:
    real = np.array([0, 1, 1])
    for arm in ("replaced+duplicates", "replaced+synthetic"):
        rows = training_set(Trial(arm, 0.9, 0), real, POOL, config()).rows
        assert rows[0] == 0
        assert (rows[1:] < 3).sum() >= 1


@pytest.mark.parametrize("arm", ["synthetic", "synthetic+classical"])
def test_synthetic_images_alone(arm: str) -> None:
    for ratio in RATIOS:
        found = chosen(arm, ratio)
        assert (found.n_real, found.n_synthetic) == (0, len(set(found.rows)))
        assert np.bincount(LABELS[found.rows]).tolist() == [int(11 * ratio + 0.5), int(6 * ratio + 0.5)]


@pytest.mark.parametrize("arm", EXTRA_ARMS)
def test_subsets_are_nested_and_differ_by_seed(arm: str) -> None:
    before: set[int] = set()
    replaced: set[int] = set()
    for ratio in ratios(arm):
        found = chosen(arm, ratio)
        places = extra_places(found)
        extra = set(found.rows[places]) if arm in REPLACED else set(found.rows[len(REAL) if "real" in arm else 0 :])
        if "duplicates" in arm and arm in REPLACED:
            assert replaced < set(places)  # the reals that stay become fewer, those replaced stay replaced
            replaced = set(places)
        else:
            assert before < extra
        before = extra
    last = ratios(arm)[-2]
    assert chosen(arm, last).rows.tolist() == chosen(arm, last).rows.tolist()
    assert chosen(arm, last).rows.tolist() != chosen(arm, last, seed=6).rows.tolist()


@pytest.mark.parametrize("arm", [arm for arm in ARMS if control_of(arm)])
@pytest.mark.parametrize("extra_classes", [(), ("b",)])
def test_the_control_has_as_many_images_of_the_same_classes_at_the_same_places(
    arm: str, extra_classes: tuple[str, ...]
) -> None:
    control = control_of(arm)
    assert control is not None
    pool = POOL[POOL == 1] if extra_classes else POOL
    labels = np.concatenate((REAL, pool))
    for ratio in ratios(arm):
        one, other = (chosen(name, ratio, 3, pool, extra_classes=extra_classes) for name in (arm, control))
        assert np.array_equal(labels[one.rows], labels[other.rows])
        if arm in REPLACED:
            assert np.array_equal(extra_places(one), extra_places(other))
        assert one.classical == other.classical == arm.endswith("+classical")


def test_all_synthetic_arms_of_a_seed_draw_the_same_images() -> None:
    for ratio in RATIOS[:3]:
        drawn = [set(chosen(arm, ratio).rows[chosen(arm, ratio).rows >= len(REAL)]) for arm in ARMS if control_of(arm)]
        assert all(one == drawn[0] for one in [*drawn, set(chosen("synthetic", ratio).rows)])


@pytest.mark.parametrize("arm", ARMS)
def test_classical_arms_hold_the_same_images(arm: str) -> None:
    plain = arm.removesuffix("+classical")
    for ratio in ratios(arm) if arm in EXTRA_ARMS else (0.0,):
        assert np.array_equal(chosen(arm, ratio).rows, chosen(plain, ratio).rows)


def test_duplicates_above_one_repeat_every_image_before_any_again() -> None:
    assert set(np.bincount(chosen("real+duplicates", 2.0).rows)) == {3}


def test_top_up_leaves_the_other_classes_as_they_are() -> None:
    pool = POOL[POOL == 1]
    labels = np.concatenate((REAL, pool))
    for arm in EXTRA_ARMS:
        rows = chosen(arm, 0.5, 0, pool, extra_classes=("b",)).rows
        assert np.array_equal(np.sort(rows[labels[rows] == 0]), np.flatnonzero(REAL == 0))
        of_b = 3 if arm.startswith("synthetic") else 6 if arm in REPLACED else 9
        assert (labels[rows] == 1).sum() == of_b


def test_filling_the_gap_balances_the_classes_at_one() -> None:
    for arm in ("real+synthetic", "real+duplicates"):
        assert np.bincount(LABELS[chosen(arm, 1.0, ratio_of="gap").rows]).tolist() == [11, 11]
        assert np.bincount(LABELS[chosen(arm, 0.5, ratio_of="gap").rows]).tolist() == [11, 9]


def test_every_arm_takes_equal_full_steps_and_passes_over_all_images() -> None:
    for n in (5, 32, 100):
        order = batches(n, 8, 50, seed=1)
        assert order.shape == (50, 8)
        counts = np.bincount(order.ravel(), minlength=n)
        assert counts.max() - counts.min() <= 1
        assert np.array_equal(order, batches(n, 8, 50, seed=1))
        assert not np.array_equal(order, batches(n, 8, 50, seed=2))


def test_the_plan_is_every_cell_for_every_seed_once() -> None:
    trials = plan(config(seeds=8))
    assert len(trials) == len(set(trials)) == 96
    assert {trial.arm for trial in trials[:10]} == {"real", "real+classical", "real+duplicates", "real+synthetic"}


def test_the_plan_of_all_arms_replaces_below_one_only_and_covers_every_fold() -> None:
    folds = tuple({"dataset": f"d{fold}", "pool": f"p{fold}"} for fold in range(3))
    settings = {"arms": ARMS, "seeds": 2, "ratios": RATIOS}
    whole = config(**settings)
    crossed = SweepConfig(name="s", dataset="d", folds=folds, **settings)  # type: ignore[arg-type]
    assert len(plan(whole)) == 2 * 2 * (1 + 4 + 4 + 3 + 3 + 4) + 2 * 2
    assert max(trial.ratio for trial in plan(whole) if trial.arm.startswith("replaced")) == 0.75
    assert [trial for trial in plan(crossed) if trial.fold == 0] == plan(whole)
    assert len(set(plan(crossed))) == 3 * len(plan(whole))
    assert {trial.fold for trial in plan(crossed)} == {0, 1, 2}


def test_what_each_arm_is_compared_with() -> None:
    assert arm_rule("replaced+synthetic+classical") == Rule("replaced", "synthetic", classical=True)
    assert arm_rule("synthetic") == Rule("none", "synthetic")
    assert control_of("replaced+synthetic+classical") == "replaced+duplicates+classical"
    assert control_of("synthetic+classical") is None
    assert control_of("real+duplicates") is None
    assert baseline_of("replaced+synthetic+classical") == "real+classical"
    assert baseline_of("synthetic") == baseline_of("real+classical") == baseline_of("real+duplicates") == "real"
    assert baseline_of("real") is None
    assert primary_arm(config(arms=("real", "synthetic", "real+synthetic"))) == "synthetic"
    assert primary_arm(config(arms=("real", "real+duplicates"))) is None


def test_steps_are_equal_or_those_of_the_epochs() -> None:
    equal, passes = config(steps=50, batch=20, validations=5), config(epochs=3, batch=20)
    assert [steps_of(equal, n) for n in (5, 303)] == [50, 50]
    assert [steps_of(passes, n) for n in (20, 303)] == [3, 48]
    assert list(evaluation_steps(passes, 303)) == [16, 32, 48]
    assert list(evaluation_steps(equal, 303)) == [10, 20, 30, 40, 50]


def test_the_last_step_is_always_validated() -> None:
    assert validation_steps(10, 3)[-1] == 10
    assert list(validation_steps(2, 10)) == [1, 2]


def test_a_pool_too_small_for_the_largest_ratio_is_refused() -> None:
    wanted = config(ratios=(0.5, 2.0))
    require_enough(wanted, {"bleed": 10}, {"bleed": 20})
    with pytest.raises(ErsatzError, match="19 images of the class bleed, but the ratio 2 needs 20"):
        require_enough(wanted, {"bleed": 10}, {"bleed": 19})
    require_enough(wanted.model_copy(update={"extra_classes": ("b",)}), {"bleed": 10, "b": 5}, {"b": 10})
    below_one = config(ratios=(0.5, 2.0), arms=("real", "replaced+synthetic"))
    require_enough(below_one, {"bleed": 10}, {"bleed": 5})
    with pytest.raises(ErsatzError, match=r"the ratio 0\.5 needs 5"):
        require_enough(below_one, {"bleed": 10}, {"bleed": 4})


def test_filling_the_gap_of_balanced_classes_is_refused() -> None:
    with pytest.raises(ErsatzError, match="All classes have 7 training images"):
        require_enough(config(ratio_of="gap"), {"a": 7, "b": 7}, {"a": 50, "b": 50})
