"""Means of numbers that stay on the device until they are read."""

from __future__ import annotations

import torch
from torch import Tensor


class Meters:
    """A mean for each name, over the times it was added to; adding never waits for the device."""

    def __init__(self, names: tuple[str, ...], device: torch.device):
        self.names = names
        self.sums = torch.zeros(len(names), 2, device=device)

    @torch.no_grad()
    def add(self, **values: Tensor) -> None:
        """Add scalars by name."""
        for name, value in values.items():
            self.sums[self.names.index(name)] += torch.stack([value.float(), torch.ones_like(value)])

    @torch.no_grad()
    def add_finite(self, **values: Tensor) -> None:
        """Add those scalars that are finite; a name that only ever met others stays without a mean."""
        for name, value in values.items():
            finite = value.isfinite()
            row = torch.stack([torch.where(finite, value, 0.0), finite.float()])
            self.sums[self.names.index(name)] += row

    def read(self) -> dict[str, float]:
        """Means since the last call, without the names that nothing was added to. This waits for the device."""
        rows = zip(self.names, self.sums.tolist(), strict=True)
        self.sums.zero_()
        return {name: total / count for name, (total, count) in rows if count}
