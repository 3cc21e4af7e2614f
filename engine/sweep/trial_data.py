"""What a trial reads and what it gives, and the surroundings in which its numbers come out the same again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from engine.store.errors import ErsatzError
from engine.sweep.arms import Stream, Trial, random_stream


@dataclass(frozen=True)
class Inputs:
    """What all trials of a sweep read: images uint8 `[N, C, S, S]`, or features float32 `[N, D]`, and class indices.

    `train` holds the real training images first, then the pool's; `views` their features under K recorded random
    views, for frozen backbones only: `[n_real, K, D]`, or `[n_real + n_pool, K, D]` where an arm augments the pool's.
    """

    train: torch.Tensor
    valid: torch.Tensor
    test: torch.Tensor
    real_labels: np.ndarray
    pool_labels: np.ndarray
    valid_labels: np.ndarray
    classes: int
    views: torch.Tensor | None = None

    def to(self, device: torch.device) -> Inputs:
        views = None if self.views is None else self.views.to(device)
        return replace(
            self, train=self.train.to(device), valid=self.valid.to(device), test=self.test.to(device), views=views
        )

    @property
    def train_labels(self) -> np.ndarray:
        return np.concatenate((self.real_labels, self.pool_labels))


@dataclass(frozen=True)
class Result:
    """What one trial gave; `scores` are probabilities float32 `[n_test, classes]`."""

    trial: Trial
    n_real: int
    n_synthetic: int
    best_step: int
    valid_accuracy: float
    valid_loss: float
    seconds: float
    scores: np.ndarray = field(repr=False)

    def __post_init__(self) -> None:
        if not np.isfinite(self.scores).all():
            raise ErsatzError(
                f"The trial {self.trial.arm}, ratio {self.trial.ratio:g}, seed {self.trial.seed} gave scores that are "
                "not finite numbers: its training diverged. Set a lower lr, or another optimizer or head."
            )


@contextmanager
def reproducible() -> Iterator[None]:
    """One thread and deterministic convolutions: a trial gives the same numbers alone, beside others and again.

    Two threads would gain nothing: the products are small, and other trials can use the second core.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
            yield
    finally:
        torch.set_num_threads(threads)


def with_views(
    inputs: Inputs, order: np.ndarray, classical: list[bool], seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The table of features with the views' appended, and the rows of it to take, for rows `[steps, T, B]` of
    `inputs.train`: in the trials with classical augmentation a random view of each image, the same in all of them."""
    if not any(classical):
        return inputs.train, torch.from_numpy(order).to(inputs.train.device)
    assert inputs.views is not None, "classical augmentation of a frozen backbone needs cached views"
    views = inputs.views.shape[1]
    draw = random_stream(seed, Stream.AUGMENT).integers(views, size=(len(order), 1, order.shape[2]))
    augmented = len(inputs.train) + order * views + draw
    rows = np.where(np.array(classical)[None, :, None], augmented, order)
    table = torch.cat((inputs.train, inputs.views.flatten(0, 1)))
    return table, torch.from_numpy(rows).to(table.device)
