"""What is said before a sweep starts: what it hangs on. That simulated sweeps keep it: `test_power.py`."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from engine.sweep.expected_luck import (
    DISAGREEMENT,
    LASTING,
    SEED_SPREAD,
    Design,
    Luck,
    disagreement_at,
    expected_luck,
    independent_images,
)
from engine.sweep.foresight import design_of
from engine.sweep.power import Pilot, detectable, foretold, smallest_difference
from tests.sweep.promised import PROMISED, design_of_world, pilot_of


def design(*shares: int, images: int = 1) -> Design:
    """So many patients of each class, each of so many images."""
    labels = np.repeat(np.arange(len(shares)), shares)
    return Design(
        tuple(np.repeat(labels, images).tolist()),
        tuple(np.repeat(np.arange(len(labels)), images).tolist()),
        len(shares),
        len(shares) - 1,
    )


@pytest.mark.parametrize(("n", "points"), [(50, 9.9), (100, 7.0), (200, 4.9), (500, 3.1)])
def test_half_widths_are_those_stated(n: int, points: float) -> None:
    assert detectable(design(n // 2, n // 2), "accuracy", 3, 4).half_width * 100 == pytest.approx(points, abs=0.05)


def test_images_of_one_patient_count_as_fewer() -> None:
    together = independent_images(design(10, 10, images=11), 0.85)
    assert 20 < together < 0.5 * 220
    assert independent_images(design(110, 110), 0.85) == 220


def test_the_luck_of_accuracy_is_what_is_assumed() -> None:
    """The variances that the assumptions give in closed form."""
    luck = expected_luck(design(100, 100), "accuracy", 0.85)
    assert luck is not None
    assert luck.lasting == pytest.approx(DISAGREEMENT * LASTING / 200, rel=0.1)
    assert luck.per_seed == pytest.approx(SEED_SPREAD**2 + DISAGREEMENT * (1 - LASTING) / 200, rel=0.1)
    assert disagreement_at(0.94) < 0.6 * disagreement_at(0.85) == pytest.approx(0.6 * DISAGREEMENT)


def test_a_rare_class_makes_its_metrics_as_uncertain_as_it_is_small() -> None:
    rare = design(200, 20)
    of = {metric: expected_luck(rare, metric, 0.85) for metric in ("accuracy", "balanced_accuracy", "sensitivity")}
    lasting = [luck.lasting for luck in of.values() if luck is not None]
    assert lasting[1] / lasting[0] == pytest.approx((1 / 20 + 1 / 200) / 4 * 220, rel=0.2)
    assert lasting[2] / lasting[0] == pytest.approx(220 / 20, rel=0.2)
    assert expected_luck(design(200, 0), "sensitivity", 0.85) is None


def test_images_of_one_patient_add_luck_together() -> None:
    alone, together = (expected_luck(each, "accuracy", 0.85) for each in (design(110, 110), design(10, 10, images=11)))
    assert alone is not None
    assert together is not None
    assert 2 < together.lasting / alone.lasting < 11


@pytest.mark.parametrize(("seeds", "images"), [(8, 100), (20, 400)])
def test_one_ratio_is_found_as_often_as_two_t_tests_agree(seeds: int, images: int) -> None:
    """The intersection of two tests lies between a single test and two that are independent of each other."""
    luck = Luck(0.01**2 + 0.05 / images, 0.05 / images, images)
    difference = smallest_difference(luck, seeds, 1)
    assert difference is not None
    error = math.sqrt(luck.variance(seeds))
    single, independent = stats.norm.ppf(0.8) + 1.96, stats.norm.ppf(math.sqrt(0.8)) + stats.t.ppf(0.975, seeds - 1)
    assert single < difference / error < independent


def test_the_smallest_difference_falls_with_images_and_seeds_and_rises_with_ratios() -> None:
    base = detectable(design(50, 50), "accuracy", 8, 4)
    assert base.difference is not None
    for other in (
        detectable(design(200, 200), "accuracy", 8, 4),
        detectable(design(50, 50), "accuracy", 12, 4),
        detectable(design(50, 50), "accuracy", 8, 1),
        detectable(design(50, 50), "accuracy", 8, 4, accuracy=0.9),
    ):
        assert other.difference is not None
        assert other.difference < base.difference
    assert base.limited_by == "test images"
    few, more = (detectable(design(200, 200), "accuracy", 8, 4, generators=count) for count in (2, 4))
    assert more.difference > detectable(design(200, 200), "accuracy", 8, 4).difference
    assert few.difference is None
    assert few.refusal.startswith("2 generators of a class cannot show any difference of accuracy four times in five")
    assert "the 4 generators of a class are taken to differ no more than seeds do" in more.promise
    assert detectable(design(50, 50), "accuracy", 5, 4).difference is None, "fewer seeds than the protocol asks for"


def test_a_pilot_takes_the_place_of_the_assumptions() -> None:
    tested = design(100, 100)
    expected = expected_luck(tested, "accuracy", 0.85)
    assert expected is not None
    assumed = detectable(tested, "accuracy", 8, 4)
    same = detectable(tested, "accuracy", 8, 4, 0.7, Pilot(name="first", luck=expected, accuracy=0.85))
    assert same.difference == pytest.approx(assumed.difference, rel=0.05)
    assert "if arms differ by as much luck as in the sweep first" in same.promise
    calm = replace(expected, per_seed=expected.per_seed / 4, lasting=expected.lasting / 4)
    quarter = detectable(tested, "accuracy", 8, 4, 0.85, Pilot(name="first", luck=calm, accuracy=0.85))
    assert assumed.difference is not None
    assert quarter.difference == pytest.approx(assumed.difference / 2, rel=0.15)


def test_a_sweep_tells_the_luck_of_its_world() -> None:
    """From what a summary keeps of the comparisons, about as much as the assumptions that the world was made by."""
    world, accuracy = PROMISED["accuracy, 600 images"]
    tested = design_of_world(world)
    pilot, expected = pilot_of(world, accuracy, 7, tested), expected_luck(tested, "accuracy", accuracy)
    assert expected is not None
    assert pilot.accuracy == pytest.approx(accuracy, abs=0.04)
    assert pilot.luck.lasting == pytest.approx(expected.lasting, rel=0.4)
    assert pilot.luck.per_seed == pytest.approx(expected.per_seed, rel=0.6)
    assert 0 < pilot.luck.between[0] < pilot.luck.between[1] < 1, "those to the real images share the real arm, too"


@pytest.mark.parametrize(
    ("tested", "metric", "seeds", "words"),
    [
        (design(50, 50), "accuracy", 8, ("uncertain by ±7.0 points", "points of accuracy, to the duplicates and to")),
        (design(50, 50), "accuracy", 8, ("if 85 % of each class are named right, two classifiers of a seed disagree",)),
        (design(90, 90), "auroc", 8, ("A true difference of 0.0", "of AUROC")),
        (design(30, 30, images=4), "accuracy", 8, ("half of what befalls an image befalls all images of its patient",)),
        (design(50, 50), "accuracy", 3, ("a quick look that claims nothing: the protocol asks for 6",)),
        (design(200, 6), "sensitivity", 8, ("So few cannot show any difference of sensitivity four times in five",)),
        (design(1, 0), "accuracy", 8, ("So few cannot show any difference of accuracy",)),
    ],
)
def test_what_can_be_shown_is_said_before(tested: Design, metric: str, seeds: int, words: tuple[str, ...]) -> None:
    said = foretold(detectable(tested, metric, seeds, 4), seeds)
    assert all(each in said for each in words), said


def test_patients_are_counted_as_the_verdict_counts_them() -> None:
    images = pd.DataFrame(
        {"path": ["a", "b", "c", "d"], "class": ["x", "x", "y", "y"], "group": ["p", "p", "", "q"], "patient": ""}
    ).drop(columns="patient")
    by_image, by_patient = (design_of(images, ["x", "y"], 1, level) for level in ("image", "patient"))
    assert (by_image.labels, by_image.patients) == ((0, 0, 1, 1), 3)
    assert len(by_patient.labels) == by_patient.patients == 3
