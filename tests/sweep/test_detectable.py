"""What is said before a sweep starts: the numbers of the design notes, and promises that simulated sweeps keep."""

from __future__ import annotations

import numpy as np
import pytest

from engine.sweep.power import (
    detectable,
    foretold,
    larger_test_set,
    seeds_needed,
    seeds_to_claim,
    smallest_difference,
)


@pytest.mark.parametrize(("n", "points"), [(50, 9.9), (100, 7.0), (200, 4.9), (500, 3.1)])
def test_half_widths_are_those_stated(n: int, points: float) -> None:
    assert detectable(n, 8, 4).half_width * 100 == pytest.approx(points, abs=0.05)


def test_says_what_so_many_seeds_and_ratios_can_claim() -> None:
    assert detectable(100, 8, 4).smallest_p_holm == pytest.approx(4 / 128)
    few = detectable(100, 6, 4)
    assert few.smallest_p_holm == pytest.approx(4 / 32)
    assert few.difference is None
    assert seeds_to_claim(4) == 8
    assert seeds_to_claim(1) == 6


def test_the_smallest_difference_falls_with_images_and_seeds_and_rises_with_ratios() -> None:
    base = smallest_difference(100, 8, 4)
    assert base is not None
    for images, seeds, ratios in ((400, 8, 4), (100, 12, 4), (100, 8, 1)):
        other = smallest_difference(images, seeds, ratios)
        assert other is not None
        assert other < base
    assert detectable(50, 8, 4).limited_by == "test images"
    assert detectable(20_000, 8, 4).limited_by == "seeds"


def test_seeds_needed_grow_with_spread_and_end_at_none() -> None:
    few, many = seeds_needed(0.02, 0.01, 4), seeds_needed(0.02, 0.04, 4)
    assert few is not None
    assert many is not None
    assert 8 <= few < many
    assert seeds_needed(0.0001, 0.04, 4) is None
    assert seeds_needed(0.0, 0.0, 4) is None


def test_seeds_cannot_make_up_for_a_small_test_set() -> None:
    assert seeds_needed(0.02, 0.02, 4, image_variance=0.01**2) is None
    larger = larger_test_set(0.02, 0.01**2 / 8, 0.01**2, 4)
    assert larger is not None
    noise = np.sqrt(0.01**2 / 8 + 0.01**2 / larger)
    assert 0.02 / noise == pytest.approx(2.4977 + 0.8416, abs=1e-3)  # normal quantiles of 1 - 0.05 / 8 and of 0.8
    assert larger_test_set(0.02, 0.02**2, 0.01**2, 4) is None


@pytest.mark.parametrize(
    ("n_test", "seeds", "ratios", "words"),
    [
        (100, 8, 4, "uncertain by ±7.0 points"),
        (100, 8, 4, f"A true difference of {100 * smallest_difference(100, 8, 4):.1f} points is found four times"),
        (100, 3, 1, "a quick look that claims nothing; 6 seeds make a claim possible"),
        (1, 8, 4, "So few cannot show any difference"),
    ],
)
def test_what_can_be_shown_is_said_before(n_test: int, seeds: int, ratios: int, words: str) -> None:
    assert words in foretold(n_test, seeds, ratios)
