"""A head of dense layers from its description: those of the publications, and the plain linear one beside them.

Two of the three were published with a sigmoid for two classes. For more than two, one unit a class with a softmax takes
its place; with two classes both say the same.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from engine.configs import SweepConfig
from engine.publications.publication import HeadLayers
from engine.publications.table import HEADS


def head_layers(config: SweepConfig) -> HeadLayers:
    """The layers of the head `config.head`: as published, or dropout by the config and one dense layer."""
    return HEADS.get(config.head) or HeadLayers(dropout=config.dropout)


def make_head(config: SweepConfig, dim: int, classes: int) -> DenseHead:
    """The head `config.head` on features `[N, dim]`, drawn from torch's global generator -> logits `[N, units]`,
    units = 1 where a sigmoid was published for two classes, else `classes`."""
    layers = head_layers(config)
    return DenseHead(layers, dim, 1 if layers.sigmoid and classes == 2 else classes)


class DenseHead(nn.Module):
    """Features `[N, dim]` -> logits `[N, units]`: normalised, through dense layers, dropped out, through the last.

    Batch normalisation is Keras' (its momentum .99 is torch's .01). Keras averages the variance without Bessel's
    correction, torch with: the running one differs by the factor n / (n - 1).
    """

    def __init__(self, layers: HeadLayers, dim: int, units: int):
        super().__init__()
        self.layers = layers
        dense = glorot if layers.glorot else nn.Linear
        before = (dim, *layers.widths)
        self.norm = nn.BatchNorm1d(dim, eps=1e-3, momentum=0.01) if layers.batch_norm else nn.Identity()
        self.dense = nn.ModuleList(dense(a, b) for a, b in zip(before, layers.widths, strict=False))
        self.dropout = nn.Dropout(layers.dropout)
        self.last = dense(before[-1], units)
        self._activity: Tensor | None = None

    def forward(self, features: Tensor) -> Tensor:
        x = self.norm(features)
        for number, layer in enumerate(self.dense):
            x = layer(x)
            if self.layers.leak is not None:
                x = F.leaky_relu(x, self.layers.leak)
            if number == 0 and self.layers.has_penalty:
                self._activity = x.float().abs().sum() / len(x)
        return self.last(self.dropout(x))

    def penalty(self) -> Tensor | float:
        """What Keras adds to the loss, in training and validation alike, for the first dense layer and the latest
        batch, as published for chest CT: 0.016 |W|^2 + 0.006 |b|_1 + 0.006 |leaky(x W + b)|_1 / batch."""
        if not self.layers.has_penalty:
            return 0.0
        assert self._activity is not None, "the penalty is of the latest batch"
        first = self.dense[0]
        weight = first.get_parameter("weight").flatten()
        bias = first.get_parameter("bias")
        return (
            self.layers.kernel_l2 * weight.dot(weight)
            + self.layers.bias_l1 * bias.abs().sum()
            + self.layers.activity_l1 * self._activity
        )


def glorot(dim: int, units: int) -> nn.Linear:
    """A dense layer as Keras begins: Glorot-uniform weights, no bias."""
    layer = nn.Linear(dim, units)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
