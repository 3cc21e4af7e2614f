"""Differences of KIDs: influences against leaving out, the rate of wrong claims, and what a paired test finds."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.snapshot_ranking import World, made
from engine.quality.fid_kid import kernel_distance
from engine.quality.paired_kid import Difference, Moved, differences, moved_by


def kid(reals: np.ndarray, fakes: np.ndarray) -> float:
    return kernel_distance(reals, fakes, resamples=1).value


def judged(world: World, seed: int) -> dict[tuple[str, str], Difference]:
    reals, patients, fakes = made(world, seed)
    named = {str(place): fake for place, fake in enumerate(fakes)}
    return differences(
        {name: kid(reals, fake) for name, fake in named.items()},
        {name: moved_by(reals, fake, patients) for name, fake in named.items()},
    )


def test_influences_are_what_leaving_an_image_out_does() -> None:
    reals, _, (fakes,) = made(World(biases=(0.8,), reals=200, fakes=300), 1)
    found = moved_by(reals, fakes, np.arange(200))
    assert (found.patients.sum(), found.seeds.sum()) == pytest.approx((0, 0), abs=1e-12)
    whole = kid(reals, fakes)
    for row in range(0, 200, 20):
        without = kid(np.delete(reals, row, 0), fakes), kid(reals, np.delete(fakes, row, 0))
        expected = np.array([199, 299]) * (whole - np.array(without))
        assert np.array([found.patients[row] * 200, found.seeds[row] * 300]) == pytest.approx(
            expected, rel=0.05, abs=0.01
        )
    by_patient = moved_by(reals, fakes, np.arange(200) // 5)
    assert by_patient.patients == pytest.approx(found.patients.reshape(40, 5).sum(1))


@pytest.mark.parametrize(
    "world",
    [
        World(biases=(0.8, 0.8), reals=60, fakes=80),
        World(biases=(0.8, 0.8, 0.8), reals=100, fakes=80, images_of_patient=5),
        World(biases=(0.0, 0.0), reals=60, fakes=80),
    ],
)
def test_snapshots_that_are_equally_good_are_rarely_told_apart(world: World) -> None:
    wrong = sum(any(each.low > 0 for each in judged(world, seed).values()) for seed in range(60))
    assert wrong <= 7  # of 60 at 5 %, more than 7 are seen once in 100 times


def test_a_planted_difference_is_found_where_two_intervals_meet() -> None:
    world, found, former = World(biases=(0.8, 1.2), reals=150, fakes=200, one_axis=True), 0, 0
    for seed in range(12):
        reals, _, fakes = made(world, seed)
        better, worse = (kernel_distance(reals, fake, seed, 100) for fake in fakes)
        former += better.high < worse.low
        found += judged(world, seed)["0", "1"].high < 0
    assert found >= 10 > former


def test_p_and_interval_agree_and_directions_mirror() -> None:
    for seed in range(10):
        found = judged(World(biases=(0.8, 1.0, 0.9), reals=60, fakes=80), seed)
        for (one, other), each in found.items():
            assert (each.p < 0.05) == (each.low > 0 or each.high < 0)
            back = found[other, one]
            assert (back.value, back.low, back.high) == (-each.value, -each.high, -each.low)


def test_the_same_snapshot_twice_and_a_single_patient() -> None:
    reals, _, (fakes,) = made(World(biases=(0.8,), reals=30, fakes=40), 3)
    moved = moved_by(reals, fakes, np.arange(30))
    twice = differences({"a": 0.1, "b": 0.1}, {"a": moved, "b": moved})["a", "b"]
    assert (twice.low, twice.high, twice.p) == (0, 0, 1)
    alone = Moved(np.zeros(1), moved.seeds)
    assert np.isnan(differences({"a": 0.1, "b": 0.2}, {"a": alone, "b": alone})["a", "b"].p)
