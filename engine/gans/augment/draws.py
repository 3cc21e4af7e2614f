"""The random numbers of one call of the augmentation pipe."""

from __future__ import annotations

import torch
from torch import Tensor

UNIFORM_ROWS, NORMAL_ROWS = 29, 12
"""What all operations together take; drawn at once, because many small draws cost more than the numbers unused."""


class Draws:
    """Rows [N] of random numbers from torch's default generator of the device.

    With a `percentile` q in [0, 1] nothing is random: every sample gets the q-th percentile of each distribution, and
    every operation is applied, as in the reference's test mode (its Gaussian lacks a factor of sqrt 2).
    """

    def __init__(self, count: int, p: Tensor, like: Tensor, percentile: float | None = None):
        self.p = p.to(like.dtype)
        self.row = like.new_zeros(count)
        self.percentile = None if percentile is None else like.new_tensor(percentile)
        if self.percentile is None:
            self._uniform = iter(torch.rand(UNIFORM_ROWS, count, device=like.device, dtype=like.dtype).unbind())
            self._normal = iter(torch.randn(NORMAL_ROWS, count, device=like.device, dtype=like.dtype).unbind())

    def uniform(self) -> Tensor:
        """The next row of U(0, 1)."""
        return next(self._uniform) if self.percentile is None else self.row + self.percentile

    def normal(self) -> Tensor:
        """The next row of N(0, 1)."""
        return next(self._normal) if self.percentile is None else self.row + torch.erfinv(2 * self.percentile - 1)

    def half_normal(self) -> Tensor:
        """The next row of |N(0, 1)|."""
        return next(self._normal).abs() if self.percentile is None else self.row + torch.erfinv(self.percentile)

    def gated(self, value: Tensor, identity: float, probability: Tensor | None = None) -> Tensor:
        """`value` [N] with the probability (by default `p`) and `identity` otherwise."""
        if self.percentile is not None:
            return value
        return torch.where(next(self._uniform) < (self.p if probability is None else probability), value, identity)
