"""The augmentation pipe: everything that a discriminator sees goes through it (arXiv 2006.06676, figure 2 and B)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from engine.gans.augment.axes import LOWPASS
from engine.gans.augment.bands import FILTER_BANK, draw_gains, filtered
from engine.gans.augment.colour import recoloured
from engine.gans.augment.corruption import cut_out, draw_sigma
from engine.gans.augment.draws import Draws
from engine.gans.augment.geometry import draw_transform, warp_exact, warp_static
from engine.gans.augment.presets import BLIT, COLOUR, GEOMETRY, PRESETS, require_augmentable, strengths_of

Margins = Literal["exact", "static"]


class AugmentPipe(nn.Module):
    """Random augmentations of images [N, C, H, W] in [-1, 1], each applied to each sample with probability `p`.

    `preset` is a name of `PRESETS` or a set of operations; the empty set leaves images as they are. `margins` "exact"
    pads geometry as published; "static" does the same with shapes that never change and without the host waiting for
    the device, so that a CUDA graph can hold it. The images may be differentiated through twice. `p` is changed in
    place by the controller; above 1 it is like 1.
    """

    p: Tensor

    def __init__(self, preset: str | frozenset[str], channels: int, margins: Margins = "exact"):
        super().__init__()
        self.operations = PRESETS[preset] if isinstance(preset, str) else preset
        self.strengths = strengths_of(preset if isinstance(preset, str) else "")
        self.channels, self.margins = channels, margins
        self.register_buffer("p", torch.zeros([]))
        # The filters are constants; they are state only because the published file format holds them.
        self.register_buffer("Hz_geom", torch.tensor(LOWPASS, dtype=torch.float32))
        self.register_buffer("Hz_fbank", torch.tensor(FILTER_BANK, dtype=torch.float32))

    def forward(
        self, images: Tensor, debug_percentile: float | None = None, debug_noise: Tensor | None = None
    ) -> Tensor:
        """Augmented images of the same shape, in fp32 (float64 stays).

        With `debug_percentile` nothing is drawn: all operations take that percentile, and the noise is `debug_noise`.
        """
        count, _, height, width = images.shape
        require_augmentable(self.operations, min(height, width), self.channels)
        if not self.operations:
            return images
        with torch.autocast(images.device.type, enabled=False):  # positions need more digits than bf16 has
            if images.dtype != torch.float64:
                images = images.float()
            draws = Draws(count, self.p, images, debug_percentile)
            if self.operations & (BLIT | GEOMETRY):
                transform = draw_transform(draws, self.operations, self.strengths, height, width)
                images = (warp_static if self.margins == "static" else warp_exact)(images, transform)
            if self.operations & COLOUR:
                images = recoloured(images, draws, self.operations, self.strengths)
            if "imgfilter" in self.operations:
                images = filtered(images, draw_gains(draws, self.strengths))
            if "noise" in self.operations:
                noise = torch.randn_like(images) if debug_noise is None else debug_noise
                images = torch.addcmul(images, noise, draw_sigma(draws, self.strengths)[:, None, None, None])
            if "cutout" in self.operations:
                images = cut_out(images, draws, self.strengths)
            return images
