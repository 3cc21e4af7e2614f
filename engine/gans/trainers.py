"""The training loop's view of a GAN's two networks, and their trainer for each config."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from engine.configs import DcganConfig, TrainingConfig
from engine.devices import choose_precision
from engine.gans.data import Shown
from engine.gans.dcgan.trainer import DcganTrainer
from engine.gans.image_spec import ImageSpec
from engine.gans.stylegan2.layers import Noise
from engine.gans.stylegan2.trainer import StyleganTrainer


class Trainer(Protocol):
    """Everything that one iteration changes: both networks, their optimisers, the average, the meters.

    An iteration never waits for the device: the meters add up there and are read once a tick.
    """

    precision: torch.dtype
    microbatch_starts: range
    """Where in a batch the pieces begin that this rank takes at once."""

    def train_step(self, microbatches: Sequence[Shown], images_seen: int) -> None:
        """One iteration on this rank's pieces of a batch, by the number of images seen before it."""
        ...

    def read_meters(self) -> dict[str, float]:
        """Means since the last call. This waits for the device."""
        ...

    def sample(self, z: Tensor, labels: Tensor, noise: Noise = "const") -> Tensor:
        """Images [N, C, H, W] of the averaged generator in fp32, for z [N, z_dim] and labels [N].

        `noise` is for generators that have noise planes.
        """
        ...

    def state(self) -> dict[str, Tensor]:
        """Every tensor that the following iterations depend on, by name, as a snapshot holds them."""
        ...

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """The inverse of `state`. KeyError or RuntimeError if the tensors do not fit."""
        ...

    def networks(self) -> dict[str, nn.Module]:
        """`G`, `D` and `G_ema`."""
        ...


def make_trainer(config: TrainingConfig, spec: ImageSpec, labels: Tensor, device: torch.device) -> Trainer:
    """The trainer at the start of a training, its weights drawn from the config's seed.

    `labels` int64 [N] are those of all training images, on the device.
    """
    if isinstance(config, DcganConfig):
        return DcganTrainer(config, spec, device, precision_of(config, device))
    return StyleganTrainer(config, spec, labels, device, precision_of(config, device))


def precision_of(config: TrainingConfig, device: torch.device) -> torch.dtype:
    """The precision of the networks; only StyleGAN2 was made to stay within the range of float16."""
    older_gpus = torch.float32 if isinstance(config, DcganConfig) else torch.float16
    return choose_precision(config.precision, device, older_gpus)
