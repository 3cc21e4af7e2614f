"""Every preset must be a journey that the configs accept."""

from __future__ import annotations

import pytest

from engine.configs import JourneyConfig
from engine.presets import PRESETS, STEPS, preset, step_settings
from engine.store.errors import ErsatzError


@pytest.mark.parametrize("name", PRESETS)
def test_preset_builds_every_step(name: str) -> None:
    settings = step_settings(JourneyConfig(preset=name, source="" if name == "demo" else "/data"))
    assert set(settings) == set(STEPS)


def test_head_ct_is_the_published_system() -> None:
    published = preset("head-ct")
    assert published.importing["split_counts"] == (144, 34, 22)
    assert (published.importing["size"], published.importing["resize"]) == (32, "pad")
    train = published.train_settings()
    assert train["gan"] == "dcgan"
    assert (train["batch"], train["soft_labels"], train["flip_probability"]) == (16, 0.1, 0.05)


def test_overrides_win_and_unknown_steps_are_named() -> None:
    settings = step_settings(JourneyConfig(overrides={"train": {"kimg": 1.0}}))
    assert settings["train"]["kimg"] == 1.0
    with pytest.raises(ErsatzError, match="no step trian"):
        step_settings(JourneyConfig(overrides={"trian": {}}))
    with pytest.raises(ErsatzError, match="kimgs is 1"):
        step_settings(JourneyConfig(overrides={"train": {"kimgs": 1}}))


def test_published_presets_ask_for_their_files() -> None:
    with pytest.raises(ErsatzError, match="--source"):
        step_settings(JourneyConfig(preset="head-ct"))
    with pytest.raises(ErsatzError, match="expected one of demo, head-ct"):
        step_settings(JourneyConfig(preset="chest-xray"))
