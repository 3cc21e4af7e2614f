"""Lists in `--set` as people write them, and settings of a preset that a change makes void."""

from __future__ import annotations

import pytest

from engine.cli.options import assignments
from engine.configs import ImportConfig, PipelineConfig, SweepConfig
from engine.publications.presets import step_settings
from engine.store.errors import ErsatzError

STEPS = {"import": (ImportConfig,), "sweep": (SweepConfig,)}


@pytest.mark.parametrize("written", ["0.5,1", "0.5; 1", "0.5 1", "[0.5 1]", "(0.5, 1,)", "[0.5;1]"])
def test_numbers_and_fixed_words_with_anything_between(written: str) -> None:
    assert assignments([f"sweep.ratios={written}"], STEPS) == {"sweep": {"ratios": [0.5, 1.0]}}
    arms = written.replace("0.5", "real").replace("1", "real+synthetic")
    assert assignments([f"sweep.arms={arms}"], STEPS) == {"sweep": {"arms": ["real", "real+synthetic"]}}


def test_names_keep_their_spaces_and_semicolons() -> None:
    assert assignments(["import.only_classes=no finding,a;b"], STEPS) == {
        "import": {"only_classes": ["no finding", "a;b"]}
    }


def test_a_list_in_two_parts_is_not_half_forgotten() -> None:
    with pytest.raises(ErsatzError, match=r"two lists; one is expected.*arms=real,real\+synthetic"):
        assignments(["sweep.arms=real", "sweep.arms=real+synthetic"], STEPS)
    assert assignments(["sweep.seeds=3", "sweep.seeds=4"], STEPS) == {"sweep": {"seeds": 4}}


@pytest.mark.parametrize("name", ["chest-ct", "head-ct", "skin-lesions"])
def test_the_small_network_takes_the_place_of_the_published_one(name: str) -> None:
    """The weights error advises it; its own head must not be refused for the preset's sake."""
    small = {"classifier": "small-cnn"}
    config = PipelineConfig(preset=name, source="a", overrides={"published": small, "sweep": small})
    settings = step_settings(config)
    assert not {"head", "training"} & set(settings["published"])
    with pytest.raises(ErsatzError, match=r"In the step published: .*small-cnn"):
        step_settings(PipelineConfig(preset=name, source="a", overrides={"published": {**small, "head": "probe"}}))
