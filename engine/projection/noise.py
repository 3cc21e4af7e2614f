"""The generator's noise planes while they are optimised: kept white, so that they carry no part of the picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

SMALLEST = 8


def autocorrelation(planes: Sequence[Tensor]) -> Tensor:
    """Sum of the squared mean products of each plane with itself shifted by one pixel in x and in y.

    Planes [r, r], each also averaged down by 2 until it is `SMALLEST` wide (arXiv 1912.04958, appendix D). 0 for
    white noise.
    """
    total = planes[0].new_zeros(())
    for plane in planes:
        level = plane[None, None]
        while True:
            for axis in (2, 3):
                total = total + (level * level.roll(1, axis)).mean().square()
            if level.shape[-1] <= SMALLEST:
                break
            level = F.avg_pool2d(level, 2)
    return total


@torch.no_grad()
def renormalise(planes: Sequence[Tensor]) -> None:
    """Bring every plane to mean 0 and variance 1, in place."""
    for plane in planes:
        plane -= plane.mean()
        plane *= plane.square().mean().rsqrt()
