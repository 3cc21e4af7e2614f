"""The networks are the published ones: counted, shaped, initialised and conditioned as stated."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from engine.configs import DcganConfig
from engine.gans.dcgan.networks import SIZES, Discriminator, Generator
from engine.gans.image_spec import ImageSpec
from engine.store.errors import ErsatzError


def networks(architecture: str, spec: ImageSpec, **changes) -> tuple[Generator, Discriminator]:
    config = DcganConfig(dataset="discs", architecture=architecture, **changes)
    return Generator(config, spec), Discriminator(config, spec)


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


@pytest.mark.parametrize(
    ("architecture", "spec", "in_g", "in_d"),
    [
        ("da-dcgan", ImageSpec(32, 1), 4_870_785, 791_169),
        ("recipe", ImageSpec(64, 3), 3_576_704, 2_765_568),
        ("recipe", ImageSpec(64, 1), 3_574_656, 2_763_520),
    ],
)
def test_parameters_are_as_many_as_published(architecture: str, spec: ImageSpec, in_g: int, in_d: int) -> None:
    assert [parameters(network) for network in networks(architecture, spec)] == [in_g, in_d]


@pytest.mark.parametrize("architecture", ["recipe", "da-dcgan"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("classes", [0, 3])
def test_every_size_makes_and_judges_pictures(architecture: str, size: int, channels: int, classes: int) -> None:
    g, d = networks(architecture, ImageSpec(size, channels, classes), g_channels=8, d_channels=8)
    labels = torch.tensor([0, 2]) if classes else None
    with torch.no_grad():
        images = g(torch.randn(2, 100), labels)
        assert images.shape == (2, channels, size, size)
        assert images.abs().max() <= 1
        assert d(images, labels).shape == (2,)


@pytest.mark.parametrize("architecture", ["recipe", "da-dcgan"])
def test_the_class_changes_picture_and_judgement(architecture: str) -> None:
    g, d = networks(architecture, ImageSpec(32, 1, 2), g_channels=8, d_channels=8)
    z, zero, one = torch.randn(1, 100), torch.tensor([0]), torch.tensor([1])
    g.eval(), d.eval()
    with torch.no_grad():
        assert (g(z, zero) - g(z, one)).abs().max() > 1e-4
        assert (d(g(z, zero), zero) - d(g(z, zero), one)).abs().max() > 1e-6


def test_other_sizes_are_refused_with_the_remedy() -> None:
    with pytest.raises(ErsatzError, match=r"16 px wide; a DCGAN can make 32, 64, 128 px\. Import the data set again"):
        networks("recipe", ImageSpec(16, 1))


def test_recipe_is_initialised_as_published() -> None:
    torch.manual_seed(0)
    for network in networks("recipe", ImageSpec(64, 3)):
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) and module.weight.numel() > 10_000:
                assert module.weight.std().item() == pytest.approx(0.02, rel=0.05)
                assert module.weight.mean().item() == pytest.approx(0, abs=1e-3)
            if isinstance(module, nn.BatchNorm2d):
                assert module.weight.mean().item() == pytest.approx(1, abs=0.01)
                assert module.weight.std().item() == pytest.approx(0.02, rel=0.4)
                assert not module.bias.any()


def test_dropout_is_where_the_config_says() -> None:
    _, d = networks("recipe", ImageSpec(32, 1), d_channels=8, dropout=0.4)
    assert [module.p for module in d.modules() if isinstance(module, nn.Dropout)] == [0.4]
    _, d = networks("recipe", ImageSpec(32, 1), d_channels=8)
    assert not [module for module in d.modules() if isinstance(module, nn.Dropout)]
