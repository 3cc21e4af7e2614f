"""Extractors by name: what auto stands for, pixels without weights, and one sentence where weights are absent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.features import extractors
from engine.features.extractors import EXTRACTORS, choose_extractor, open_extractor
from engine.store.errors import ErsatzError

CPU = torch.device("cpu")


def images(n: int, channels: int, size: int) -> np.ndarray:
    return np.random.default_rng(size).integers(0, 256, (n, size, size, channels), dtype=np.uint8)


@pytest.mark.parametrize("name", [name for name in EXTRACTORS if name != "pixels"])
def test_absent_weights_are_one_sentence_with_a_way_out(name: str, tmp_path: Path) -> None:
    with pytest.raises(ErsatzError, match=r"does not exist.*choose the extractor pixels, which needs none"):
        open_extractor(name, CPU, str(tmp_path / "absent.pth"))


def test_auto_takes_the_first_whose_weights_are_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ERSATZ_WEIGHTS", raising=False)
    here = {"resnet50", "inception"}
    monkeypatch.setattr(extractors, "available", here.__contains__)
    assert choose_extractor("auto") == "inception"
    assert choose_extractor("resnet50") == "resnet50"
    here.clear()
    assert choose_extractor("auto") == "pixels"
    assert open_extractor("auto", CPU).name == "pixels"


def test_one_file_in_the_environment_is_one_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file, chosen in (("resnet50-0676ba61.pth", "resnet50"), ("mine.pth", "pixels")):
        (tmp_path / file).touch()
        monkeypatch.setenv("ERSATZ_WEIGHTS", str(tmp_path / file))
        assert choose_extractor("auto") == chosen


def test_weights_without_the_name_of_their_network_are_refused() -> None:
    with pytest.raises(ErsatzError, match=r"dino\.pth are given, and the extractor is auto"):
        open_extractor("auto", CPU, "dino.pth")


@pytest.mark.parametrize(("channels", "size"), [(1, 64), (3, 96), (3, 16)])
def test_pixels_are_the_image_shrunk(channels: int, size: int) -> None:
    extractor = open_extractor("pixels", CPU)
    shown = images(3, channels, size)
    found = extractor.features(shown)
    assert found.shape == (3, extractor.dim) == (3, 3072)
    assert np.allclose(extractor.features(np.full_like(shown, 200)), (200 - 128) / 128, atol=1e-6)
    each = np.concatenate([extractor.features(one[None]) for one in shown])
    assert np.array_equal(found, each)


def test_pixels_of_32_px_are_the_pixels_themselves() -> None:
    shown = images(2, 3, 32)
    expected = (shown.transpose(0, 3, 1, 2).astype(np.float32) - 128) / 128
    assert np.allclose(open_extractor("pixels", CPU).features(shown), expected.reshape(2, -1), atol=1e-6)
