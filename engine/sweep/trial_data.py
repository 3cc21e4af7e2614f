"""What a trial reads and what it gives, and the surroundings in which its numbers come out the same again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import TypeVar

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from engine.configs import SweepConfig
from engine.devices import exact_arithmetic
from engine.store.errors import ErsatzError
from engine.sweep.arms import Drawing, Stream, Trial, random_stream

Asked = TypeVar("Asked", Trial, list[Trial])
Found = TypeVar("Found")


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
    drawing: Drawing | None = None
    """Which of the pool's images belong to which generator or part."""
    real_groups: np.ndarray | None = None
    """What belongs together of the real training images `[n_real]`, as text: patients where known; None: nothing."""

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
    """What one trial gave; `scores` are probabilities float32 `[n_test, classes]`, `valid_scores` those of the
    validation images by the same weights, of which a threshold can be read before the test images are seen."""

    trial: Trial
    n_real: int
    n_synthetic: int
    best_step: int
    valid_accuracy: float
    valid_loss: float
    seconds: float
    scores: np.ndarray = field(repr=False)
    valid_scores: np.ndarray | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not np.isfinite(self.scores).all():
            raise ErsatzError(
                f"The trial {self.trial.arm}, ratio {self.trial.ratio:g}, seed {self.trial.seed} gave scores that are "
                "not finite numbers: its training diverged. Set a lower lr, or another optimizer or head."
            )


@contextmanager
def reproducible(device: torch.device) -> Iterator[None]:
    """One thread and the same sums every time: a trial gives the same numbers alone, beside others and again.

    Two threads would gain nothing: the products are small, and other trials can use the second core. On a GPU float32
    is IEEE's, and attention (of a vision transformer) is computed by plain products, because the backward passes of the
    fused kinds add in any order; of other operations torch takes those that give the same sums again, and warns in the
    log of one that has none. None of torchvision's backbones needs one.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with exact_arithmetic(), _same_order(device):
            yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _same_order(device: torch.device) -> Iterator[None]:
    """Operations that add in a fixed order. The CPU's do, and what this chooses would change their numbers."""
    if device.type == "cpu":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # torch wants to see it, although one stream adds alike
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


def reproducibly(train: Callable[[Asked, Inputs, SweepConfig], Found]) -> Callable[[Asked, Inputs, SweepConfig], Found]:
    """Train like this, but in `reproducible` surroundings on the device that holds the inputs."""

    @wraps(train)
    def trained(asked: Asked, inputs: Inputs, config: SweepConfig) -> Found:
        with reproducible(inputs.train.device):
            return train(asked, inputs, config)

    return trained


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
