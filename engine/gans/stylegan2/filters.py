"""The resampling filter of StyleGAN2 ([1, 3, 3, 1] in both axes) and its three uses.

All are depthwise convolutions with the layer's own 4x4 filter; the filter is symmetric, so that correlation and
convolution are the same.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def resample_filter() -> Tensor:
    """The filter [4, 4]: the outer product of [1, 3, 3, 1] with itself, with sum 1."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return torch.outer(taps, taps) / 64


def _depthwise(taps: Tensor, x: Tensor) -> Tensor:
    return taps.to(x.dtype).expand(x.shape[1], 1, 4, 4)


def blurred(x: Tensor, taps: Tensor, padding: int) -> Tensor:
    """Filter x [N, C, h, w] after zero-padding each side -> [N, C, h + 2 padding - 3, ...]."""
    return F.conv2d(x, _depthwise(taps, x), padding=padding, groups=x.shape[1])


def upsampled(x: Tensor, taps: Tensor) -> Tensor:
    """Twice the size: [N, C, h, w] -> [N, C, 2h, 2w].

    Zeros are inserted behind each pixel and filtered with padding (2, 1); the gain 4 makes up for the zeros.
    """
    return F.conv_transpose2d(x, _depthwise(taps * 4, x), stride=2, padding=1, groups=x.shape[1])


def downsampled(x: Tensor, taps: Tensor) -> Tensor:
    """Half the size: filter with padding (1, 1) and keep the even pixels; [N, C, h, w] -> [N, C, h/2, w/2]."""
    return F.conv2d(x, _depthwise(taps, x), stride=2, padding=1, groups=x.shape[1])
