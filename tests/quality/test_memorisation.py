"""Measures of memorisation: against their definitions, on clean images, and on planted copies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from engine.quality.memorisation import (
    authentic,
    copy_ratio,
    copying_z,
    share,
)
from engine.quality.nearest import nearest

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


def test_the_copy_ratio_leaves_out_other_images_of_the_same_patient() -> None:
    distances = np.array([[1.0, 1.0, 4.0, 6.0], [2.0, 3.0, 4.0, 5.0]])
    patients = np.array([[7, 7, 1, 2], [3, 3, 3, 3]])
    assert copy_ratio(distances, patients).tolist() == [0.2, 1.0]  # with none of another patient it says nothing
