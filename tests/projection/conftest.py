"""A small StyleGAN2 with random weights, as a training run leaves it, and pictures that it made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine.configs import ProjectionConfig, StyleganConfig
from engine.gans.checkpoints import describe_snapshot, save_snapshot
from engine.gans.image_spec import ImageSpec
from engine.gans.stylegan2.architecture import Architecture, describe_networks
from engine.gans.stylegan2.networks import (
    Generator,
)
from engine.sampling.sampler import to_pixels
from engine.store.home import Home
from engine.store.runs import Run, create_run

CLASSES = ["a", "b"]
SMALL = {"z_dim": 16, "w_dim": 16, "channel_base": 256, "channel_max": 16, "precision": "fp32", "dataset": "discs"}

MakeGenerator = Callable[..., tuple[Run, Generator]]
MakeProjection = Callable[..., tuple[Run, ProjectionConfig]]


@pytest.fixture
def make_generator(home: Home) -> MakeGenerator:
    """`make_generator(size=..., channels=..., conditional=...)`: a run with a snapshot, and its generator."""

    def make(size: int = 16, channels: int = 1, conditional: bool = False) -> tuple[Run, Generator]:
        config = StyleganConfig.build({**SMALL, "conditional": conditional})
        pictures = ImageSpec(size, channels, len(CLASSES) if conditional else 0)
        torch.manual_seed(1)
        architecture = Architecture.from_config(config, pictures)
        networks = {"architecture": config.cfg, "z_dim": config.z_dim, **describe_networks(architecture, architecture)}
        generator = Generator(architecture).eval()
        for name, parameter in generator.named_parameters():
            if name.endswith("noise_strength"):
                parameter.data.fill_(0.05)
            if ".torgb.weight" in name:
                parameter.data.mul_(0.5)  # images within [-1, 1]
        run = create_run(home, config.plain(), "train")
        facts = describe_snapshot(config, networks, "0" * 64, pictures, CLASSES)
        tensors = {f"G_ema.{name}": value for name, value in generator.state_dict().items()}
        save_snapshot(run.path, tensors, {**facts, "images_seen": 1000, "seconds": 1.0})
        return run, generator

    return make


@pytest.fixture
def make_projection(home: Home) -> MakeProjection:
    """`make_projection(generator_run, image, ...)`: a run that projects by pixels in a few steps, without a video."""

    def make(generator: Run, image: Path, **changes: Any) -> tuple[Run, ProjectionConfig]:
        values = {"generator": generator.id, "image": str(image), "steps": 12, "loss": "pixels", "video": False}
        config = ProjectionConfig.build({**values, "device": "cpu", **changes})
        return create_run(home, config.plain(), "projection"), config

    return make


@torch.no_grad()
def save_sample(generator: Generator, path: Path, seed: int, label: int | None = None) -> torch.Tensor:
    """Write the generator's image of a seed as PNG; returns its w `[1, w_dim]`."""
    z = torch.from_numpy(np.random.RandomState(seed).randn(1, generator.architecture.z_dim)).float()
    c = None if label is None else torch.eye(len(CLASSES))[[label]]
    ws = generator.mapping(z, c)
    pixels = to_pixels(generator.synthesis(ws).numpy())[0]
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(path)
    return ws[:, 0]


@pytest.fixture
def one_thread() -> Any:
    """Sums in one order, so that two runs can be compared bit by bit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
