"""The discriminator of StyleGAN2: blocks of halving resolution, minibatch-std, and projection on the condition."""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor, nn

from engine.gans.stylegan2.architecture import Architecture
from engine.gans.stylegan2.filters import downsampled, resample_filter
from engine.gans.stylegan2.layers import Convolution, FullyConnected
from engine.gans.stylegan2.mapping import ConditionMapping
from engine.gans.stylegan2.precision import Block


class DiscriminatorBlock(Block):
    """Two convolutions of one resolution, the second to half of it; the first block, or each in 'skip', sees RGB."""

    def __init__(self, resolution: int, architecture: Architecture, first_layer: int):
        """`first_layer` is the number of this block's first layer, counted from the image, for Freeze-D."""
        super().__init__()
        form, clamp = architecture.d_architecture, architecture.conv_clamp
        width, outputs = architecture.channels_at(resolution), architecture.channels_at(resolution // 2)
        self.images_pass, self.residual = form == "skip", form == "resnet"
        self.from_image = self.images_pass or resolution == architecture.size
        self.lowerable = architecture.in_low_precision(resolution)
        self.register_buffer("resample_filter", resample_filter())
        frozen = [first_layer + i < architecture.freeze_d for i in range(4)]
        if self.from_image:
            self.fromrgb = Convolution(architecture.channels, width, 1, clamp=clamp, frozen=frozen.pop(0))
        self.conv0 = Convolution(width, width, 3, clamp=clamp, frozen=frozen.pop(0))
        gain = sqrt(0.5) if self.residual else 1.0
        self.conv1 = Convolution(width, outputs, 3, resample="down", gain=gain, clamp=clamp, frozen=frozen.pop(0))
        if self.residual:
            self.skip = Convolution(
                width,
                outputs,
                1,
                bias=False,
                activation="linear",
                resample="down",
                gain=gain,
                frozen=frozen.pop(0),
            )
        self.layers = 2 + self.from_image + self.residual

    def forward(self, x: Tensor | None, image: Tensor | None) -> tuple[Tensor, Tensor | None]:
        if x is not None:
            x = self.in_precision(x)
        if self.from_image:
            assert image is not None
            seen = self.fromrgb(self.in_precision(image))
            x = seen if x is None else x + seen
            image = downsampled(image) if self.images_pass else None
        assert x is not None
        y = self.conv1(self.conv0(x))
        return y + self.skip(x) if self.residual else y, image


class LastBlock(nn.Module):
    """Minibatch-std, a convolution and two fully-connected layers at 4x4: x [N, C, 4, 4] -> [N, outputs]."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        width = architecture.channels_at(4)
        self.group, self.groups_of_channels = architecture.mbstd_group, architecture.mbstd_channels
        if architecture.d_architecture == "skip":
            self.fromrgb = Convolution(architecture.channels, width, 1)
        self.conv = Convolution(width + self.groups_of_channels, width, 3, clamp=architecture.conv_clamp)
        self.fc = FullyConnected(width * 16, width, "lrelu")
        self.out = FullyConnected(width, width if architecture.classes else 1)

    def forward(self, x: Tensor, image: Tensor | None, batches: int) -> Tensor:
        x = x.to(self.fc.weight.dtype)
        if image is not None:
            x = x + self.fromrgb(image.to(x.dtype))
        if self.groups_of_channels:
            parts = [with_minibatch_std(part, self.group, self.groups_of_channels) for part in x.chunk(batches)]
            x = torch.cat(parts) if batches > 1 else parts[0]
        return self.out(self.fc(self.conv(x).flatten(1)))


def with_minibatch_std(x: Tensor, group: int | None, channels: int = 1) -> Tensor:
    """x [N, C, h, w] and, as further channels, how much the images of a group differ (arXiv 1710.10196, section 3).

    Members of a group lie N / group apart. Raises ValueError unless N is a whole number of groups.
    """
    n, c, h, w = x.shape
    group = min(group or n, n)
    if n % group:
        raise ValueError(f"{n} images cannot be divided into groups of {group} for minibatch-std")
    members = x.reshape(group, n // group, channels, c // channels, h, w)
    deviation = (members.var(0, correction=0) + 1e-8).sqrt().mean((2, 3, 4))  # [N / group, channels]
    planes = deviation.repeat(group, 1)[:, :, None, None].expand(-1, -1, h, w)
    return torch.cat([x, planes], dim=1)


class Discriminator(nn.Module):
    """Images [N, channels, size, size] and, if conditional, c [N, classes] -> logits [N, 1], fp32.

    Several equal `batches`, one behind the other, are judged at once, and minibatch-std sees each by itself.
    """

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.architecture = architecture
        self.resolutions = architecture.resolutions[:0:-1]
        layers = 0
        for resolution in self.resolutions:
            block = DiscriminatorBlock(resolution, architecture, layers)
            layers += block.layers
            self.add_module(f"b{resolution}", block)
        if architecture.classes:
            self.mapping = ConditionMapping(
                architecture.classes, architecture.channels_at(4), architecture.d_mapping_layers
            )
        self.b4 = LastBlock(architecture)

    def forward(self, images: Tensor, c: Tensor | None = None, batches: int = 1) -> Tensor:
        x: Tensor | None = None
        image: Tensor | None = images
        for resolution in self.resolutions:
            x, image = getattr(self, f"b{resolution}")(x, image)
        assert x is not None
        logits = self.b4(x, image, batches)
        if self.architecture.classes:  # projection (arXiv 1802.05637)
            towards = self.mapping(c)
            logits = (logits * towards).sum(1, keepdim=True) / sqrt(towards.shape[1])
        return logits
