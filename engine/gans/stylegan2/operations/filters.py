"""The resampling filter of StyleGAN2 ([1, 3, 3, 1] in both axes) and its three uses.

On a GPU each is one pass of a Triton kernel (`kernels`). Elsewhere it is a depthwise convolution, which costs little
beside the dense ones when images lie channels last. Two of torch's operators would not: depthwise transposed
convolutions in bf16, and the double backward of depthwise convolutions, which takes one channel after the other. So
upsampling repeats pixels first, [1, 3, 3, 1] being [1, 1] * [1, 2, 1], and each use is a linear map that knows its
adjoint: backward applies the adjoint, double backward the map again, and so on.

The filter is symmetric, so that correlation and convolution are the same.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.gans.stylegan2.operations import kernels

Use = Literal["blur", "up", "down"]
ADJOINTS: dict[Use, Use] = {"blur": "blur", "up": "down", "down": "up"}


def resample_filter() -> Tensor:
    """The filter [4, 4] with sum 1, as layers hold it for the sake of the file format."""
    return _binomial(4, torch.float32, torch.device("cpu"))


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
    if x.device.type == "cuda" and x.dtype in kernels.DTYPES and kernels.usable(x.device):
        return kernels.resampled(x, use, padding, gain)
    channels = x.shape[1]
    if use == "up":
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        kernel, stride = _kernel(3, gain / 4, channels, x.dtype, x.device), 1
    else:
        kernel, stride = _kernel(4, gain, channels, x.dtype, x.device), 2 if use == "down" else 1
    return F.conv2d(x, kernel, stride=stride, padding=padding, groups=channels)


@cache  # unbounded, since a recorded graph goes on reading what it met: one for each width, precision and gain
@torch.inference_mode(False)  # it is kept, and may be needed with gradients later
def _kernel(taps: int, gain: float, channels: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The depthwise kernel [channels, 1, taps, taps]: [1, 2, 1] or [1, 3, 3, 1] in both axes, with sum `gain`.

    Made on the device, so that nothing waits for a copy, and outside the memory of a CUDA graph, since each phase runs
    before it is recorded.
    """
    return (_binomial(taps, dtype, device) * gain).expand(channels, 1, -1, -1).contiguous()


def _binomial(taps: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    i = torch.arange(taps, dtype=dtype, device=device)
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
