"""A GAN of another package: everything about it is in this file."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from engine.configs import TrainConfig
from engine.configs.gans import GanFamily, register
from engine.gans.data import Shown, draws_seed, seed_draws, to_input
from engine.gans.image_spec import ImageSpec
from engine.gans.optimizers import start_adam
from engine.gans.trainers import Trainer

Z = 8


class ToyConfig(TrainConfig):
    """Two layers against one."""

    gan: Literal["toy"] = "toy"
    lr: float = 1e-3
    """How far each step moves either network."""


class ToyGenerator(nn.Module):
    def __init__(self, size: int, channels: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(Z, 32),
            nn.ReLU(),
            nn.Linear(32, channels * size**2),
            nn.Tanh(),
            nn.Unflatten(1, (channels, size, size)),
        )

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)


class ToyTrainer(Trainer):
    def __init__(
        self, config: ToyConfig, spec: ImageSpec, labels: Tensor, device: torch.device, precision: torch.dtype
    ):
        torch.manual_seed(config.seed)
        self.config, self.device, self.precision, self.z_dim = config, device, precision, Z
        self.microbatch_starts = range(0, config.batch, config.batch)
        self.g = ToyGenerator(spec.size, spec.channels).to(device)
        self.d = nn.Sequential(nn.Flatten(), nn.Linear(spec.channels * spec.size**2, 1)).to(device)
        self.g_ema = copy.deepcopy(self.g).requires_grad_(False)
        self.optimizers = {
            name: torch.optim.Adam(net.parameters(), config.lr) for name, net in (("G", self.g), ("D", self.d))
        }
        for optimizer in self.optimizers.values():
            start_adam(optimizer)

    def train_step(self, microbatches: Sequence[Shown], images_seen: int) -> None:
        ((pixels, _),) = microbatches
        seed_draws(draws_seed(self.config.seed, images_seen), self.device)
        fakes = self.g(torch.randn(len(pixels), Z, device=self.device))
        self.d_loss = (
            softplus(self.d(fakes.detach())) + softplus(-self.d(to_input(pixels, self.config.mirror)))
        ).mean()
        self.step("D", self.d_loss)
        self.g_loss = softplus(-self.d(fakes)).mean()
        self.step("G", self.g_loss)
        self.g_ema.load_state_dict(self.g.state_dict())

    def step(self, name: str, loss: Tensor) -> None:
        self.optimizers[name].zero_grad()
        loss.backward()
        self.optimizers[name].step()

    def read_meters(self) -> dict[str, float]:
        return {"g_loss": self.g_loss.item(), "d_loss": self.d_loss.item()}

    def sample(self, z: Tensor, labels: Tensor, noise: str = "const") -> Tensor:
        return self.g_ema(z)

    def facts(self) -> dict[str, Any]:
        return {"architecture": "two layers"}


TOY = GanFamily(
    name="toy",
    title="Toy GAN",
    config=ToyConfig,
    build_trainer="tests.fabricated.toy_gan:ToyTrainer",
    load_generator="tests.fabricated.toy_gan:generator_of",
)


def generator_of(metadata: dict[str, Any]) -> ToyGenerator:
    return ToyGenerator(metadata["size"], metadata["channels"])


register(TOY)
