"""What is said before a sweep starts: the numbers of the design notes, and promises that simulated sweeps keep."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from engine.sweep.power import detectable, foretold, smallest_difference


@pytest.mark.parametrize(("n", "points"), [(50, 9.9), (100, 7.0), (200, 4.9), (500, 3.1)])
def test_half_widths_are_those_stated(n: int, points: float) -> None:
    assert detectable(n, 8, 4).half_width * 100 == pytest.approx(points, abs=0.05)


def test_fewer_seeds_than_the_protocol_asks_for_find_nothing() -> None:
    assert detectable(100, 5, 4).difference is None
    assert detectable(100, 6, 4).difference is not None


@pytest.mark.parametrize(("seeds", "images"), [(8, 100), (8, 2000), (20, 400)])
def test_one_ratio_is_found_as_often_as_two_t_tests_agree(seeds: int, images: int) -> None:
    """The intersection of two tests lies between a single test and two that are independent of each other."""
    difference = smallest_difference(images, seeds, 1)
    assert difference is not None
    error = np.sqrt((0.01**2 + 0.05 / images) / seeds + 0.05 / images)
    single, independent = stats.norm.ppf(0.8) + 1.96, stats.norm.ppf(np.sqrt(0.8)) + stats.t.ppf(0.975, seeds - 1)
    assert single < difference / error < independent


def test_the_smallest_difference_falls_with_images_and_seeds_and_rises_with_ratios() -> None:
    base = smallest_difference(100, 8, 4)
    assert base is not None
    for images, seeds, ratios in ((400, 8, 4), (100, 12, 4), (100, 8, 1)):
        other = smallest_difference(images, seeds, ratios)
        assert other is not None
        assert other < base
    assert detectable(50, 8, 4).limited_by == "test images"
    assert detectable(20_000, 8, 4).limited_by == "seeds"


@pytest.mark.parametrize(
    ("n_test", "seeds", "ratios", "words"),
    [
        (100, 8, 4, "uncertain by ±7.0 points"),
        (100, 8, 4, f"A true difference of {100 * smallest_difference(100, 8, 4):.1f} points is found four times"),
        (100, 3, 1, "a quick look that claims nothing: the protocol asks for 6"),
        (1, 8, 4, "So few cannot show any difference"),
    ],
)
def test_what_can_be_shown_is_said_before(n_test: int, seeds: int, ratios: int, words: str) -> None:
    assert words in foretold(n_test, seeds, ratios)
