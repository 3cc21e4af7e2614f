"""What the training loop asks of a GAN's trainer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from engine.configs import TrainConfig
from engine.configs.gans import gan_named
from engine.devices import choose_precision
from engine.gans.data import Shown
from engine.gans.image_spec import ImageSpec
from engine.gans.optimizers import adam_state, load_adam_state
from engine.store.plugins import named


class Trainer(ABC):
    """Everything that one iteration changes: both networks, their optimisers, the average, the meters.

    An iteration never waits for the device: the meters add up there and are read once a tick. A trainer of a GAN
    assigns the fields below, its weights drawn from the config's seed.
    """

    precision: torch.dtype
    z_dim: int
    microbatch_starts: range
    """Where in a batch the pieces begin that this rank takes at once."""
    g: nn.Module
    d: nn.Module
    g_ema: nn.Module
    """The average of `g`, which makes the samples."""
    optimizers: Mapping[str, torch.optim.Adam]
    """Of `G` and `D`, begun with `engine.gans.optimizers.start_adam`."""

    @abstractmethod
    def train_step(self, microbatches: Sequence[Shown], images_seen: int) -> None:
        """One iteration on this rank's pieces of a batch, by the number of images seen before it."""

    @abstractmethod
    def read_meters(self) -> dict[str, float]:
        """Means since the last call, g_loss and d_loss among them. This waits for the device."""

    @abstractmethod
    def sample(self, z: Tensor, labels: Tensor, noise: Literal["const", "random", "none"] = "const") -> Tensor:
        """Images [N, C, H, W] of the averaged generator in fp32, for z [N, z_dim] and labels [N].

        `noise` is for generators that have noise planes.
        """

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """What the networks are, for a snapshot's metadata: `architecture`, and what it takes to build them again."""

    def networks(self) -> dict[str, nn.Module]:
        """`G`, `D` and `G_ema`."""
        return {"G": self.g, "D": self.d, "G_ema": self.g_ema}

    def small_state(self) -> dict[str, Tensor]:
        """All state besides networks and Adam's averages."""
        return {}

    def state(self) -> dict[str, Tensor]:
        """Every tensor that the following iterations depend on, by name, as a snapshot holds them."""
        tensors: dict[str, Tensor] = {}
        for name, network in self.networks().items():
            tensors |= {f"{name}.{key}": value for key, value in network.state_dict().items()}
        for name, optimizer in self.optimizers.items():
            tensors |= adam_state(name, optimizer)
        return tensors | self.small_state()

    @torch.no_grad()
    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Take over a snapshot's tensors; the inverse of `state`. KeyError or RuntimeError if they do not fit."""
        for name, network in self.networks().items():
            network.load_state_dict({key: tensors[f"{name}.{key}"] for key in network.state_dict()})
        for name, optimizer in self.optimizers.items():
            load_adam_state(name, optimizer, tensors)
        for name, tensor in self.small_state().items():
            tensor.copy_(tensors[name])

    def set_typical_load(self) -> None:  # noqa: B027  # most have nothing to do
        """Before the cost of an iteration is measured: bring about what a training meets later, not at its start."""


@runtime_checkable
class ScoresImages(Protocol):
    """A trainer whose discriminator can be asked about images that it is not trained on."""

    judged_together: int
    """Images that the discriminator sees as a group (minibatch-std)."""

    def discriminator_logits(self, images: Tensor, labels: Tensor) -> Tensor:
        """Logits [N] of images [N, C, H, W] as they are, without augmentation."""
        ...


def make_trainer(config: TrainConfig, spec: ImageSpec, labels: Tensor, device: torch.device) -> Trainer:
    """The trainer at the start of a training. `labels` int64 [N] are those of all training images, on the device."""
    build = named(gan_named(config.gan).build_trainer)
    return build(config, spec, labels, device, precision_of(config, device))


def precision_of(config: TrainConfig, device: torch.device) -> torch.dtype:
    """The precision of the networks; float16 only where they were made to stay within its range."""
    older_gpus = torch.float16 if gan_named(config.gan).capabilities.float16 else torch.float32
    return choose_precision(config.precision, device, older_gpus)
