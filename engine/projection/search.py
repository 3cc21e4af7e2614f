"""The search for w: schedules, statistics of w, and a state that can be saved after any step."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from engine.configs import ProjectionConfig
from engine.devices import choose_precision, exact_arithmetic
from engine.gans.data import draws_seed
from engine.gans.stylegan2.networks import Generator, one_hot, set_precision
from engine.projection.perceptual import Distance
from engine.sampling.sampler import to_pixels
from engine.store.files import replacing
from engine.store.hashing import sha256_value

SMALLEST = 8


def autocorrelation(planes: Sequence[Tensor]) -> Tensor:
    """Sum of the squared mean products of each plane with itself shifted by one pixel in x and in y.

    Planes [r, r], each also averaged down by 2 until it is `SMALLEST` wide (arXiv 1912.04958, appendix D). 0 for
    white noise.
    """
    total = planes[0].new_zeros(())
    for plane in planes:
        level = plane[None, None]
        while True:
            for axis in (2, 3):
                total = total + (level * level.roll(1, axis)).mean().square()
            if level.shape[-1] <= SMALLEST:
                break
            level = F.avg_pool2d(level, 2)
    return total


@torch.no_grad()
def renormalise(planes: Sequence[Tensor]) -> None:
    """Bring every plane to mean 0 and variance 1, in place."""
    for plane in planes:
        plane -= plane.mean()
        plane *= plane.square().mean().rsqrt()


logger = logging.getLogger(__name__)

W_SAMPLES = 10_000
W_SEED = 123
BATCH = 1000
LR = 0.1
RAMP_UP, RAMP_DOWN = 0.05, 0.25
"""Shares of the steps in which the learning rate rises from 0, and falls back to it along a cosine."""
W_NOISE, W_NOISE_UNTIL = 0.05, 0.75
"""Noise on w in units of w's standard deviation at the first step, and the share of the steps by which it is gone."""
NOISE_WEIGHT = 1e5


class Search:
    """w and noise planes on their way to the target's image, with everything that the next step depends on.

    Steps are taken in bf16 where the hardware has it; what is written and said at the end is fp32. Measured on a random
    network of 64 px, the distance after 150 steps was no worse (0.102 and 0.086 in bf16, 0.106 and 0.088 in fp32).
    """

    def __init__(
        self,
        generator: Generator,
        distance: Distance,
        device: torch.device,
        pixels: np.ndarray,
        label: int | None,
        config: ProjectionConfig,
    ):
        """`pixels`: the target, uint8 `[size, size, C]`."""
        self.generator = generator.requires_grad_(False).to(device).to(memory_format=torch.channels_last)
        self.config, self.device = config, device
        self.digest = sha256_value(config.plain())
        if isinstance(distance, torch.nn.Module):
            distance.to(device).to(memory_format=torch.channels_last)
        self.distance = distance
        self.precision = choose_precision("auto", device)
        self.target = torch.from_numpy(pixels.astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None].to(device)
        self.wanted = self._features(self.target, self.precision)
        mean, self.w_std = w_statistics(generator, label, device)
        torch.manual_seed(config.seed)
        self.w = mean.requires_grad_()
        resolutions = generator.architecture.resolutions
        sides = [side for side in resolutions for _ in range(1 if side == resolutions[0] else 2)]
        self.noise = [torch.randn(side, side).to(device).requires_grad_() for side in sides]
        self.adam = torch.optim.Adam([self.w, *self.noise], LR, betas=(0.9, 0.999))
        self.passed = torch.empty(0, mean.shape[-1])
        """w after each step so far, [steps, w_dim], on the CPU: the video is made of it."""

    def advance(self, step: int) -> dict[str, Tensor | float]:
        """One step of the optimisation; what it logs, still on the device."""
        torch.manual_seed(draws_seed(self.config.seed, step))
        share = step / self.config.steps
        lr = learning_rate(share)
        for group in self.adam.param_groups:
            group["lr"] = lr
        jitter = self.w_std * W_NOISE * max(0.0, 1 - share / W_NOISE_UNTIL) ** 2
        w = self.w + jitter * torch.randn(self.w.shape).to(self.device)
        set_precision(self.generator, self.precision)
        images = self._images(w, self.noise)
        set_precision(self.generator, torch.float32)
        distance = (self._features(images, self.precision) - self.wanted).square().sum()
        noise = autocorrelation(self.noise)
        loss = distance + NOISE_WEIGHT * noise
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        renormalise(self.noise)
        self.passed = torch.cat([self.passed, self.w.detach().cpu()])
        return {"loss": loss.detach(), "distance": distance.detach(), "noise": noise.detach(), "lr": lr}

    @torch.no_grad()
    @exact_arithmetic()
    def picture(self) -> np.ndarray:
        """The image of w and the noise planes, uint8 `[size, size, C]`."""
        return to_pixels(self._images(self.w, self.noise).cpu().numpy())[0]

    @torch.no_grad()
    def ws(self) -> np.ndarray:
        """w for every layer, float32 `[1, num_ws, w_dim]`."""
        return self.w.expand(self.generator.architecture.num_ws, -1)[None].cpu().numpy()

    @torch.no_grad()
    @exact_arithmetic()
    def distances(self) -> dict[str, float]:
        """The distance that was reached, and that of w alone, with the generator's own noise planes."""
        reached = self._images(self.w, self.noise)
        alone = self.generator.synthesis(torch.from_numpy(self.ws()).to(self.device))
        wanted, *found = (self._features(images, torch.float32) for images in (self.target, reached, alone))
        distances = [float((features - wanted).square().sum()) for features in found]
        return {"distance": distances[0], "distance_of_w_alone": distances[1]}

    def frames(self, most: int) -> Iterator[np.ndarray]:
        """Images of at most `most` of the w passed, with the final noise planes, uint8 `[size, size, C]`."""
        for step in np.unique(np.linspace(0, len(self.passed) - 1, most).round().astype(int)):
            with torch.no_grad(), exact_arithmetic():
                images = self._images(self.passed[step : step + 1].to(self.device), self.noise)
            yield to_pixels(images.cpu().numpy())[0]

    def save(self, path: Path, step: int) -> None:
        """Write everything that `resume` needs."""
        tensors = {"w": self.w, "passed": self.passed} | {f"noise.{i}": plane for i, plane in enumerate(self.noise)}
        for i, parameter in enumerate([self.w, *self.noise]):
            tensors |= {f"adam.{i}.{name}": value for name, value in self.adam.state[parameter].items()}
        tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        with replacing(path) as temporary:
            save_file(tensors, temporary, {"ersatz": json.dumps({"step": step, "config_sha256": self.digest})})

    def resume(self, path: Path) -> int:
        """Take up what `save` wrote for the same config; the steps done, 0 without such a file."""
        if not path.is_file():
            return 0
        try:
            with safe_open(path, framework="pt") as file:
                facts = json.loads((file.metadata() or {}).get("ersatz", "{}"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, ValueError, RecursionError) as error:
            logger.warning(f"Begins again: {path.name} is damaged ({error}).")
            return 0
        if facts.get("config_sha256") != self.digest:
            logger.warning(f"Begins again: {path.name} was written with other settings.")
            return 0
        moments = [f"adam.{i}.{name}" for i in range(1 + len(self.noise)) for name in ("step", "exp_avg", "exp_avg_sq")]
        wanted = {"w", "passed", *(f"noise.{i}" for i in range(len(self.noise))), *moments}
        if lost := wanted - tensors.keys():
            logger.warning(f"Begins again: {path.name} is damaged (it lacks {min(lost)}).")
            return 0
        with torch.no_grad():
            for name, variable in [("w", self.w)] + [(f"noise.{i}", plane) for i, plane in enumerate(self.noise)]:
                variable.copy_(tensors[name])
        for i, parameter in enumerate([self.w, *self.noise]):
            names = ("step", "exp_avg", "exp_avg_sq")
            self.adam.state[parameter] = {
                name: tensors[f"adam.{i}.{name}"].to("cpu" if name == "step" else self.device) for name in names
            }
        self.passed = tensors["passed"]
        return int(facts["step"])

    def _images(self, w: Tensor, noise: list[Tensor]) -> Tensor:
        ws = w.expand(self.generator.architecture.num_ws, -1)[None]
        return self.generator.synthesis(ws, [plane[None, None] for plane in noise])

    def _features(self, images: Tensor, precision: torch.dtype) -> Tensor:
        with torch.autocast(self.device.type, precision, enabled=precision != torch.float32):
            return self.distance.features(images).float()


@torch.no_grad()
@exact_arithmetic()
def w_statistics(generator: Generator, label: int | None, device: torch.device) -> tuple[Tensor, float]:
    """Mean [1, w_dim] of w over `W_SAMPLES` z, and the root of their mean squared distance from it."""
    architecture = generator.architecture
    z = np.random.RandomState(W_SEED).randn(W_SAMPLES, architecture.z_dim).astype(np.float32)
    labels = None if label is None else torch.full([BATCH], label, device=device)
    c = one_hot(labels, architecture.classes)
    w = torch.cat([generator.mapping(part.to(device), c)[:, 0] for part in torch.from_numpy(z).split(BATCH)])
    mean = w.mean(0, keepdim=True)
    return mean, float((w - mean).square().sum(1).mean().sqrt())


def learning_rate(share: float) -> float:
    """Of the step at that share of the way."""
    down = min(1.0, (1 - share) / RAMP_DOWN)
    return LR * (0.5 - 0.5 * math.cos(math.pi * down)) * min(1.0, share / RAMP_UP)
