"""What is written down of the publications: its arithmetic, and that no departure goes unsaid."""

from __future__ import annotations

from typing import get_args

import pytest

from engine.configs import SweepConfig
from engine.publications.presets import PRESETS
from engine.publications.publication import Publication
from engine.publications.table import HEADS, PUBLICATIONS

FLAWS = {
    "dropped-runs": "Runs left out",
    "synthetic-in-test": "Test set",
    "test-is-validation": "Test set",
    "augmented-test": "Augmented tests",
}


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "demo"])
def test_every_preset_but_the_demo_says_what_it_repeats(name: str) -> None:
    preset = PRESETS[name]
    assert PUBLICATIONS[name].name == name
    assert preset.sweep["repeats"] == name
    assert preset.published.get("repeats", name) == name
    assert not PRESETS["demo"].published
    assert "demo" not in PUBLICATIONS


def test_configs_can_name_every_published_head_and_nothing_else() -> None:
    assert {*HEADS, "linear", "probe"} == set(get_args(SweepConfig.model_fields["head"].annotation))
    for publication in PUBLICATIONS.values():
        assert (publication.head is None) == (not publication.preset.published)


@pytest.mark.parametrize("publication", PUBLICATIONS.values(), ids=PUBLICATIONS)
def test_every_flaw_that_is_repeated_is_listed_as_a_difference(publication: Publication) -> None:
    listed = {difference.what: difference for difference in publication.differences}
    assert len(listed) == len(publication.differences), "each difference has a name of its own"
    for flaw in PRESETS[publication.name].published.get("flaws", ()):
        assert FLAWS[flaw] in listed
    for difference in publication.differences:
        assert all((difference.theirs, difference.ours, difference.why.endswith(".")))


def test_head_ct_rows_are_impossible_as_we_say() -> None:
    """Accuracy lies between sensitivity and specificity in two of three rows, and none is a number of 22 images."""
    rows = PUBLICATIONS["head-ct"].rows
    between = [
        min(row.sensitivity, row.specificity) <= row.accuracy <= max(row.sensitivity, row.specificity) for row in rows
    ]
    assert between == [True, False, True]
    for row in rows:
        right = row.accuracy * row.n_test
        assert abs(right - round(right)) > 22 * 0.5e-4, "not even after rounding to the digits that were given"


def test_chest_ct_row_is_142_of_144() -> None:
    (row,) = PUBLICATIONS["chest-ct"].rows
    assert round(row.accuracy * row.n_test, 9) == 142
    assert f"{row.accuracy:.4f}" == "0.9861"


def test_published_arms_are_arms_of_the_published_sweeps() -> None:
    for publication in PUBLICATIONS.values():
        for row in publication.rows:
            settings = PRESETS[publication.name].published
            assert row.arm in settings["arms"]
            assert row.ratio == 0 or row.ratio in settings["ratios"]
