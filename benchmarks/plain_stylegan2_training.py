"""Training of StyleGAN2-ADA in its plain form: fp32, an Adam that is not fused, gradients mended one by one."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks import plain_stylegan2 as plain
from engine.configs import StyleganConfig
from engine.gans.augment.pipe import AugmentPipe
from engine.gans.image_spec import ImageSpec
from engine.gans.stylegan2.architecture import Architecture
from engine.gans.stylegan2.losses import (
    draw_cutoff,
    generator_loss,
    gradient_penalty,
    loss_of_fakes,
    loss_of_reals,
    mixed,
    path_lengths,
    path_penalty,
)
from engine.gans.stylegan2.networks import (
    Discriminator,
    Generator,
)
from engine.gans.stylegan2.trainer import ema_decay


class PlainTraining:
    """The four phases, each with its step, and the moving average, on the CPU; unconditional."""

    def __init__(self, config: StyleganConfig, spec: ImageSpec):
        self.config = config
        architecture = Architecture.from_config(config, spec)
        torch.manual_seed(config.seed)
        self.g, self.d = Generator(architecture), Discriminator(architecture)
        self.g_ema = copy.deepcopy(self.g)
        self.pipe = AugmentPipe(config.augpipe, spec.channels)
        self.pipe.p.fill_(config.aug_p)
        self.g_adam, self.d_adam = (
            torch.optim.Adam(network.parameters(), lr * share, (0.0, 0.99**share), 1e-8, foreach=False, fused=False)
            for network, lr, share in (
                (self.g, config.g_lr, config.g_reg_interval / (config.g_reg_interval + 1)),
                (self.d, config.d_lr, config.d_reg_interval / (config.d_reg_interval + 1)),
            )
        )
        self.pl_mean = torch.zeros([])
        self.images_seen = 0

    def parts(self, reals: Tensor) -> dict[str, Callable[[], None]]:
        """Everything that an iteration does, by name."""
        return {
            "g_main": lambda: self.g_main(len(reals)),
            "g_reg": lambda: self.g_reg(reals),
            "d_main": lambda: self.d_main(reals),
            "d_reg": lambda: self.d_reg(reals),
            "average": lambda: self.average(len(reals)),
        }

    def g_main(self, count: int) -> None:
        self.begin(self.g_adam)
        generator_loss(self.discriminate_augmented(self.fakes(self.draw_ws(count)))).mean().backward()
        self.step(self.g_adam)

    def g_reg(self, reals: Tensor) -> None:
        self.begin(self.g_adam)
        ws = self.draw_ws(len(reals) // 2)
        lengths = path_lengths(self.fakes, ws, torch.randn_like(reals[: len(ws)]))
        penalty, mean = path_penalty(lengths, self.pl_mean)
        (penalty.mean() * self.config.pl_weight * self.config.g_reg_interval).backward()
        self.pl_mean = mean.detach()
        self.step(self.g_adam)

    def d_main(self, reals: Tensor) -> None:
        self.begin(self.d_adam)
        with torch.no_grad():
            fakes = self.fakes(self.draw_ws(len(reals)))
        loss_of_fakes(self.discriminate_augmented(fakes)).mean().backward()
        loss_of_reals(self.discriminate_augmented(reals)).mean().backward()
        self.step(self.d_adam)

    def d_reg(self, reals: Tensor) -> None:
        self.begin(self.d_adam)
        penalty, _ = gradient_penalty(self.discriminate_augmented, reals)
        (penalty.mean() * (self.config.gamma / 2) * self.config.d_reg_interval).backward()
        self.step(self.d_adam)

    @torch.no_grad()
    def average(self, batch: int) -> None:
        kept = ema_decay(batch, self.images_seen, self.config.ema_kimg, self.config.ema_ramp)
        self.images_seen += batch
        for average, current in zip(self.g_ema.parameters(), self.g.parameters(), strict=True):
            average.copy_(current.lerp(average, kept))
        for average, current in zip(self.g_ema.buffers(), self.g.buffers(), strict=True):
            average.copy_(current)

    def draw_ws(self, count: int) -> Tensor:
        """ws [count, num_ws, w_dim] with style mixing."""
        w, other = (plain.mapped(self.g.mapping, torch.randn(count, self.config.z_dim)) for _ in range(2))
        num_ws = self.g.architecture.num_ws
        cutoff = draw_cutoff(num_ws, self.config.style_mixing, w.device)
        return mixed(*(ws[:, None].expand(-1, num_ws, -1) for ws in (w, other)), cutoff)

    def fakes(self, ws: Tensor) -> Tensor:
        return plain.synthesised(self.g, ws, "random")

    def discriminate_augmented(self, images: Tensor) -> Tensor:
        return plain.discriminated(self.d, plain.augmented(self.pipe, images))

    def begin(self, optimizer: torch.optim.Adam) -> None:
        """Gradients for one network only."""
        optimizer.zero_grad(set_to_none=True)
        self.g.requires_grad_(optimizer is self.g_adam)
        self.d.requires_grad_(optimizer is self.d_adam)

    def step(self, optimizer: torch.optim.Adam) -> None:
        for parameter in optimizer.param_groups[0]["params"]:
            if parameter.grad is not None:
                torch.nan_to_num(parameter.grad, nan=0, posinf=1e5, neginf=-1e5, out=parameter.grad)
        optimizer.step()
