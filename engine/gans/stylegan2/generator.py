"""The generator of StyleGAN2: mapping network z -> w, synthesis network w -> image."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn

from engine.gans.stylegan2.architecture import Architecture
from engine.gans.stylegan2.filters import resample_filter, upsampled
from engine.gans.stylegan2.layers import Convolution, Noise, SynthesisLayer, ToRGB
from engine.gans.stylegan2.mapping import Mapping
from engine.gans.stylegan2.precision import Block


class SynthesisBlock(Block):
    """Two convolutions (one at 4x4, behind the learned constant), and a ToRGB where the architecture has one."""

    def __init__(self, resolution: int, architecture: Architecture):
        super().__init__()
        form, clamp, w_dim = architecture.g_architecture, architecture.conv_clamp, architecture.w_dim
        inputs, outputs = architecture.channels_at(resolution // 2), architecture.channels_at(resolution)
        self.first, self.residual = resolution == 4, form == "resnet" and resolution > 4
        self.to_image = form == "skip" or resolution == architecture.size
        self.convolutions = 1 if self.first else 2
        self.lowerable = architecture.in_low_precision(resolution)
        self.register_buffer("resample_filter", resample_filter())
        if self.first:
            self.const = nn.Parameter(torch.randn(outputs, 4, 4))
        else:
            self.conv0 = SynthesisLayer(inputs, outputs, w_dim, resolution, up=True, clamp=clamp)
        gain = sqrt(0.5) if self.residual else 1.0
        self.conv1 = SynthesisLayer(outputs, outputs, w_dim, resolution, gain=gain, clamp=clamp)
        if self.to_image:
            self.torgb = ToRGB(outputs, architecture.channels, w_dim, clamp=clamp)
        if self.residual:
            self.skip = Convolution(inputs, outputs, 1, bias=False, activation="linear", resample="up", gain=sqrt(0.5))

    def forward(
        self, x: Tensor | None, image: Tensor | None, ws: Sequence[Tensor], noise: Sequence[Noise | Tensor]
    ) -> tuple[Tensor, Tensor | None]:
        """x and the image so far at half the size -> both at this block's size.

        ws holds a [N, w_dim] for each convolution, and that of ToRGB, which is the next block's first.
        """
        if x is None:
            x = self.in_precision(self.const.expand(len(ws[0]), -1, -1, -1))
            x = self.conv1(x, ws[0], noise[0])
        else:
            x = self.in_precision(x)
            shortcut = self.skip(x) if self.residual else None
            x = self.conv1(self.conv0(x, ws[0], noise[0]), ws[1], noise[1])
            if shortcut is not None:
                x = x + shortcut
        if image is not None:
            image = upsampled(image)
        if self.to_image:
            rgb = self.torgb(x, ws[-1]).to(self.resample_filter.dtype)
            image = rgb if image is None else image + rgb
        return x, image


class Synthesis(nn.Module):
    """ws [N, num_ws, w_dim] -> images [N, channels, size, size] in about [-1, 1], fp32."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.num_ws = architecture.num_ws
        self.num_layers = self.num_ws - 1
        self.resolutions = architecture.resolutions
        for resolution in self.resolutions:
            self.add_module(f"b{resolution}", SynthesisBlock(resolution, architecture))

    def forward(self, ws: Tensor, noise: Noise | Sequence[Tensor] = "const") -> Tensor:
        """`noise` may be a list of planes [N or 1, 1, r, r], one a convolution, from the lowest resolution up."""
        each_w = ws.unbind(1)
        planes: Sequence[Noise | Tensor] = [noise] * self.num_layers if isinstance(noise, str) else noise
        x = image = None
        start = 0
        for resolution in self.resolutions:
            block = getattr(self, f"b{resolution}")
            end = start + block.convolutions
            x, image = block(x, image, each_w[start : end + 1], planes[start:end])
            start = end
        assert image is not None
        return image


class Generator(nn.Module):
    """z [N, z_dim] and, if conditional, c [N, classes] -> images [N, channels, size, size] in about [-1, 1]."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.architecture = architecture
        self.synthesis = Synthesis(architecture)
        self.mapping = Mapping(
            architecture.z_dim,
            architecture.classes,
            architecture.w_dim,
            architecture.num_ws,
            architecture.mapping_layers,
        )

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        psi: float = 1.0,
        cutoff: int | None = None,
        noise: Noise | Sequence[Tensor] = "const",
    ) -> Tensor:
        return self.synthesis(self.mapping(z, c, psi, cutoff), noise)


def generator_of(metadata: dict[str, Any]) -> Generator:
    """The generator of a snapshot with this metadata, with random weights."""
    return Generator(Architecture(**metadata["g_architecture"]))
