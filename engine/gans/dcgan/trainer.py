"""The trainer of a DCGAN: both networks and one iteration, a step of D, a step of G and of the average."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from engine.configs import DcganConfig
from engine.devices import on_device
from engine.gans.cuda_graphs import Recorder
from engine.gans.data import Shown, draws_seed, seed_draws, to_input
from engine.gans.dcgan.losses import (
    adversarial_loss,
    generator_loss,
    gradient_penalty,
    noisy_targets,
    probability_real,
)
from engine.gans.dcgan.networks import Discriminator, Generator
from engine.gans.image_spec import ImageSpec
from engine.gans.optimizers import gradient_norm, start_adam
from engine.gans.trainers import Trainer

METERS = ("g_loss", "d_loss", "d_real", "d_fake", "g_grad_norm", "d_grad_norm")


class DcganTrainer(Trainer):
    """A DCGAN: every iteration is a step of D and a step of G on the whole batch."""

    def __init__(
        self, config: DcganConfig, spec: ImageSpec, labels: Tensor, device: torch.device, precision: torch.dtype
    ):
        """`labels` are not needed: fakes are made for the classes of the batch."""
        self.config, self.device, self.precision, self.z_dim = config, device, precision, config.z_dim
        torch.manual_seed(config.seed)  # the initial weights come from the seed, on any device the same
        self.g = on_device(Generator(config, spec), device)
        self.d = on_device(Discriminator(config, spec), device)
        self.g_ema = copy.deepcopy(self.g).eval().requires_grad_(False)
        self.optimizers = {
            "G": adam(self.g, config.g_lr, config, device),
            "D": adam(self.d, config.d_lr, config, device),
        }
        self.meters = torch.zeros(len(METERS) + 1, device=device)  # the last entry counts iterations
        self.microbatch_starts = range(0, config.batch, config.batch)
        self.recorder = Recorder(device, config.cuda_graphs)
        self.graphed = self.recorder.graphed(
            lambda pixels, labels: self.iterate(to_input(pixels, config.mirror), labels)
        )

    def train_step(self, microbatches: Sequence[Shown], images_seen: int) -> None:
        """One iteration on a whole batch, replayed as one CUDA graph where there is a GPU."""
        ((pixels, labels),) = microbatches
        self.recorder.begin_iteration()
        seed_draws(draws_seed(self.config.seed, images_seen), self.device)
        self.graphed(pixels, labels)

    def iterate(self, reals: Tensor, labels: Tensor) -> None:
        """One step of each player on real images [N, C, H, W] in [-1, 1] of classes `labels` [N]."""
        condition = labels if self.config.conditional else None
        z = torch.randn(len(reals), self.config.z_dim, device=self.device)

        # The discriminator: real and fake pass apart, because BatchNorm must not see them mixed.
        self.optimizers["D"].zero_grad(set_to_none=True)
        with self.autocast():
            fakes = self.g(z, condition)
            of_reals = self.d(reals, condition)
            of_fakes = self.d(fakes.detach(), condition)
        d_loss = self.discriminator_loss(of_reals, of_fakes)
        total = d_loss
        if self.config.gradient_penalty:
            with self.autocast():
                penalty = gradient_penalty(lambda images: self.d(images, condition), reals, fakes)
            total = d_loss + self.config.gradient_penalty * penalty
        total.backward()
        d_grad_norm = gradient_norm(self.d)
        self.optimizers["D"].step()

        # The generator: the same fakes before the improved discriminator, whose own gradients are not needed.
        self.optimizers["G"].zero_grad(set_to_none=True)
        with as_it_is(self.d):
            with self.autocast():
                of_fakes_again = self.d(fakes, condition)
            g_loss = generator_loss(of_fakes_again, self.config.inverted_labels)
            g_loss.backward()
        g_grad_norm = gradient_norm(self.g)
        self.optimizers["G"].step()
        for optimizer in self.optimizers.values():
            optimizer.zero_grad(set_to_none=True)  # memory of a CUDA graph must not be used outside it

        self.update_ema(len(reals))
        d_real, d_fake = (probability_real(logits, self.config.inverted_labels) for logits in (of_reals, of_fakes))
        row = [g_loss.detach(), d_loss.detach(), d_real, d_fake, g_grad_norm, d_grad_norm, torch.ones_like(d_real)]
        self.meters += torch.stack(row)

    def autocast(self) -> torch.autocast:
        """bf16 for the networks; a new one for each pass, because it keeps the bf16 copies of weights until it ends."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == torch.bfloat16)

    def discriminator_loss(self, of_reals: Tensor, of_fakes: Tensor) -> Tensor:
        """Binary cross-entropy of both passes, logits [N] each, added as in the recipe; a scalar."""
        config = self.config
        loss = torch.zeros((), device=self.device)
        for logits, real in ((of_reals, True), (of_fakes, False)):
            targets = noisy_targets(logits, real, config.inverted_labels, config.soft_labels, config.flip_probability)
            loss = loss + adversarial_loss(logits, targets)
        return loss

    @torch.no_grad()
    def update_ema(self, images: int) -> None:
        """Move the average towards the generator: weights and BatchNorm statistics, with a half-life in images."""
        half_life = 1000 * self.config.ema_kimg
        keep = 0.5 ** (images / half_life) if half_life else 0.0
        for average, current in zip(self.g_ema.state_dict().values(), self.g.state_dict().values(), strict=True):
            if average.is_floating_point():
                average.lerp_(current, 1 - keep)
            else:
                average.copy_(current)

    def read_meters(self) -> dict[str, float]:
        """Means since the last call. This waits for the device."""
        *sums, iterations = self.meters.tolist()
        self.meters.zero_()
        return {name: total / iterations for name, total in zip(METERS, sums, strict=True)}

    @torch.no_grad()
    def sample(self, z: Tensor, labels: Tensor, noise: Literal["const", "random", "none"] = "const") -> Tensor:
        microbatches = zip(z.split(self.config.batch), labels.split(self.config.batch), strict=True)
        return torch.cat([self.g_ema(z, labels if self.config.conditional else None) for z, labels in microbatches])

    def facts(self) -> dict[str, Any]:
        return {"architecture": self.config.architecture}


@contextmanager
def as_it_is(network: nn.Module) -> Iterator[None]:
    """No gradients for the network's parameters meanwhile."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


def adam(network: nn.Module, lr: float, config: DcganConfig, device: torch.device) -> torch.optim.Adam:
    """Adam in one pass over the parameters, its step counter on the device so that CUDA graphs can hold it."""
    betas = (config.beta1, config.beta2)
    optimizer = torch.optim.Adam(network.parameters(), lr, betas, fused=True, capturable=device.type == "cuda")
    start_adam(optimizer)
    return optimizer
