"""Bilinear sampling whose second derivative every supported torch has.

The samples are linear in the image, and a grid of random transforms needs no gradient. So the gradient of the image is
the adjoint of sampling, and its own derivative is sampling again. (torch 2.11 has no derivative for the backward pass
of its own operator, which R1 needs.)
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

BILINEAR, ZEROS = 0, 0
"""torch's numbers for the two modes."""


def bilinear_samples(images: Tensor, grid: Tensor, align_corners: bool) -> Tensor:
    """Samples [N, C, H, W] of images [N, C, h, w] at grid [N, H, W, 2], -1 to 1 from edge to edge; zeros outside."""
    return _Sampling.apply(images, grid, align_corners)


class _Sampling(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor, align_corners: bool) -> Tensor:
        ctx.save_for_backward(images, grid)
        ctx.align_corners = align_corners
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=align_corners)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        images, grid = ctx.saved_tensors
        return _Adjoint.apply(grad, images.detach(), grid, ctx.align_corners), None, None


class _Adjoint(torch.autograd.Function):
    """What the samples [N, C, H, W] give back to the pixels of `images`, of which only the shape counts."""

    @staticmethod
    def forward(ctx: Any, samples: Tensor, images: Tensor, grid: Tensor, align_corners: bool) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.align_corners = align_corners
        modes = (BILINEAR, ZEROS, align_corners)
        return torch.ops.aten.grid_sampler_2d_backward(samples, images, grid, *modes, [True, False])[0]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        (grid,) = ctx.saved_tensors
        return bilinear_samples(grad, grid, ctx.align_corners), None, None, None
