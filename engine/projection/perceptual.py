"""Distance of two images: squared, of their features, perceptual (LPIPS) or of plain pixels.

Both kinds put an image [1 or 3, H, W] in [-1, 1] into one vector, so that |a - b|^2 is the distance. The target's
vector is computed once, and a step of the optimisation costs one pass of the image alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

PERCEPTUAL_SIZE = 256
"""Larger images are averaged down to this before VGG16 sees them (StyleGAN2, arXiv 1912.04958, appendix D)."""
SMALLEST_SCALE = 8
HEADS = Path(__file__).with_name("lpips-vgg16-heads.safetensors")
"""The 1472 learned weights of LPIPS 0.1 for VGG16, with their licence (BSD) beside them."""
TAPS = (3, 8, 15, 22, 29)
"""Layers of torchvision's VGG16 behind which LPIPS looks: relu1_2, relu2_2, relu3_3, relu4_3 and relu5_3."""


class Distance(Protocol):
    """`features` puts images [N, C, H, W] in [-1, 1] into vectors [N, D] whose squared distance is the distance."""

    name: str

    def features(self, images: Tensor) -> Tensor: ...


class Lpips(nn.Module):
    """Learned perceptual image patch similarity (LPIPS 0.1 on VGG16, arXiv 1801.03924, equation 1)."""

    name = "lpips"
    shift: Tensor
    scale: Tensor

    def __init__(self, trunk: dict[str, Tensor]):
        """`trunk`: torchvision's names and tensors of the convolutions of an ImageNet VGG16; RuntimeError if not."""
        import torchvision  # loads torch._dynamo: a second that most runs need not wait

        super().__init__()
        with torch.device("meta"):
            self.layers = torchvision.models.vgg16().features[: TAPS[-1] + 1]
        self.layers.load_state_dict(trunk, assign=True)
        for layer in self.layers:
            if isinstance(layer, nn.ReLU):
                layer.inplace = False  # what was tapped must stay as it was
        # LPIPS' own constants: ImageNet's mean and standard deviation on the scale [-1, 1].
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(3, 1, 1))
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(3, 1, 1))
        for name, weights in load_file(HEADS).items():  # lin0 ... lin4, each [channels], none below zero
            self.register_buffer(name, weights.sqrt().view(-1, 1, 1))
        self.requires_grad_(False).eval()

    def features(self, images: Tensor) -> Tensor:
        """All five levels' normalised activations, each times the root of its head and of its share of the mean."""
        x = images.expand(-1, 3, -1, -1)
        if x.shape[-1] > PERCEPTUAL_SIZE:
            x = F.interpolate(x, size=(PERCEPTUAL_SIZE, PERCEPTUAL_SIZE), mode="area")
        x = (x - self.shift) / self.scale
        levels: list[Tensor] = []
        for number, layer in enumerate(self.layers):
            x = layer(x)
            if number in TAPS:
                head = getattr(self, f"lin{len(levels)}")
                length = (x.square().sum(1, keepdim=True) + 1e-10).sqrt()  # the epsilon keeps its gradient finite
                levels.append((x / length * head / (x.shape[2] * x.shape[3]) ** 0.5).flatten(1))
        return torch.cat(levels, dim=1)


class PixelPyramid:
    """Mean squared difference of pixels, averaged over the image and its halvings down to `SMALLEST_SCALE` px."""

    name = "pixels"

    def features(self, images: Tensor) -> Tensor:
        scales = [images]
        while scales[-1].shape[-1] // 2 >= SMALLEST_SCALE:
            scales.append(F.avg_pool2d(scales[-1], 2))
        return torch.cat([x.flatten(1) / (x[0].numel() * len(scales)) ** 0.5 for x in scales], dim=1)
