"""Corruptions of the image: added noise and a removed square (arXiv 2006.06676, appendix B)."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.gans.augment.draws import Draws
from engine.gans.augment.presets import Strengths


def draw_sigma(draws: Draws, strengths: Strengths) -> Tensor:
    """Standard deviation of the noise of each sample [N]."""
    return draws.gated(draws.half_normal(), 0.0) * strengths.noise


def cut_out(images: Tensor, draws: Draws, strengths: Strengths) -> Tensor:
    """Images [N, C, H, W] with a square of zeros (mid-grey) in some."""
    size = draws.gated(torch.ones_like(draws.row), 0.0) * strengths.cutout
    height, width = images.shape[2:]
    beside = _beyond(draws.uniform(), size, width, images)[:, None, None, :]
    above = _beyond(draws.uniform(), size, height, images)[:, None, :, None]
    return images * (beside | above)


def _beyond(centre: Tensor, size: Tensor, pixels: int, like: Tensor) -> Tensor:
    """Which pixels of an axis lie outside an interval of `size` [N] around the centre [N]; shares of the axis."""
    position = (torch.arange(pixels, device=like.device, dtype=like.dtype) + 0.5) / pixels
    return (position - centre[:, None]).abs() >= size[:, None] / 2
