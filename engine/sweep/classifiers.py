"""The two classifiers: a small network trained from scratch, and linear heads on frozen features, many at once."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

WIDTHS = (16, 32, 64, 96)
LARGEST_SIZE = 64


class Largest(nn.Module):
    """The largest response of each channel, [N, C, H, W] -> [N, C, 1, 1].

    As `nn.AdaptiveMaxPool2d(1)`, number for number; torch counts the gradient of that one on a GPU among those whose
    sums may come out differently each time.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.max_pool2d(x, x.shape[-2:])


class SmallCnn(nn.Sequential):
    """Four convolutions with batch norm and pooling, then the largest response of each channel: 79,000 parameters.

    Images `[N, C, S, S]` in [-1, 1], S up to 64 -> logits `[N, classes]`. The maximum over places suits findings that
    are small and may lie anywhere; a step of 32 images takes some milliseconds on one core.
    """

    def __init__(self, channels: int, classes: int, dropout: float):
        stem, *widths = WIDTHS
        layers: list[nn.Module] = [nn.Conv2d(channels, stem, 5, 2, 2, bias=False), nn.BatchNorm2d(stem), nn.ReLU()]
        before = stem
        for width in widths:
            layers += [nn.Conv2d(before, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            layers += [nn.MaxPool2d(2)] if width != widths[-1] else [Largest()]
            before = width
        super().__init__(*layers, nn.Flatten(), nn.Dropout(dropout), nn.Linear(before, classes))


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
