"""DCGAN (arXiv 1511.06434) in the two published forms, with the depth derived from the image size.

recipe     PyTorch's DCGAN recipe: a chain of transposed convolutions 4x4, ReLU, no biases; published at 64 px.
da-dcgan   the head-CT network: 128 channels throughout, 5x5 convolutions, biases everywhere; published at 32 px.

Each further doubling of the size adds one stage to both networks. A class-conditional network is the plain one
with the class joined to its input, as in arXiv 1411.1784: a one-hot vector behind `z` for the generator, one
constant plane a class (1 for the image's own, else 0) behind the colour channels for the discriminator.
"""

from __future__ import annotations

from itertools import pairwise
from math import log2
from typing import Any

import torch
from torch import Tensor, nn

from engine.configs import DcganConfig, parse_training
from engine.gans.image_spec import ImageSpec

SIZES = (32, 64, 128)


class Generator(nn.Module):
    """`z` [N, z_dim] and, if conditional, `labels` int64 [N] -> images [N, channels, size, size] in [-1, 1]."""

    one_hot: Tensor

    def __init__(self, config: DcganConfig, spec: ImageSpec):
        super().__init__()
        spec.require_size("a DCGAN", SIZES)
        self.z_dim = config.z_dim
        # A row of this table is a class's one-hot vector; not part of the state dict.
        self.register_buffer("one_hot", torch.eye(spec.classes), persistent=False)
        inputs = config.z_dim + spec.classes
        if config.architecture == "recipe":
            self.layers = recipe_generator(inputs, config.g_channels, spec)
            initialise_as_recipe(self)
        else:
            self.layers = da_dcgan_generator(inputs, spec)
            initialise_as_keras(self)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if self.one_hot.numel():
            z = torch.cat([z, self.one_hot[labels]], dim=1)
        return self.layers(z)


class Discriminator(nn.Module):
    """Images [N, channels, size, size] and, if conditional, `labels` int64 [N] -> logits [N], before the sigmoid."""

    one_hot: Tensor

    def __init__(self, config: DcganConfig, spec: ImageSpec):
        super().__init__()
        self.register_buffer("one_hot", torch.eye(spec.classes), persistent=False)
        inputs = spec.channels + spec.classes
        if config.architecture == "recipe":
            self.layers = recipe_discriminator(inputs, config.d_channels, config.dropout, spec)
            initialise_as_recipe(self)
        else:
            self.layers = da_dcgan_discriminator(inputs, config.dropout, spec)
            initialise_as_keras(self)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        if self.one_hot.numel():
            planes = self.one_hot[labels][:, :, None, None].expand(-1, -1, *images.shape[2:])
            images = torch.cat([images, planes], dim=1)
        return self.layers(images).flatten()


def recipe_generator(inputs: int, width: int, spec: ImageSpec) -> nn.Sequential:
    """4x4 pixels from z, then doublings that halve the channels down to `width`; [inputs] -> [channels, size, size]."""
    doublings = int(log2(spec.size // 4))
    widths = [width * 2**k for k in reversed(range(doublings))]
    layers: list[nn.Module] = [
        nn.Unflatten(1, (inputs, 1, 1)),
        nn.ConvTranspose2d(inputs, widths[0], 4, 1, 0, bias=False),
    ]
    for i, o in pairwise(widths):
        layers += [nn.BatchNorm2d(i), nn.ReLU(inplace=True), nn.ConvTranspose2d(i, o, 4, 2, 1, bias=False)]
    layers += [nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.ConvTranspose2d(width, spec.channels, 4, 2, 1, bias=False), nn.Tanh())


def recipe_discriminator(inputs: int, width: int, dropout: float, spec: ImageSpec) -> nn.Sequential:
    """The generator's mirror image, without BatchNorm in the first layer; [inputs, size, size] -> [1, 1, 1]."""
    halvings = int(log2(spec.size // 4))
    widths = [width * 2**k for k in range(halvings)]
    layers: list[nn.Module] = [nn.Conv2d(inputs, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)]
    for i, o in pairwise(widths):
        layers += [nn.Conv2d(i, o, 4, 2, 1, bias=False), nn.BatchNorm2d(o), nn.LeakyReLU(0.2, inplace=True)]
    if dropout:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 0, bias=False))


def da_dcgan_generator(inputs: int, spec: ImageSpec) -> nn.Sequential:
    """16x16 pixels from z by one dense layer, a doubling for each factor of two; [inputs] -> [channels, size, size].

    The slope of the generator's LeakyReLU is not published; it is the discriminator's 0.01 here.
    """
    layers: list[nn.Module] = [
        nn.Linear(inputs, 128 * 16 * 16),
        nn.BatchNorm1d(128 * 16 * 16),
        nn.LeakyReLU(0.01, inplace=True),
        nn.Unflatten(1, (128, 16, 16)),
    ]

    def stage(convolution: nn.Module) -> list[nn.Module]:
        return [convolution, nn.BatchNorm2d(128), nn.LeakyReLU(0.01, inplace=True)]

    layers += stage(nn.Conv2d(128, 128, 5, 1, 2))
    for _ in range(int(log2(spec.size // 16))):
        layers += stage(nn.ConvTranspose2d(128, 128, 4, 2, 1))
    layers += stage(nn.Conv2d(128, 128, 5, 1, 2))
    layers += stage(nn.Conv2d(128, 128, 5, 1, 2))
    return nn.Sequential(*layers, nn.Conv2d(128, spec.channels, 5, 1, 2), nn.Tanh())


def da_dcgan_discriminator(inputs: int, dropout: float, spec: ImageSpec) -> nn.Sequential:
    """One 3x3 convolution, then halvings down to 4x4, flattened to 2048 features; [inputs, size, size] -> [1]."""
    convolutions: list[nn.Module] = [nn.Conv2d(inputs, 128, 3, 1, 1)]
    convolutions += [nn.Conv2d(128, 128, 4, 2, 1) for _ in range(int(log2(spec.size // 4)))]
    layers: list[nn.Module] = []
    for convolution in convolutions:
        layers += [convolution, nn.BatchNorm2d(128), nn.LeakyReLU(0.01, inplace=True)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(dropout), nn.Linear(2048, 1))


def initialise_as_recipe(network: nn.Module) -> None:
    """Convolutions N(0, 0.02), BatchNorm weights N(1, 0.02), biases 0, as published."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)


def initialise_as_keras(network: nn.Module) -> None:
    """Glorot-uniform weights and zero biases: what Keras gives to layers that, as published, ask for nothing else."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def generator_of(metadata: dict[str, Any]) -> Generator:
    """The generator of a snapshot with this metadata, with random weights."""
    config = parse_training(metadata["config"])
    assert isinstance(config, DcganConfig)
    classes = len(metadata["classes"]) if metadata["conditional"] else 0
    return Generator(config, ImageSpec(metadata["size"], metadata["channels"], classes))
