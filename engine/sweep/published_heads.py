"""The heads of the published classifiers, layer by layer, and the plain linear one beside them.

Two of the three were published with a sigmoid for two classes. For more than two, one unit a class with a softmax takes
its place; with two classes both say the same.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from engine.configs import SweepConfig

HEAD_CT_DROPOUT = 0.4
CHEST_CT_WIDTHS = (50176, 500, 200, 50)
SKIN_LESIONS_WIDTH = 500
LEAK = 0.2
KERNEL_L2, ACTIVITY_L1, BIAS_L1 = 0.016, 0.006, 0.006


def make_head(config: SweepConfig, dim: int, classes: int) -> nn.Module:
    """The head `config.head` on features `[N, dim]`, drawn from torch's global generator -> logits `[N, units]`,
    units = 1 where a sigmoid was published for two classes, else `classes`."""
    units = 1 if classes == 2 else classes
    if config.head == "chest-ct":
        return ChestCtHead(dim, units)
    if config.head == "skin-lesions":
        # No nonlinearity is known between the two; initial weights are PyTorch's, where it was published.
        return nn.Sequential(nn.Linear(dim, SKIN_LESIONS_WIDTH), nn.Linear(SKIN_LESIONS_WIDTH, units))
    return nn.Sequential(nn.Dropout(head_dropout(config)), glorot(dim, classes))


def head_dropout(config: SweepConfig) -> float:
    """Dropout before the last layer: the config's, or as published for head CT."""
    return HEAD_CT_DROPOUT if config.head == "head-ct" else config.dropout


class ChestCtHead(nn.Module):
    """The head published for chest CT, in Keras: features `[N, dim]` -> logits `[N, units]`.

    Batch normalisation (Keras' momentum .99 is torch's .01), then dense layers of 50176, 500, 200 and 50 units with
    leaky ReLU, then the last. 128,013,521 weights for 2048 features and one unit, which take 4 GB while they train with
    Adam. Keras averages the variance without Bessel's correction, torch with: the running one differs by the factor
    n / (n - 1).
    """

    def __init__(self, dim: int, units: int):
        super().__init__()
        self.norm = nn.BatchNorm1d(dim, eps=1e-3, momentum=0.01)
        before = (dim, *CHEST_CT_WIDTHS)
        self.dense = nn.ModuleList(glorot(a, b) for a, b in zip(before, CHEST_CT_WIDTHS, strict=False))
        self.last = glorot(CHEST_CT_WIDTHS[-1], units)
        self._activity: Tensor | None = None

    def forward(self, features: Tensor) -> Tensor:
        x = self.norm(features)
        for layer in self.dense:
            x = F.leaky_relu(layer(x), LEAK)
            if layer is self.dense[0]:
                self._activity = x.float().abs().sum() / len(x)
        return self.last(x)

    def penalty(self) -> Tensor:
        """What Keras adds to the loss, in training and validation alike, for the first dense layer and the latest
        batch: 0.016 |W|^2 + 0.006 |b|_1 + 0.006 |leaky(x W + b)|_1 / batch."""
        assert self._activity is not None, "the penalty is of the latest batch"
        first = self.dense[0]
        weight = first.get_parameter("weight").flatten()
        bias = first.get_parameter("bias")
        return KERNEL_L2 * weight.dot(weight) + BIAS_L1 * bias.abs().sum() + ACTIVITY_L1 * self._activity


def glorot(dim: int, units: int) -> nn.Linear:
    """A dense layer as Keras begins: Glorot-uniform weights, no bias."""
    layer = nn.Linear(dim, units)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
