"""The moving average of the generator's weights, which is what images are sampled from."""

from __future__ import annotations

import torch
from torch import nn


def ema_decay(batch: int, images_seen: int, ema_kimg: float, ramp: float) -> float:
    """EMA decay of an iteration of `batch` images after `images_seen`.

    The half-life is `ema_kimg`, but with a ramp no more than that share of the images seen so far, so that the average
    soon forgets the first, random weights. A half-life of 0 keeps nothing: the average is the generator itself.
    """
    half_life = ema_kimg * 1000
    if ramp:
        half_life = min(half_life, images_seen * ramp)
    return 0.5 ** (batch / max(half_life, 1e-8))


@torch.no_grad()
def update_ema(average: nn.Module, network: nn.Module, kept: float) -> None:
    """Move the average's parameters towards the network's, and copy the buffers (the mean of w among them)."""
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - kept)
    torch._foreach_copy_(list(average.buffers()), list(network.buffers()))
