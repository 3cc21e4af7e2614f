"""Geometric augmentation: one random affine transform a sample, and resampling without aliasing.

A transform is [N, 2, 3] and maps an output pixel to the input pixel that it shows; the origin is the image's centre,
y points down, the unit is a pixel (arXiv 2006.06676, appendix B). Positions are computed without matrix products, whose
TF32 on a GPU would move them by parts of a pixel; pixels are resampled with them, to within 1e-3 where TF32 is allowed.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

from engine.gans.augment.axes import PAD, AxisMap, downsampling, endless_upsampling, upsampling
from engine.gans.augment.bilinear import bilinear_samples
from engine.gans.augment.draws import Draws
from engine.gans.augment.presets import Strengths


def draw_transform(draws: Draws, operations: frozenset[str], strengths: Strengths, height: int, width: int) -> Tensor:
    """The inverse of the enabled operations, one after another, for each sample: [N, 2, 3]."""
    one, nothing = torch.ones_like(draws.row), torch.zeros_like(draws.row)
    linear = torch.diag_embed(torch.stack([one, one], 1))
    shift = torch.stack([nothing, nothing], 1)
    if "xflip" in operations:
        linear = _scaled(linear, draws.gated(1 - 2 * torch.floor(2 * draws.uniform()), 1.0), one)
    if "rotate90" in operations:
        linear = _turned(linear, draws.gated(torch.floor(4 * draws.uniform()), 0.0) * (math.pi / 2))
    if "xint" in operations:
        across, down = _gated_pair(draws, 2 * draws.uniform() - 1, 2 * draws.uniform() - 1)
        far = strengths.xint
        shift = shift - _applied(linear, torch.round(across * far * width), torch.round(down * far * height))
    if "scale" in operations:
        inverse = torch.exp2(-draws.gated(draws.normal(), 0.0) * strengths.scale)
        linear = _scaled(linear, inverse, inverse)
    if "rotate" in operations:
        # Two rotations around the stretch, which together leave an image unrotated with probability 1 - p.
        probability = 1 - torch.sqrt(1 - draws.p.clamp(0, 1))
        linear = _turned(linear, draws.gated((2 * draws.uniform() - 1) * math.pi, 0.0, probability))
    if "aniso" in operations:
        stretch = torch.exp2(draws.gated(draws.normal(), 0.0) * strengths.aniso)
        linear = _scaled(linear, 1 / stretch, stretch)
    if "rotate" in operations and draws.percentile is None:
        linear = _turned(linear, draws.gated((2 * draws.uniform() - 1) * math.pi, 0.0, probability))
    if "xfrac" in operations:
        across, down = _gated_pair(draws, draws.normal(), draws.normal())
        shift = shift - _applied(linear, across * strengths.xfrac * width, down * strengths.xfrac * height)
    return torch.cat([linear, shift[:, :, None]], 2)


def _scaled(linear: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return linear * torch.stack([x, y], 1)[:, None, :]


def _turned(linear: Tensor, angle: Tensor) -> Tensor:
    cos, sin = torch.cos(angle)[:, None], torch.sin(angle)[:, None]
    x, y = linear.unbind(2)
    return torch.stack([x * cos + y * sin, y * cos - x * sin], 2)


def _applied(linear: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return linear[:, :, 0] * x[:, None] + linear[:, :, 1] * y[:, None]


def _gated_pair(draws: Draws, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Both or neither."""
    moved = draws.gated(torch.ones_like(x), 0.0)
    return x * moved, y * moved


def warp_exact(images: Tensor, transform: Tensor) -> Tensor:
    """Images [N, C, H, W] seen through the transforms [N, 2, 3], padded just as far as this batch reaches.

    The published form: reflected by margins that depend on the draws (on a GPU the host waits for them here), zeros
    beyond. Samples that nothing moves are left as they are: the filters would give them back exactly.
    """
    still = torch.eye(2, 3, dtype=transform.dtype, device=transform.device)
    moved = (transform != still).flatten(1).any(1).nonzero()[:, 0]
    if len(moved) == 0:
        return images
    if len(moved) < len(images):
        return images.index_copy(0, moved, warp_exact(images[moved], transform[moved]))
    height, width = images.shape[2:]
    left, right, top, bottom = _margins(transform, height, width)
    tall = AxisMap(upsampling(height, top, bottom), images.dtype, images.device)
    wide = AxisMap(upsampling(width, left, right), images.dtype, images.device)
    # grid_sample's -1 and 1 are the outer edges of the padded image.
    x = (1 / (width + left + right), (left - right) / (width + left + right))
    y = (1 / (height + top + bottom), (top - bottom) / (height + top + bottom))
    grid = _sampling_grid(transform, height, width, x, y)
    return _resampled(images, tall, wide, grid, align_corners=False)


def warp_static(images: Tensor, transform: Tensor) -> Tensor:
    """The same with shapes that do not depend on the draws, and without the host waiting for the device.

    The image is upsampled over one whole period of its endless reflection, and the sampling grid wraps around. This
    equals the exact form with margins of any size. Where the exact form shows black, because its margins stop at
    size - 1 pixels, the reflection goes on; only a reduction to about a third reaches that far. With bgc at p 1 that
    changed by more than 1e-3 one pixel in 4000 at 16 px, one in 90,000 at 32 px, and none of 2 million at 64 px.
    """
    height, width = images.shape[2:]
    tall, wide = _endless(height, images.dtype, images.device), _endless(width, images.dtype, images.device)
    # Here -1 is sample 0, and one period is 2.
    x = (1 / (2 * (width - 1)), (width - 0.5) / (2 * (width - 1)) - 1)
    y = (1 / (2 * (height - 1)), (height - 0.5) / (2 * (height - 1)) - 1)
    grid = _sampling_grid(transform, height, width, x, y)
    return _resampled(images, tall, wide, torch.remainder(grid + 1, 2) - 1, align_corners=True)


def _margins(transform: Tensor, height: int, width: int) -> tuple[int, int, int, int]:
    """Pixels by which the batch reaches beyond left, right, top and bottom of its images, with the filters' reach."""
    x, y = (width - 1) / 2, (height - 1) / 2
    # The farthest of the four corners, each way.
    reach = transform[:, :, 0].abs() * x + transform[:, :, 1].abs() * y
    far = torch.stack([(reach - transform[:, :, 2]).amax(0), (reach + transform[:, :, 2]).amax(0)], 1)
    most = transform.new_tensor([[width - 1], [height - 1]])
    margins = torch.minimum((far + 2 * PAD - most / 2).clamp(min=0), most).ceil()
    (left, right), (top, bottom) = margins.int().tolist()  # the host waits for the device here
    return left, right, top, bottom


def _sampling_grid(
    transform: Tensor, height: int, width: int, x: tuple[float, float], y: tuple[float, float]
) -> Tensor:
    """Where each sample of the upsampled and padded output lies in the upsampled input: [N, 2 (H+2P), 2 (W+2P), 2].

    `x` and `y` are the factor and the term that turn samples of the input, counted from its centre, into grid_sample's
    coordinates. A pixel q and a sample k, both counted from the centre, are the same place if k = 2q - 1/2.
    """
    device, dtype = transform.device, transform.dtype
    across = (torch.arange(2 * (width + 2 * PAD), device=device, dtype=dtype) + 1) / 2 - (width + 2 * PAD) / 2
    down = (torch.arange(2 * (height + 2 * PAD), device=device, dtype=dtype) + 1) / 2 - (height + 2 * PAD) / 2
    rows = torch.stack([transform[:, 0] * (2 * x[0]), transform[:, 1] * (2 * y[0])], 1)  # [N, 2, 3]
    origin = torch.stack([rows[:, 0, 2] + (x[1] - x[0] / 2), rows[:, 1, 2] + (y[1] - y[0] / 2)], 1)
    by_width = rows[:, None, None, :, 0] * across[:, None] + origin[:, None, None]
    return by_width + rows[:, None, None, :, 1] * down[:, None, None]


def _resampled(images: Tensor, tall: AxisMap, wide: AxisMap, grid: Tensor, align_corners: bool) -> Tensor:
    """Upsample [N, C, H, W], look at the points of the grid, and downsample to [N, C, H, W]."""
    count, channels, height, width = images.shape
    upsampled = wide.along_width(tall.along_height(images.flatten(0, 1))).unflatten(0, (count, channels))
    sampled = bilinear_samples(upsampled, grid, align_corners)
    narrow = _downsampling(width, images.dtype, images.device).along_width(sampled.flatten(0, 1))
    return _downsampling(height, images.dtype, images.device).along_height(narrow).unflatten(0, (count, channels))


@cache
def _endless(size: int, dtype: torch.dtype, device: torch.device) -> AxisMap:
    return AxisMap(endless_upsampling(size), dtype, device)


@cache
def _downsampling(size: int, dtype: torch.dtype, device: torch.device) -> AxisMap:
    return AxisMap(downsampling(size), dtype, device)
