"""What a test part can show, and a split that is not the one asked for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from engine.datasets.smallest_difference import ASSUMED_ACCURACY, DISAGREEMENT, POWER, smallest_difference
from engine.datasets.split_findings import small_test, uneven_split
from engine.sweep import power


@pytest.mark.parametrize("n_test", [60, 150, 600])
def test_the_smallest_difference_is_found_four_times_in_five(n_test: int) -> None:
    """Simulated: two classifiers on the same images, compared by the exact test of McNemar."""
    difference = smallest_difference(n_test)
    assert difference is not None
    rng = np.random.default_rng(0)
    disagree = max(DISAGREEMENT, difference)
    better, worse = (disagree + difference) / 2, (disagree - difference) / 2
    one, other, _ = rng.multinomial(n_test, [better, worse, 1 - better - worse], 20_000).T
    p = 2 * stats.binom.cdf(np.minimum(one, other), one + other, 0.5)
    assert (p < 0.05).mean() == pytest.approx(POWER, abs=0.07)


def test_it_falls_with_more_images_and_none_is_shown_by_a_few() -> None:
    assert smallest_difference(5) is None
    assert smallest_difference(40) is None, "more than the errors of a classifier that is right for 85 %"
    sizes = [smallest_difference(n) for n in (60, 100, 400, 4000)]
    assert sizes == sorted(sizes, reverse=True)  # type: ignore[type-var]
    assert sizes[-1] == pytest.approx(2.8 * np.sqrt(DISAGREEMENT / 4000), rel=0.02)


def test_the_assumptions_are_those_of_the_sweep() -> None:
    assumed = power.USUAL_ACCURACY, power.disagreement_at(power.USUAL_ACCURACY), power.POWER
    assert assumed == pytest.approx((ASSUMED_ACCURACY, DISAGREEMENT, POWER))


def rows(splits: dict[str, int], groups: list[str] | None = None) -> pd.DataFrame:
    split = [name for name, count in splits.items() for _ in range(count)]
    names = [f"{number}" for number in range(len(split))]
    classes = ["a", "b"] * len(split)
    return pd.DataFrame(
        {"split": split, "class": classes[: len(split)], "group": groups or "", "sha256": names, "near": ""}
    )


def test_a_small_test_part_is_named_with_what_it_can_show() -> None:
    assert list(small_test(rows({"train": 900, "test": 200}))) == []
    (few,) = small_test(rows({"train": 60, "test": 6}))
    assert "6 images: no classifier could be shown to be better" in few["sentence"]
    (some,) = small_test(rows({"train": 60, "test": 60}))
    assert "a classifier must be 13 points better" in some["sentence"]
    (grouped,) = small_test(rows({"train": 2, "test": 200}, [f"P{number // 50}" for number in range(202)]))
    assert "200 images of 5 patients" in grouped["sentence"]
    assert list(small_test(rows({"": 40}))) == []


def test_sets_of_copies_and_guessed_groups_are_no_patients() -> None:
    table = rows({"train": 2, "test": 10}, ["", "", "copies-00000001", "copies-00000001", *[""] * 8])
    (joined,) = small_test(table.assign(given_group=""))
    assert "10 images, 9 of them independent (what belongs together counts once)" in joined["sentence"]
    assert "patient" not in joined["sentence"]
    (skewed,) = uneven_split(table.assign(group="copies-00000001", given_group=""), (0.7, 0.15, 0.15))
    assert "one set of copies has 100 % of the images; more images would" in skewed["sentence"]


def test_few_images_of_one_class_are_named() -> None:
    table = rows({"train": 100, "test": 300})
    table.loc[table["split"] == "test", "class"] = "a"
    table.loc[table.index[-3:], "class"] = "b"
    (found,) = small_test(table)
    assert "of class b it has 3" in found["sentence"]


def test_shares_far_from_those_wanted_are_said_with_their_cause() -> None:
    wanted = (0.7, 0.15, 0.15)
    assert list(uneven_split(rows({"train": 70, "valid": 15, "test": 15}), wanted)) == []
    uneven = rows({"train": 92, "valid": 5, "test": 3}, ["P1"] * 75 + [f"P{n}" for n in range(2, 27)])
    (found,) = uneven_split(uneven, wanted)
    assert "70/15/15 % of the images, reached 92/5/3 %, since one patient has 75 %" in found["sentence"]
    assert list(uneven_split(uneven, None)) == []
