"""The frozen backbone against torchvision's own, whatever the batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from torchvision.transforms import v2

from engine.features.backbones import Backbone, open_backbone
from engine.store.errors import ErsatzError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def backbone(random_weights: Path) -> Backbone:
    return open_backbone("resnet50", random_weights, CPU)


def images(n: int, channels: int, size: int = 40) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 256, (n, size, size, channels), dtype=np.uint8)


@pytest.mark.slow
def test_features_are_torchvisions(backbone: Backbone, random_weights: Path) -> None:
    net = torchvision.models.resnet50().eval()
    net.load_state_dict(torch.load(random_weights, weights_only=True))
    net.fc = torch.nn.Identity()
    prepare = v2.Compose(
        [
            v2.ToDtype(torch.float32, scale=True),
            v2.Resize((224, 224), antialias=True),
            v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    for channels in (1, 3):
        part = images(2, channels)
        rgb = torch.from_numpy(np.broadcast_to(part, (2, 40, 40, 3)).copy()).permute(0, 3, 1, 2)
        with torch.inference_mode():
            expected = net(prepare(rgb)).numpy()
        found = backbone.features(part)
        assert found.dtype == np.float32
        assert found.shape == (2, 2048)
        tolerance = 0.02 if backbone.precision == torch.bfloat16 else 1e-4
        assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.slow
def test_features_of_an_image_do_not_depend_on_its_batch(backbone: Backbone) -> None:
    part = images(34, 1, 32)
    together = backbone.features(part)
    assert np.array_equal(together[31:], backbone.features(part[31:]))
    assert np.array_equal(together[5:6], backbone.features(part[5:6]))


@pytest.mark.slow
def test_views_change_the_features_and_repeat_by_seed(backbone: Backbone) -> None:
    part = images(2, 1)
    seen = backbone.features(part, [7, 8])
    assert np.array_equal(seen[1:], backbone.features(part[1:], [8]))
    assert not np.array_equal(seen[1:], backbone.features(part[1:], [7]))
    assert not np.array_equal(seen, backbone.features(part))


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save(torchvision.models.resnet18().state_dict(), tmp_path / "other.pth")
    with pytest.raises(ErsatzError, match=r"other\.pth does not hold the weights of resnet50"):
        open_backbone("resnet50", tmp_path / "other.pth", CPU)


def test_features_that_are_not_finite_are_refused(random_weights: Path, tmp_path: Path) -> None:
    state = torch.load(random_weights, weights_only=True)
    state["layer4.2.bn3.weight"].fill_(torch.nan)
    torch.save(state, tmp_path / "broken.pth")
    with pytest.raises(ErsatzError, match=r"not finite numbers with broken\.pth"):
        open_backbone("resnet50", tmp_path / "broken.pth", CPU).features(images(1, 1))
