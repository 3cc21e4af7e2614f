"""The frozen backbone against torchvision's own, whatever the batch."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from torchvision.transforms import v2

from engine.configs.evaluation import BACKBONES
from engine.features.backbones import TORCHVISION, Backbone, Preparation, open_backbone
from engine.features.sources import SOURCES
from engine.store.errors import ErsatzError
from tests.float32 import EXACT, Arithmetic, arithmetic, fast  # noqa: F401  (fixture)

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


@pytest.mark.slow
@pytest.mark.parametrize("name", TORCHVISION)
@torch.inference_mode()
def test_features_are_what_the_last_layer_of_torchvisions_network_sees(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = torchvision.models.get_model(name).eval()
    state = net.state_dict()
    if name == "densenet121":  # its published file has these older names
        state = {re.sub(r"(denselayer\d+\.(?:norm|conv))", r"\1.", key): value for key, value in state.items()}
        assert "features.denseblock1.denselayer1.norm.1.weight" in state
    torch.save(state, tmp_path / "random.pth")
    backbone = open_backbone(name, tmp_path / "random.pth", CPU)
    seen: list[torch.Tensor] = []
    last = [part for part in net.modules() if isinstance(part, torch.nn.Linear)][-1]
    last.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    size = 224 if name == "vit_b_16" else 64
    images = torch.randn(1, 3, size, size)
    net(images)
    # By length: kernels of other layouts and instructions round a few numbers of thousands by more than the rest.
    assert (backbone.module(images) - seen[0]).norm() < 1e-4 * seen[0].norm()
    assert seen[0].shape == (1, backbone.dim)


@pytest.mark.parametrize("name", TORCHVISION)
def test_files_and_preparation_are_those_of_torchvisions_weights(name: str) -> None:
    network = TORCHVISION[name]
    known = {weights.url.rpartition("/")[2]: weights for weights in torchvision.models.get_model_weights(name)}
    assert set(SOURCES[name].files) <= set(known)
    for file in SOURCES[name].files:
        preset = known[file].transforms()
        assert (preset.crop_size, preset.interpolation.value) == ([network.size], network.mode)
        assert (tuple(preset.mean), tuple(preset.std)) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_every_backbone_of_the_settings_has_a_source() -> None:
    assert set(BACKBONES) == {*TORCHVISION, "dinov2", "inception"}
    assert set(BACKBONES) <= set(SOURCES)


@pytest.mark.slow
def test_timms_networks_by_name(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm", reason="the extra timm is not installed")
    torch.manual_seed(0)
    net = timm.create_model("mobilenetv3_small_100").eval()
    torch.save(net.state_dict(), tmp_path / "random.pth")
    backbone = open_backbone("timm:mobilenetv3_small_100", tmp_path / "random.pth", CPU)
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        expected = net.forward_head(net.forward_features(images), pre_logits=True)
        torch.testing.assert_close(backbone.module(images), expected, rtol=1e-4, atol=1e-5)
    assert expected.shape == (2, backbone.dim)
    assert backbone.preprocessing.startswith("resize 224 bicubic antialias, ImageNet mean and std, timm's pooling")
    with pytest.raises(ErsatzError, match=r"random\.pth does not hold the weights of timm:resnet18"):
        open_backbone("timm:resnet18", tmp_path / "random.pth", CPU)
    with pytest.raises(ErsatzError, match="has no pretrained network resnet_of_nobody"):
        open_backbone("timm:resnet_of_nobody", tmp_path / "random.pth", CPU)


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


def test_features_are_exact_float32_whatever_training_was_allowed(fast: Arithmetic) -> None:  # noqa: F811
    """Resizing (products in the Frechet distance's way), warping, normalising and the network alike."""
    seen: list[Arithmetic] = []

    def look(x: torch.Tensor) -> torch.Tensor:
        seen.append(arithmetic())
        return x

    class Network(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return look(x).mean((2, 3))

    backbone = Backbone("seen", Network(), 3, Preparation("none", look, look), "", "", CPU, torch.float32)
    assert backbone.features(images(2, 1, 8)).shape == (2, 3)
    assert seen == [EXACT] * 3
