"""Optimisers and learning rates over time, and the loss of a head with one sigmoid or one softmax."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau

from engine.configs import SweepConfig
from engine.sweep.dense_head import head_layers

KERAS_EPSILON = 1e-7
PLATEAU_FACTOR = 0.2
"""As published for skin lesions; for chest CT it is not given."""
PLATEAU_EVALUATIONS = 2
"""Ours, since neither gives it: below the patience of 3 of both, or the rate would never fall."""


def make_optimiser(parameters: Iterable[nn.Parameter], config: SweepConfig) -> torch.optim.Optimizer:
    """AdamW with `config.weight_decay`; or Adam or RMSprop without any, as published.

    RMSprop has the constants of Keras, where it was published: a moving average of 0.9 and an epsilon of 1e-7. Adam's
    epsilon is the head's.
    """
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(parameters, config.lr, alpha=0.9, eps=KERAS_EPSILON)
    if config.optimizer == "adam":
        return torch.optim.Adam(parameters, config.lr, eps=head_layers(config).adam_epsilon, fused=True)
    return torch.optim.AdamW(parameters, config.lr, weight_decay=config.weight_decay, fused=True)


class Schedule:
    """The learning rate over time: constant, along a cosine to 0, or lower each time that the loss stays."""

    def __init__(self, optimiser: torch.optim.Optimizer, config: SweepConfig, steps: int):
        self.cosine = CosineAnnealingLR(optimiser, steps) if config.schedule == "cosine" else None
        self.plateau = None
        if config.schedule == "plateau":
            # torch counts the evaluations that are forgiven, hence one less.
            self.plateau = ReduceLROnPlateau(
                optimiser, factor=PLATEAU_FACTOR, patience=PLATEAU_EVALUATIONS - 1, threshold=0.0
            )

    def after_step(self) -> None:
        if self.cosine:
            self.cosine.step()

    def after_evaluation(self, valid_loss: float) -> None:
        if self.plateau:
            self.plateau.step(valid_loss)


def classification_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of logits `[N, classes]`, or of `[N, 1]`: then of the sigmoid that stands for class 1."""
    if logits.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(logits[:, 0], labels.to(logits))
    return F.cross_entropy(logits, labels)


def probabilities(logits: Tensor) -> Tensor:
    """Probabilities `[N, classes]` of logits `[N, classes]`, or `[N, 2]` of the logits `[N, 1]` of class 1."""
    if logits.shape[1] == 1:
        positive = logits.sigmoid()
        return torch.cat((1 - positive, positive), 1)
    return logits.softmax(1)
