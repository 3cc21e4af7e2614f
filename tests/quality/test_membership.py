"""The swap of patients and the attack on membership: by their definitions, on clean worlds and on overfitted ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from engine.quality.membership import area, attack, reference_distances, true_positive_rate
from engine.quality.nearest import Neighbours, nearest
from engine.quality.patient_swaps import SWAPS, Permuted, Units
from engine.quality.swap_test import SwapTest, nearer_share, swap_test

DIM = 8


def world(random: np.random.Generator, images: int = 4, patients: int = 50) -> tuple[np.ndarray, Units]:
    """Real images of patients who are more alike among themselves, a fifth of the patients held out."""
    own = random.standard_normal((patients, 1, DIM))
    reals = (own + 0.3 * random.standard_normal((patients, images, DIM))).reshape(-1, DIM).astype(np.float32)
    groups = np.repeat([f"p{number}" for number in range(patients)], images).astype(object)
    trained = np.arange(len(reals)) < len(reals) * 4 // 5
    return reals, Units.of(groups, np.full(len(reals), "a", object), trained)


def swapping(pool: np.ndarray, reals: np.ndarray, units: Units, k: int = 10) -> SwapTest:
    near, own = nearest(pool, reals, 32), nearest(reals, reals, 32, True)
    return swap_test(near, own, np.full(len(pool), "a", object), np.full(len(reals), "a", object), units, k)


def test_smooth_pools_among_clustered_patients_are_accused_as_often_as_said() -> None:
    random = np.random.default_rng(0)
    worlds, shows, holds = 20, 0, 0
    for _ in range(worlds):
        reals, units = world(random)
        pool = (0.5 * random.standard_normal((60, DIM))).astype(np.float32)  # nearer to all than these to each other
        found = swapping(pool, reals, units)
        shows += found.shows
        attacked = attack(nearest(reals, pool).distances[:, 0], nearest(reals, reals, 32, True), units)
        holds += attacked.auc.low <= 0.5 <= attacked.auc.high
    assert shows <= 3  # 99.8 % of binomials of 20 at 2.5 %
    assert holds >= 16


def test_noisy_copies_show_in_the_split_and_to_the_attack() -> None:
    random = np.random.default_rng(1)
    reals, units = world(random)
    trained = np.flatnonzero(units.trained[units.of_image])
    pool = (reals[random.choice(trained, 120)] + 0.1 * random.standard_normal((120, DIM))).astype(np.float32)
    found = swapping(pool, reals, units)
    assert found.shows, found.p
    attacked = attack(nearest(reals, pool).distances[:, 0], nearest(reals, reals, 32, True), units)
    assert attacked.tells and attacked.auc.low > 0.8
    assert (attacked.members, attacked.non_members) == (40, 10)
    assert np.isnan(attacked.true_positives.value)  # 10 held-out patients say nothing of 1 %


def test_units_are_whole_patients_of_their_class() -> None:
    groups = np.array(["x", "x", "y", "", "", "z", "z", "z"], object)
    classes = np.array(["a", "a", "a", "a", "a", "b", "b", "a"], object)
    units = Units.of(groups, classes, np.array([1, 1, 0, 1, 0, 1, 1, 1], bool))
    assert units.of_image.tolist() == [0, 0, 1, 2, 3, 4, 4, 4]
    assert (units.classes.tolist(), units.known, units.held_out) == (["a"] * 4 + ["b"], False, 2)
    assert not units.enough()
    choices = units.choices(0)
    assert (choices[:, 0] == choices[:, 1]).all() and choices[:, 5:].all()
    assert (choices[:, [0, 2, 3, 4]].sum(1) == 2).all() and len(np.unique(choices, axis=0)) == 6


def test_the_share_nearer_to_training_is_the_mean_over_as_many_patients() -> None:
    random = np.random.default_rng(2)
    patients = np.repeat(np.arange(12), 2)  # 9 trained and 3 held-out ones, of two images each
    units = Units.of(patients.astype(str).astype(object), np.full(24, "a", object), patients < 9)
    rows = np.stack([random.permutation(24) for _ in range(40)])
    drawn = np.zeros((4000, 40))
    for draw in drawn:
        kept = np.isin(np.arange(12), [*random.choice(9, 3, replace=False), 9, 10, 11])
        draw[:] = patients[rows[np.arange(40), kept[patients[rows]].argmax(1)]] < 9
    found = nearer_share(rows, patients < 9, units)
    np.testing.assert_allclose(found, drawn.mean(0), atol=0.05)
    swapped = [nearer_share(rows, trained, units).mean() for trained in units.choices(0)]
    assert np.mean(swapped) == pytest.approx(0.5, abs=0.02)


def test_the_interval_leaves_out_what_is_expected_where_few_swaps_go_so_far() -> None:
    swapped = np.random.default_rng(3).standard_normal(SWAPS)
    for value, inside in ((0.0, True), (1.7, True), (2.4, False), (-2.4, False)):
        found = Permuted.of(np.concatenate(([value], swapped)))
        assert (found.low <= found.expected <= found.high) == inside
        assert found.low < value < found.high


def test_area_and_its_interval() -> None:
    random = np.random.default_rng(4)
    a, b = random.integers(0, 9, 40).astype(float), random.integers(0, 7, 15).astype(float)
    found = area(a, b)
    assert found.value == pytest.approx(mannwhitneyu(a, b).statistic / (40 * 15))
    assert 0 < found.low < found.value < found.high < 1
    assert area(a + 20, b).value == area(a + 20, b).high == 1 and area(a + 20, b).low > 0.8
    null = [area(random.random(60), random.random(20)) for _ in range(400)]
    assert 0.92 <= np.mean([one.low <= 0.5 <= one.high for one in null]) <= 0.98


def test_true_positives_at_one_per_cent() -> None:
    random = np.random.default_rng(5)
    rate = true_positive_rate(np.r_[np.full(30, 9.0), np.zeros(70)], random.random(600), 0.01)
    assert rate.value == pytest.approx(0.3) and 0.15 < rate.low < 0.3 < rate.high < 0.45
    few = true_positive_rate(np.full(50, 9.0), random.random(120), 0.01)
    assert (few.value, few.low, few.high) == (1.0, 0.0, 1.0)  # none of 120 need lie above the true threshold
    held = [true_positive_rate(random.random(300), random.random(400), 0.01) for _ in range(150)]
    assert np.mean([one.low <= 0.01 <= one.high for one in held]) >= 0.95


def test_reference_distances_are_to_other_patients() -> None:
    units = Units.of(np.array(["x", "x", "y", "z"], object), np.full(4, "a", object), np.array([1, 1, 1, 0], bool))
    rows = np.array([[1, 2, 3], [0, 2, 3], [3, 0, 1], [2, 1, 0]])
    distances = np.array([[1.0, 2, 3], [1, 4, 6], [1, 2, 3], [1, 2, 3]], np.float32)
    assert reference_distances(Neighbours(distances, rows), units, 2).tolist() == [2.5, 5.0, 1.5, 1.5]
