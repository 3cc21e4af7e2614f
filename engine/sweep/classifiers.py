"""The two classifiers: a small network trained from scratch, and linear heads on frozen features, many at once."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

WIDTHS = (16, 32, 64, 96)
LARGEST_SIZE = 64


class SmallCnn(nn.Sequential):
    """Four strided 3x3 convolutions with batch norm, global average, dropout, linear: 79,000 parameters.

    Images `[N, C, S, S]` in [-1, 1], S up to 64 -> logits `[N, classes]`. Small enough for 100 images a class, and
    a step of 32 images takes some milliseconds on one core.
    """

    def __init__(self, channels: int, classes: int, dropout: float):
        layers: list[nn.Module] = []
        before = channels
        for width in WIDTHS:
            layers += [nn.Conv2d(before, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        super().__init__(
            *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(before, classes)
        )


class Heads(nn.Module):
    """T softmax heads on features, as published for the head-CT system: dropout, then one dense layer.

    All begin with the same Glorot-uniform weights and share the dropout mask of a step, so that trials of one seed
    differ by their images alone. Features `[T, B, D]` (or `[N, D]` for all heads) -> logits `[T, B, classes]`.
    """

    def __init__(self, trials: int, dim: int, classes: int, dropout: float, generator: torch.Generator):
        super().__init__()
        limit = math.sqrt(6 / (dim + classes))
        weight = (torch.rand(dim, classes, generator=generator) * 2 - 1) * limit
        self.weight = nn.Parameter(weight.repeat(trials, 1, 1))
        self.bias = nn.Parameter(torch.zeros(trials, 1, classes))
        self.dropout = dropout

    def forward(self, features: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
        """Logits; dropout is on when a (CPU) generator for its mask is given."""
        if generator is not None and self.dropout:
            keep = torch.rand(features.shape[-2:], generator=generator) >= self.dropout
            features = features * (keep.to(features) / (1 - self.dropout))
        return features @ self.weight + self.bias


def to_network_size(images: torch.Tensor) -> torch.Tensor:
    """Images `[N, C, S, S]` uint8, shrunk (with antialiasing) to the largest size that the small network takes."""
    if images.shape[-1] <= LARGEST_SIZE:
        return images
    shape = (LARGEST_SIZE, LARGEST_SIZE)
    parts = [F.interpolate(part.float(), shape, mode="bilinear", antialias=True) for part in images.split(256)]
    return torch.cat(parts).round().clamp(0, 255).byte()
