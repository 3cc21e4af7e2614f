"""Intervals of arms: how often they hold the truth, that they keep within bounds, and what they do with little."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from engine.sweep.arm_intervals import Behind, arm_intervals, counted, metric_interval, patients_behind
from engine.sweep.statistics import seed_interval, wilson_interval
from tests.sweep.simulated_scores import CLASSES, POSITIVE, World, population, sweep_of

SWEEPS = 80


def test_hold_the_population_and_the_seeds_alone_do_not() -> None:
    """Eight seeds on 100 patients; benchmarks/arm_coverage.py prints more worlds and metrics."""
    world, metrics = World(), ("accuracy", "auroc")
    truth, held, alone = population(world, 5, 8000), dict.fromkeys(metrics, 0), 0
    for sweep in range(SWEEPS):
        trials, test_images = sweep_of(world, sweep)
        found = arm_intervals(counted(trials, test_images, CLASSES, POSITIVE, "image"), metrics).set_index("metric")
        for name in metrics:
            held[name] += found.loc[name, "low"] <= truth[name] <= found.loc[name, "high"]
        labels = (test_images["class"] == "ill").to_numpy(int)
        right = [(flat.reshape(-1, 2).argmax(1) == labels).mean() for flat in trials["scores"]]
        by_seeds = seed_interval(np.array(right))
        alone += by_seeds.low <= truth["accuracy"] <= by_seeds.high
    assert all(count >= stats.binom.ppf(0.01, SWEEPS, 0.93) for count in held.values())
    assert alone < 0.8 * SWEEPS


def test_keep_within_bounds_and_are_never_a_point() -> None:
    right = np.ones((8, 50))
    found = metric_interval("accuracy", right.mean(1), np.zeros((8, 50)), Behind(50, 50))
    wilson = wilson_interval(1.0, 50)
    assert (found.mean, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(wilson.low)
    right[0, 0] = 0  # one mistake of one seed is no more certain than none
    parts = (right - right.mean(1, keepdims=True)) / 50
    once = metric_interval("accuracy", right.mean(1), parts, Behind(50, 50))
    assert once.low <= wilson.low + 0.01
    assert 0 < once.low < once.mean < once.high <= 1


def test_of_one_seed_or_one_patient_nothing_is_known() -> None:
    for shape in ((1, 50), (8, 1)):
        found = metric_interval("accuracy", np.full(shape[0], 0.8), np.zeros(shape), Behind(shape[1], shape[1]))
        assert math.isnan(found.low)
        assert math.isnan(found.high)


def test_a_rare_class_makes_them_wider_than_so_many_patients_would() -> None:
    trials, test_images = sweep_of(World(patients=220, prevalence=1 / 11), 3)
    units = counted(trials, test_images, CLASSES, POSITIVE, "image").units
    assert patients_behind("accuracy", units, POSITIVE) == Behind(220, 220)
    assert patients_behind("sensitivity", units, POSITIVE) == Behind(20, 20)
    balanced = patients_behind("balanced_accuracy", units, POSITIVE)
    assert balanced.rarest == 20
    assert balanced.patients == pytest.approx(4 / (1 / 20 + 1 / 200))


def test_a_part_of_the_test_images_is_judged_by_itself() -> None:
    trials, test_images = sweep_of(World(patients=40), 5)
    among = np.arange(40) % 2 == 0
    found = arm_intervals(counted(trials, test_images, CLASSES, POSITIVE, "image", among), ["accuracy"])
    labels = (test_images["class"] == "ill").to_numpy(int)[among]
    right = [(flat.reshape(-1, 2)[among].argmax(1) == labels).mean() for flat in trials["scores"]]
    assert found["mean"].item() == pytest.approx(np.mean(right))


def test_the_calibration_error_has_no_interval() -> None:
    trials, test_images = sweep_of(World(patients=40), 5)
    assert arm_intervals(counted(trials, test_images, CLASSES, POSITIVE, "image"), ["ece"]).empty
