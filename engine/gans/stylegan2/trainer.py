"""The trainer of StyleGAN2-ADA: both networks and one iteration of their training, phase by phase.

An iteration is up to four phases, each with fresh latents, gradients of its own and a step of one network's Adam: the
generator's loss, every `g_reg_interval` iterations its path length penalty, the discriminator's loss, and every
`d_reg_interval` iterations its R1 penalty on the same real images. Then the average of the generator moves, and every
fourth iteration ADA's p.

A batch is cut into pieces of `batch_gpu` images whose gradients add up, over pieces and over ranks. Every draw of a
piece derives from the seed, the phase and the images seen before the piece, so it does not matter who computes it.
Minibatch-std sees the groups within a piece; all else is the same as in one pass.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from engine.configs import StyleganConfig
from engine.devices import on_device
from engine.gans.augment.controller import AdaController
from engine.gans.augment.pipe import AugmentPipe
from engine.gans.cuda_graphs import Recorder, Work
from engine.gans.data import Shown, draws_seed, seed_draws, to_input
from engine.gans.distributed import average, own_microbatches
from engine.gans.image_spec import ImageSpec
from engine.gans.meters import Meters
from engine.gans.optimizers import start_adam
from engine.gans.stylegan2.architecture import Architecture, describe_networks
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
    Noise,
    one_hot,
    set_precision,
)
from engine.gans.trainers import Trainer


def ema_decay(batch: int, images_seen: int, ema_kimg: float, ramp: float) -> float:
    """EMA decay of an iteration of `batch` images after `images_seen`.

    The half-life is `ema_kimg`, but with a ramp no more than that share of the images seen so far, so that the average
    soon forgets the first, random weights. A half-life of 0 keeps nothing: the average is the generator itself.
    """
    half_life = ema_kimg * 1000
    if ramp:
        half_life = min(half_life, images_seen * ramp)
    return 0.5 ** (batch / max(half_life, 1e-8))


@torch.no_grad()
def update_ema(average: nn.Module, network: nn.Module, kept: float) -> None:
    """Move the average's parameters towards the network's, and copy the buffers (the mean of w among them)."""
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - kept)
    torch._foreach_copy_(list(average.buffers()), list(network.buffers()))


LIMIT = 1e5
"""What an infinite gradient becomes; one that is not a number becomes 0."""
ALIGNMENT = 4  # numbers, that is 16 bytes: what vectorised kernels ask of the beginning of a tensor


class FlatGradients:
    """The gradients of a network's parameters, as views of `flat`, for as long as the parameters live.

    A phase that does not touch a parameter leaves zeros, not None: Adam then counts a step for it and its averages
    decay. Of the two published repositories stylegan2-ada does so too, and stylegan3 skips such parameters; after
    some iterations their losses differ by a per cent or two.
    """

    def __init__(self, network: nn.Module):
        parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        room = [-(-parameter.numel() // ALIGNMENT) * ALIGNMENT for parameter in parameters]
        self.flat = torch.zeros(sum(room), device=parameters[0].device)
        for parameter, piece in zip(parameters, self.flat.split(room), strict=True):
            # Laid out like the parameter (channels last), as the fused optimiser wants it.
            parameter.grad = piece.as_strided(parameter.shape, parameter.stride())

    def zero(self) -> None:
        self.flat.zero_()

    def norm(self) -> Tensor:
        """Length of the whole gradient, a scalar on the device."""
        return torch.linalg.vector_norm(self.flat)

    def make_finite(self) -> None:
        """Replace what is not a number by 0 and what is infinite by +-`LIMIT`."""
        torch.nan_to_num(self.flat, nan=0.0, posinf=LIMIT, neginf=-LIMIT, out=self.flat)


def lazy_adam(network: nn.Module, lr: float, interval: int, device: torch.device) -> torch.optim.Adam:
    """Adam for a loss every iteration and a penalty every `interval` (arXiv 1912.04958, appendix B).

    Its rate and betas are those of k / (k + 1) of an iteration. The rate is a tensor on the device, so that it can be
    changed under a CUDA graph.
    """
    share = interval / (interval + 1)
    rate = torch.tensor(lr * share, device=device)
    optimizer = torch.optim.Adam(
        network.parameters(), rate, (0.0, 0.99**share), 1e-8, fused=True, capturable=device.type == "cuda"
    )
    start_adam(optimizer)
    return optimizer


METERS = (
    "g_loss",
    "d_loss",
    "d_real",
    "d_fake",
    "g_grad_norm",
    "d_grad_norm",
    "r1",
    "pl",
    "real_logits",
    "fake_logits",
)
Name = Literal["g_main", "g_reg", "d_main", "d_reg"]
GRADIENT_METERS: dict[Name, str] = {"g_main": "g_grad_norm", "d_main": "d_grad_norm"}
ADA_INTERVAL = 4
"""Iterations between steps of p."""
TYPICAL_P = 0.5
"""p of a training that is well on its way."""


@dataclass(frozen=True)
class Phase:
    """Gradients of one loss, added up piece by piece, and a step of the network that they are for."""

    network: Literal["G", "D"]
    interval: int
    add_gradients: Callable[[Tensor, Tensor], None]
    step: Callable[[], None]


class StyleganTrainer(Trainer):
    """StyleGAN2-ADA: also p, the mean path length and r_t change from iteration to iteration."""

    g: Generator
    d: Discriminator
    g_ema: Generator

    def __init__(
        self,
        config: StyleganConfig,
        spec: ImageSpec,
        labels: Tensor,
        device: torch.device,
        precision: torch.dtype,
    ):
        """`labels` int64 [N] are those of all training images: fakes are made for the classes of random ones."""
        self.config, self.labels, self.device, self.precision = config, labels, device, precision
        self.z_dim = config.z_dim
        architecture = Architecture.from_config(config, spec)
        torch.manual_seed(config.seed)  # the initial weights come from the seed, on any device the same
        self.g = on_device(Generator(architecture), device)
        self.d = on_device(Discriminator(architecture), device)
        self.g_ema = copy.deepcopy(self.g).eval().requires_grad_(False)
        set_precision(self.g, precision)
        set_precision(self.d, precision)
        self.gradients = {"G": FlatGradients(self.g), "D": FlatGradients(self.d)}
        self.optimizers = {
            "G": lazy_adam(self.g, config.g_lr, config.g_reg_interval, device),
            "D": lazy_adam(self.d, config.d_lr, config.d_reg_interval, device),
        }
        static = config.aug_margins == "static" or (config.aug_margins == "auto" and device.type == "cuda")
        augmentations: str | frozenset[str] = frozenset() if config.aug == "noaug" else config.augpipe
        self.augment = AugmentPipe(augmentations, spec.channels, "static" if static else "exact").to(device)
        self.augment.p.fill_(config.aug_p)
        self.ada = AdaController(self.augment, config)
        self.pl_mean = torch.zeros((), device=device)
        self.meters = Meters(METERS, device)
        self.microbatch_starts = own_microbatches(config.batch, config.batch_gpu)
        self.judged_together = min(config.mbstd_group, self.microbatch_starts.step)
        # Means over the pieces of a phase, on their way to w_avg and pl_mean.
        self.w_mean = torch.zeros(config.w_dim, device=device)
        self.pl_moved = torch.zeros((), device=device)
        # Exact margins have the host wait for the draws, which no CUDA graph can hold.
        self.recorder = Recorder(device, config.cuda_graphs and (static or config.aug == "noaug"))
        self.phases = self.all_phases()

    def all_phases(self) -> list[Phase]:
        """The phases in their order; a penalty without weight has none. On a GPU each is two CUDA graphs."""
        config, recorder = self.config, self.recorder

        def phase(name: Name, network: Literal["G", "D"], interval: int, add_gradients: Work) -> Phase:
            def add_its_gradients(reals: Tensor, labels: Tensor) -> None:
                self.differentiate(network)  # here, because a replayed graph has no use for it
                add_gradients(reals, labels)

            step = recorder.graphed(lambda: self.step(name, network))
            return Phase(network, interval, recorder.graphed(add_its_gradients), step)

        phases = [phase("g_main", "G", 1, self.g_main)]
        if config.pl_weight:
            phases.append(phase("g_reg", "G", config.g_reg_interval, self.g_reg))
        phases.append(phase("d_main", "D", 1, self.d_main))
        if config.gamma:
            phases.append(phase("d_reg", "D", config.d_reg_interval, self.d_reg))
        return phases

    def train_step(self, microbatches: Sequence[Shown], images_seen: int) -> None:
        """One iteration on this rank's pieces of a batch, by the number of images seen before it."""
        config = self.config
        self.recorder.begin_iteration()
        reals = []
        for offset, (pixels, labels) in zip(self.microbatch_starts, microbatches, strict=True):
            seed_draws(draws_seed(config.seed, images_seen + offset), self.device)
            reals.append((to_input(pixels, config.mirror, config.mirror_vertical), labels))
        iteration = images_seen // config.batch
        for number, phase in enumerate(self.phases, start=1):
            if iteration % phase.interval == 0:
                self.zero_grad(phase)
                for offset, piece in zip(self.microbatch_starts, reals, strict=True):
                    seed_draws(draws_seed(config.seed, images_seen + offset, number), self.device)
                    phase.add_gradients(*piece)
                self.all_reduce(phase)
                phase.step()
        update_ema(self.g_ema, self.g, ema_decay(config.batch, images_seen, config.ema_kimg, config.ema_ramp))
        if (iteration + 1) % ADA_INTERVAL == 0:
            self.ada.update(config.batch * ADA_INTERVAL)

    # The phases: each adds a piece's share to the gradients of one network.

    def g_main(self, reals: Tensor, labels: Tensor) -> None:
        """Fakes should pass for real."""
        ws, c = self.draw_ws(len(reals))
        logits = self.discriminate_augmented(self.g.synthesis(ws, "random"), c)
        loss = generator_loss(logits).mean()
        self.backward(loss)
        self.meters.add(g_loss=loss.detach())

    def g_reg(self, reals: Tensor, labels: Tensor) -> None:
        """Path length penalty on half as many images, which is enough for its mean (appendix B of the paper)."""
        ws, _ = self.draw_ws(max(1, len(reals) // 2))
        noise = self.draw(len(ws), *reals.shape[1:])
        lengths = path_lengths(lambda ws: self.g.synthesis(ws, "random"), ws, noise)
        penalty, mean = path_penalty(lengths, self.pl_mean)
        self.backward(penalty.mean() * self.config.pl_weight * self.config.g_reg_interval)
        self.pl_moved += mean.detach() / len(self.microbatch_starts)
        self.meters.add(pl=penalty.detach().mean())

    def d_main(self, reals: Tensor, labels: Tensor) -> None:
        """The discriminator's loss: reals and fakes in one pass, in which minibatch-std sees each by itself."""
        with torch.no_grad():
            ws, of_ws = self.draw_ws(len(reals))
            fakes = self.g.synthesis(ws, "random")
            images = torch.cat([self.augment(fakes), self.augment(reals)])
        conditions = [c for c in (of_ws, self.condition(labels)) if c is not None]
        logits = self.d(images, torch.cat(conditions) if conditions else None, batches=2)
        of_fakes, of_reals = logits.chunk(2)
        fake_loss, real_loss = loss_of_fakes(of_fakes).mean(), loss_of_reals(of_reals).mean()
        self.backward(fake_loss + real_loss)
        of_fakes, of_reals = of_fakes.detach(), of_reals.detach()
        self.ada.observe(of_reals)
        self.meters.add(
            d_loss=(fake_loss + real_loss).detach(),
            d_real=of_reals.sigmoid().mean(),
            d_fake=of_fakes.sigmoid().mean(),
            real_logits=of_reals.mean(),
            fake_logits=of_fakes.mean(),
        )

    def d_reg(self, reals: Tensor, labels: Tensor) -> None:
        """R1: the discriminator should be flat at real images."""
        c = self.condition(labels)
        penalty, logits = gradient_penalty(lambda images: self.discriminate_augmented(images, c), reals)
        self.backward(penalty.mean() * (self.config.gamma / 2) * self.config.d_reg_interval)
        self.ada.observe(logits.detach())
        self.meters.add(r1=penalty.detach().mean())

    # Shared by the phases.

    def draw_ws(self, count: int) -> tuple[Tensor, Tensor | None]:
        """ws [count, num_ws, w_dim] of fresh latents with style mixing, and conditions of random training images."""
        c = self.condition(self.labels[torch.randint(len(self.labels), (count,), device=self.device)])
        ws = self.g.mapping(self.draw(count, self.config.z_dim), c)
        self.w_mean += ws[:, 0].detach().mean(0) / len(self.microbatch_starts)
        if self.config.style_mixing:
            cutoff = draw_cutoff(ws.shape[1], self.config.style_mixing, self.device)
            ws = mixed(ws, self.g.mapping(self.draw(count, self.config.z_dim), c), cutoff)
        return ws, c

    def draw(self, *shape: int) -> Tensor:
        """Normal numbers: latents, and the noise of path lengths."""
        return torch.randn(shape, device=self.device)

    def condition(self, labels: Tensor) -> Tensor | None:
        return one_hot(labels, self.g.architecture.classes)

    def discriminate_augmented(self, images: Tensor, c: Tensor | None) -> Tensor:
        """Logits [N, 1] of images as the discriminator sees them in training: augmented."""
        return self.d(self.augment(images), c)

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a piece's loss to those of the batch, of which it is a part."""
        (loss / len(self.microbatch_starts)).backward()

    def zero_grad(self, phase: Phase) -> None:
        """Nothing added up yet."""
        self.recorder.begin_phase()
        self.gradients[phase.network].zero()
        self.w_mean.zero_()
        self.pl_moved.zero_()

    def differentiate(self, network: Literal["G", "D"]) -> None:
        """Gradients for one network only."""
        self.g.requires_grad_(network == "G")
        self.d.requires_grad_(network == "D")

    def all_reduce(self, phase: Phase) -> None:
        """Average over the ranks what the pieces added up: one all-reduce."""
        average([self.gradients[phase.network].flat, self.w_mean, self.pl_moved, self.ada.observed])

    def step(self, name: Name, network: Literal["G", "D"]) -> None:
        """Use what the pieces of all ranks added up."""
        gradients = self.gradients[network]
        if name in GRADIENT_METERS:
            self.meters.add_finite(**{GRADIENT_METERS[name]: gradients.norm()})
        gradients.make_finite()
        self.optimizers[network].step()
        if name != "d_reg":
            self.g.mapping.track(self.w_mean[None, None])
        if name == "g_reg":
            self.pl_mean.copy_(self.pl_moved)

    # Used by the loop between iterations.

    def read_meters(self) -> dict[str, float]:
        """Means since the last call, over all ranks, and where ADA stands. This waits for the device.

        A gradient's length is that before `make_finite`, over the finite ones; it is nan when none was.
        """
        average([self.meters.sums])
        means = self.meters.read()
        for name in GRADIENT_METERS.values():
            means.setdefault(name, math.nan)
        return means | {"augment_p": self.augment.p.item(), "r_t": self.ada.r_t.item()}

    @torch.no_grad()
    def sample(self, z: Tensor, labels: Tensor, noise: Noise = "const") -> Tensor:
        """Images [N, C, H, W] of the averaged generator in fp32, for z [N, z_dim] and labels [N]."""
        microbatches = zip(z.split(self.microbatch_starts.step), labels.split(self.microbatch_starts.step), strict=True)
        return torch.cat([self.g_ema(z, self.condition(labels), noise=noise) for z, labels in microbatches])

    @torch.no_grad()
    def discriminator_logits(self, images: Tensor, labels: Tensor) -> Tensor:
        """Logits [N] of the discriminator on images [N, C, H, W] as they are, without augmentation."""
        return self.d(images, self.condition(labels)).flatten()

    def small_state(self) -> dict[str, Tensor]:
        tensors = {"pl_mean": self.pl_mean, "augment.p": self.augment.p}
        for name, optimizer in self.optimizers.items():
            tensors[f"{name}.optimizer.lr"] = optimizer.param_groups[0]["lr"]
        return tensors | {f"ada.{name}": tensor for name, tensor in self.ada.state().items()}

    def facts(self) -> dict[str, Any]:
        architecture = self.g.architecture
        return {"architecture": self.config.cfg, **describe_networks(architecture, architecture)}

    def set_typical_load(self) -> None:
        """ADA's p begins at 0, where much of the augmentations' work is skipped."""
        if self.config.aug == "ada":
            self.augment.p.fill_(TYPICAL_P)
