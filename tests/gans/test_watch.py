"""What is looked at beside the losses at snapshots, and how an alarm reaches the run's status."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from engine.configs import DcganConfig, StyleganConfig
from engine.gans.data import TrainingImages
from engine.gans.watch import Watch, as_shown
from engine.store.home import Home
from engine.store.runs import Run, create_run

CPU = torch.device("cpu")


@pytest.fixture
def pixels() -> np.ndarray:
    """80 pictures that have an upper side: bright above, and smooth noise."""
    random = np.random.default_rng(0)
    noise = np.stack([gaussian_filter(random.normal(0, 1, (16, 16)), 2) for _ in range(80)])
    return (np.linspace(200, 60, 16)[:, None] + 200 * noise).clip(0, 255).astype(np.uint8)[..., None]


def watch(home: Home, pixels: np.ndarray, **changes: Any) -> tuple[Watch, Run]:
    config = StyleganConfig.build({"dataset": "d", "augpipe": "blit", "grid": 36, **changes})
    images = TrainingImages(pixels, np.zeros(len(pixels)), ["0"] * len(pixels), CPU)
    run = create_run(home, config.plain(), "train")
    return Watch(run, config, images, 100.0), run


def never_asked(seeds: Sequence[int]) -> np.ndarray:
    raise AssertionError("nobody needs samples for this")


def test_diversity_is_relative_to_as_many_reals(home: Home, pixels: np.ndarray) -> None:
    watched, _ = watch(home, pixels)
    grid = watched.images.examples(36, 0)
    assert watched.scores(grid, never_asked, 0.2) == {"diversity": pytest.approx(1.0)}
    assert watched.scores(grid[:1].repeat(36, 0), never_asked, 0.2)["diversity"] == pytest.approx(0)


def test_a_single_real_picture_has_no_diversity_to_compare_with(home: Home, pixels: np.ndarray) -> None:
    watched, _ = watch(home, pixels[:1].repeat(5, 0))
    assert watched.scores(pixels[:36], never_asked, 0.2) == {}


def test_leaks_are_looked_for_where_p_makes_them_likely(home: Home, pixels: np.ndarray) -> None:
    watched, _ = watch(home, pixels)
    clean = watched.scores(pixels[:36], lambda seeds: pixels[np.arange(len(seeds)) % 80], 0.9)
    assert clean["leaking"] == 0
    assert watched.leak == ""
    turned = np.stack([np.rot90(picture, number) for number, picture in enumerate(pixels)])
    leaking = watched.scores(pixels[:36], lambda seeds: turned[np.arange(len(seeds)) % 80], 0.9)
    assert leaking["leaking"] > 0
    assert "turned by 90 degrees" in watched.leak


def test_alarms_are_raised_once(home: Home, pixels: np.ndarray, caplog: pytest.LogCaptureFixture) -> None:
    watched, run = watch(home, pixels)
    rows = [{"kimg": float(kimg), "diversity": 0.1, "augment_p": 0.9} for kimg in range(1, 40)]
    for count in range(30, 40):
        watched.raise_alarms(rows[:count])
    raised = run.status().alarms
    assert [alarm.name for alarm in raised] == ["collapse", "ada-saturated"]
    assert all(alarm.kimg == 30 and alarm.sentence for alarm in raised)
    assert caplog.text.count("Alarm: ") == 2


def test_reals_are_mirrored_as_the_training_mirrors_them(pixels: np.ndarray) -> None:
    plain = StyleganConfig(dataset="d")
    assert np.array_equal(as_shown(pixels, plain), pixels)
    across = as_shown(pixels, StyleganConfig(dataset="d", mirror=True))
    assert np.array_equal(across[::2], pixels[::2, :, ::-1])
    assert np.array_equal(across[1::2], pixels[1::2])
    down = as_shown(pixels, StyleganConfig(dataset="d", mirror_vertical=True))
    assert np.array_equal(down[:40], pixels[:40, ::-1])
    assert np.array_equal(down[40:], pixels[40:])


def test_a_dcgan_has_no_augmentations_to_leak(home: Home, pixels: np.ndarray) -> None:
    config = DcganConfig(dataset="d", grid=36)
    images = TrainingImages(pixels, np.zeros(len(pixels)), ["0"] * len(pixels), CPU)
    watched = Watch(create_run(home, config.plain(), "train"), config, images, 100.0)
    assert set(watched.scores(pixels[:36], never_asked, 0.0)) == {"diversity"}
