"""The resampling filter of StyleGAN2 ([1, 3, 3, 1] in both axes) and its three uses.

Each is a depthwise convolution, which costs little beside the dense ones when images lie channels last. Two of torch's
operators would not: depthwise transposed convolutions in bf16, and the double backward of depthwise convolutions, which
takes one channel after the other. So upsampling repeats pixels first, [1, 3, 3, 1] being [1, 1] * [1, 2, 1], and each
use is a linear map that knows its adjoint: backward applies the adjoint, double backward the map again, and so on.

The filter is symmetric, so that correlation and convolution are the same.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Use = Literal["blur", "up", "down"]
ADJOINTS: dict[Use, Use] = {"blur": "blur", "up": "down", "down": "up"}


def resample_filter() -> Tensor:
    """The filter [4, 4] with sum 1, as layers hold it for the sake of the file format."""
    return _binomial(4, torch.zeros([]))


def blurred(x: Tensor, padding: int, gain: float = 1.0) -> Tensor:
    """Filter x [N, C, h, w] after zero-padding each side -> [N, C, h + 2 padding - 3, ...]."""
    return _filtered(x, "blur", padding, gain)


def upsampled(x: Tensor, gain: float = 4.0) -> Tensor:
    """Twice the size: [N, C, h, w] -> [N, C, 2h, 2w].

    As if zeros were inserted behind each pixel and filtered with padding (2, 1); the gain 4 makes up for the zeros.
    """
    return _filtered(x, "up", 1, gain)


def downsampled(x: Tensor, gain: float = 1.0) -> Tensor:
    """Half the size: filter with padding (1, 1) and keep the even pixels; [N, C, h, w] -> [N, C, h/2, w/2]."""
    return _filtered(x, "down", 1, gain)


def _filtered(x: Tensor, use: Use, padding: int, gain: float) -> Tensor:
    if torch.is_grad_enabled() and x.requires_grad:
        return _Filtering.apply(x, use, padding, gain)
    return _apply(x, use, padding, gain)


def _apply(x: Tensor, use: Use, padding: int, gain: float) -> Tensor:
    channels = x.shape[1]
    if use == "up":
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        kernel, stride = _binomial(3, x) * (gain / 4), 1
    else:
        kernel, stride = _binomial(4, x) * gain, 2 if use == "down" else 1
    return F.conv2d(x, kernel.expand(channels, 1, -1, -1), stride=stride, padding=padding, groups=channels)


def _binomial(taps: int, like: Tensor) -> Tensor:
    """[1, 2, 1] or [1, 3, 3, 1] in both axes, with sum 1, made on the device so that nothing waits for a copy."""
    i = torch.arange(taps, dtype=like.dtype, device=like.device)
    row = (1 + i * (taps - 1 - i)) / 2 ** (taps - 1)
    return row[:, None] * row


class _Filtering(torch.autograd.Function):
    """The map and, behind it, its adjoint."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, use: Use, padding: int, gain: float) -> Tensor:
        ctx.use, ctx.padding, ctx.gain = use, padding, gain
        return _apply(x, use, padding, gain)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        padding = 3 - ctx.padding if ctx.use == "blur" else ctx.padding
        return _filtered(grad, ADJOINTS[ctx.use], padding, ctx.gain), None, None, None
