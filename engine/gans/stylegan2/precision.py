"""The blocks of a network that compute in low precision; fp32 stays where its range or digits are needed."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Block(nn.Module):
    """A block of one resolution; `precision` None means that of its weights."""

    resample_filter: Tensor
    precision: torch.dtype | None = None
    lowerable: bool = False

    def in_precision(self, x: Tensor) -> Tensor:
        """x in the precision of the block."""
        return x.to(self.precision or self.resample_filter.dtype)


def set_precision(network: nn.Module, dtype: torch.dtype) -> None:
    """Let the blocks of the `num_fp16_res` highest resolutions compute in `dtype`; float32 undoes it.

    The mapping, the affine layers, the sum of RGB, the discriminator's last block and all outputs stay fp32.
    """
    for module in network.modules():
        if isinstance(module, Block):
            module.precision = dtype if module.lowerable and dtype != torch.float32 else None
