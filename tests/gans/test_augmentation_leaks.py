"""The leak detector on pictures whose anatomy is known: a bright organ on one side of a dark body."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from engine.gans.augment.pipe import AugmentPipe
from engine.gans.augment.presets import PRESETS
from engine.gans.augmentation_leaks import GROUPS, leak_evidence


def spec(count: int, channels: int, seed: int, sided: bool = True, size: int = 32) -> np.ndarray:
    """uint8 [count, size, size, channels]: a body, an organ on its left (or in its middle), soft edges, grain."""
    random = np.random.default_rng(seed)
    y, x = (np.mgrid[0:size, 0:size] + 0.5) / size
    images = np.empty((count, size, size, channels))
    tint = np.array([1.0, 0.8, 0.6])[:channels]
    for image in images:
        tall, wide = random.normal(0.35, 0.02), random.normal(0.4, 0.02)
        body = ((y - random.normal(0.5, 0.02)) / tall) ** 2 + ((x - random.normal(0.5, 0.02)) / wide) ** 2 < 1
        place_y, place_x = random.normal(0.42, 0.02), random.normal(0.32 if sided else 0.5, 0.02)
        organ = (y - place_y) ** 2 + (x - place_x) ** 2 < random.normal(0.12, 0.01) ** 2
        grey = 30 + random.normal(80, 8) * body + random.normal(60, 8) * organ
        image[:] = (gaussian_filter(grey, 1) + random.normal(0, 3, (size, size)))[:, :, None] * tint
    return np.clip(images, 0, 255).astype(np.uint8)


def leaked(images: np.ndarray, operations: frozenset[str], p: float) -> np.ndarray:
    """What a generator that learned the operations would make."""
    torch.manual_seed(11)
    pipe = AugmentPipe(operations, images.shape[3])
    pipe.p.fill_(p)
    seen = pipe(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1)
    return (seen * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()


def channels_for(name: str) -> int:
    """Grey pictures are quicker, and have no colour."""
    return 3 if name == "changed in colour" else 1


@pytest.mark.parametrize("channels", [1, 3])
def test_clean_fakes_show_nothing(channels: int) -> None:
    found = leak_evidence(spec(120, channels, seed=0), spec(120, channels, seed=1), "bgcfnc", p=0.9)
    assert found["leaking"] == [] and found["sentence"] == ""
    assert set(found["groups"]) == {name for name in GROUPS if channels_for(name) <= channels}
    for name, group in found["groups"].items():
        assert group["visible"], name  # in these pictures every operation shows
        assert group["fakes"] < 0.2 and group["low"] <= group["fakes"] <= group["high"]


@pytest.mark.parametrize("name", list(GROUPS))
def test_each_group_is_found_when_it_leaks(name: str) -> None:
    operations, channels = GROUPS[name].operations, channels_for(name)
    fakes = leaked(spec(120, channels, seed=2), operations, p=0.8)
    small = ("blit", "geom", "color", "filter", "noise", "cutout")
    preset = next(preset for preset in small if operations & PRESETS[preset])
    found = leak_evidence(spec(120, channels, seed=0), fakes, preset, p=0.9)
    assert name in found["leaking"]
    assert found["leaking"][0] in found["sentence"] and "0.90" in found["sentence"]
    assert found["groups"][name]["leaked"] == pytest.approx(0.8, abs=0.3)


def test_mirroring_symmetric_anatomy_is_not_visible() -> None:
    symmetric = spec(120, 1, seed=0, sided=False)
    found = leak_evidence(symmetric, leaked(symmetric, frozenset({"xflip"}), 1), "blit", p=0.9)
    assert not found["groups"]["mirrored"]["visible"]
    assert "mirrored" not in found["leaking"]


def test_worse_than_any_leak_is_not_called_one() -> None:
    """All fakes mirrored: the augmentation itself would mirror half of them at most."""
    reals, fakes = spec(120, 1, seed=0), spec(120, 1, seed=1)[:, :, ::-1]
    found = leak_evidence(reals, np.ascontiguousarray(fakes), "blit", p=0.9)
    assert found["groups"]["mirrored"]["fakes"] > 0.9 and "mirrored" not in found["leaking"]


def test_without_augmentation_or_images_there_is_no_evidence() -> None:
    reals = spec(60, 1, seed=0)
    turned = np.ascontiguousarray(reals.swapaxes(1, 2))
    for found in (leak_evidence(reals, turned, "bgc", p=0), leak_evidence(reals[:30], turned, "bgc", p=1)):
        assert found["groups"] == {} and found["leaking"] == [] and found["sentence"] == ""


def test_the_same_seed_gives_the_same_evidence_and_leaves_the_training_alone() -> None:
    reals, fakes = spec(60, 1, seed=0), spec(60, 1, seed=1)
    torch.manual_seed(4)
    first = leak_evidence(reals, fakes, "medical", p=0.9, seed=3)
    after = torch.rand(1)
    torch.manual_seed(4)
    assert torch.equal(after, torch.rand(1))
    assert leak_evidence(reals, fakes, "medical", p=0.9, seed=3) == first
    assert set(first["groups"]) == {
        "shifted",
        "zoomed, stretched or rotated",
        "changed in brightness or contrast",
    }


def test_large_images_are_reduced_or_cropped() -> None:
    reals, fakes = spec(60, 1, seed=0, size=96), spec(60, 1, seed=1, size=96)
    found = leak_evidence(reals, leaked(fakes, GROUPS["noisy"].operations, 1), "bgcfn", p=0.9)
    assert "noisy" in found["leaking"]
