"""Measures of memorisation: against their definitions, on clean images, and on planted copies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from engine.quality.memorisation import (
    authentic,
    copy_ratio,
    copying_z,
    nearer_share,
    nearer_to_train,
    share,
)
from engine.quality.nearest import nearest
from engine.store.errors import ErsatzError

DIM = 12


def sample(n: int, seed: int | np.random.Generator) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, DIM)).astype(np.float32)


def near(x: np.ndarray, base: np.ndarray, k: int = 1, not_itself: bool = False) -> np.ndarray:
    return nearest(x, base, k, not_itself).distances


def authentic_share(images: np.ndarray, train: np.ndarray) -> float:
    found = nearest(images, train)
    return float(authentic(found.distances[:, 0], found.rows[:, 0], near(train, train, 1, True)[:, 0]).mean())


def test_authentic_images_are_those_of_the_definition() -> None:
    train, images = sample(80, 1), sample(50, 2)
    expected = []
    for image in images:
        distances = np.linalg.norm(train - image, axis=1)
        neighbour = distances.argmin()
        own = np.linalg.norm(np.delete(train, neighbour, 0) - train[neighbour], axis=1).min()
        expected.append(distances[neighbour] >= own)
    found = nearest(images, train)
    own_distances = near(train, train, 1, True)[:, 0]
    assert authentic(found.distances[:, 0], found.rows[:, 0], own_distances).tolist() == expected


def test_copies_are_not_authentic_and_clean_images_mostly_are() -> None:
    train = sample(600, 1)
    copies = train[:200] + 0.01 * sample(200, 2)
    assert authentic_share(copies, train) == 0
    assert 0.5 < authentic_share(sample(600, 3), train) < 0.8  # not 1: pairs of mutual neighbours are in any set


def naive_z(distances: np.ndarray, held_out: np.ndarray) -> float:
    wins = sum((a > b) + 0.5 * (a == b) for a in distances for b in held_out)
    n, m = len(distances), len(held_out)
    return (wins - n * m / 2) / np.sqrt(n * m * (n + m + 1) / 12)


def test_copying_z_is_its_formula_and_standard_normal_for_clean_images() -> None:
    random = np.random.default_rng(0)
    a, b = random.integers(0, 20, 31).astype(float), random.integers(3, 22, 17).astype(float)  # with ties
    assert copying_z(a, b) == pytest.approx(naive_z(a, b), rel=1e-12)
    clean = [copying_z(random.random(60), random.random(25)) for _ in range(400)]
    assert abs(np.mean(clean)) < 4 / np.sqrt(400)
    assert 0.85 < np.std(clean) < 1.15


def test_copying_z_tells_copies_from_a_generator_that_misses_the_data() -> None:
    train, held_out = sample(300, 1), near(sample(100, 2), sample(300, 1))[:, 0]
    assert copying_z(near(train[:100] + 0.05 * sample(100, 3), train)[:, 0], held_out) < -8
    assert copying_z(near(3 * sample(100, 4), train)[:, 0], held_out) > 8


def test_each_draw_takes_as_many_of_each_class_and_compares_as_defined() -> None:
    train, holdout, images = sample(60, 1), sample(20, 2), sample(30, 3)
    ours, theirs = np.array(["a"] * 50 + ["b"] * 10), np.array(["a"] * 8 + ["b"] * 12)
    nearer, drawn = nearer_to_train(images, train, holdout, ours, theirs, seed=5, draws=3)
    assert drawn == (8 + 5) / 60  # at most half of the ten in b
    random = np.random.default_rng(5)
    for draw in nearer:
        rows = [random.choice(np.flatnonzero(ours == name), n, replace=False) for name, n in (("a", 8), ("b", 5))]
        others = [random.choice(np.flatnonzero(theirs == name), n, replace=False) for name, n in (("a", 8), ("b", 5))]
        a, b = (np.linalg.norm(images[:, None] - x[np.concatenate(y)], axis=2).min(1) for x, y in
                ((train, rows), (holdout, others)))  # fmt: skip
        np.testing.assert_array_equal(draw, a < b)
    again, _ = nearer_to_train(images, train, holdout, ours, theirs, seed=5, draws=3)
    np.testing.assert_array_equal(again, nearer)


def test_equal_distances_count_half() -> None:
    train = sample(40, 1)
    same = np.repeat(train[:1], 40, axis=0)
    nearer, drawn = nearer_to_train(sample(9, 2), same, same[:3], np.array(["a"] * 40), np.array(["a"] * 3))
    assert (nearer == 0.5).all()
    assert nearer_share(nearer, drawn).value == 0.5


def test_interval_of_the_share_covers_one_half_for_clean_sets() -> None:
    """What varies is not only the images: with one small holdout the share is off by more than the binomial says."""
    covered, covered_by_binomial = 0, 0
    sweeps = 80
    random = np.random.default_rng(1)
    for _ in range(sweeps):
        x = sample(120 + 30 + 200, random)
        classes = np.array(["a"] * 150)
        nearer, drawn = nearer_to_train(x[150:], x[:120], x[120:150], classes[:120], classes[120:], draws=5)
        found = nearer_share(nearer, drawn)
        covered += found.low <= 0.5 <= found.high
        binomial = share(nearer.mean(0))
        covered_by_binomial += binomial.low <= 0.5 <= binomial.high
    assert covered >= binom.ppf(0.001, sweeps, 0.93)
    assert covered_by_binomial < covered - 5  # the reason for the wider interval


def test_share_of_copies_is_high_and_its_interval_above_one_half() -> None:
    train, holdout = sample(120, 1), sample(30, 2)
    copies = np.concatenate((train + 0.1 * sample(120, 3), train + 0.1 * sample(120, 4)))
    nearer, drawn = nearer_to_train(copies, train, holdout, np.array(["a"] * 120), np.array(["a"] * 30))
    found = nearer_share(nearer, drawn)
    assert found.low > 0.5
    assert found.low < found.value < found.high < 1


def test_sets_too_small_to_compare_are_refused() -> None:
    with pytest.raises(ErsatzError, match="No class has two training images"):
        nearer_to_train(sample(3, 1), sample(2, 2), sample(2, 3), np.array(["a", "b"]), np.array(["a", "c"]))


@pytest.mark.parametrize("successes", [0, 1, 7, 20])
def test_interval_of_a_share_is_wilsons(successes: int) -> None:
    found = share(np.arange(20) < successes)
    expected = binomtest(successes, 20).proportion_ci(method="wilson")
    assert (found.value, found.low, found.high) == pytest.approx((successes / 20, *expected), abs=1e-12)


def test_copy_ratio_is_its_formula() -> None:
    train, images = sample(80, 1), sample(20, 2)
    distances = np.sort(np.linalg.norm(images[:, None] - train, axis=2), 1)[:, :11]
    np.testing.assert_allclose(copy_ratio(distances), distances[:, 0] / distances[:, 1:].mean(1), rtol=1e-6)
    assert copy_ratio(near(train[:5] + 0.01 * sample(5, 3), train, 11)).max() < 0.05
    assert copy_ratio(np.zeros((2, 4))).tolist() == [1, 1]  # equal to many training images: none of them its own
