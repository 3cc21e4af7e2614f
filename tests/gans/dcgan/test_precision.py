"""bf16 keeps the statistics of fp32, with fp32 weights and losses, and the grids show what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.configs import DcganConfig
from engine.gans.dcgan.trainer import DcganTrainer
from engine.gans.grids import fixed_latents, tile, to_bytes
from engine.gans.image_spec import ImageSpec

CPU = torch.device("cpu")


def meters(precision: torch.dtype, gradient_penalty: float) -> tuple[dict[str, float], DcganTrainer]:
    """Means over the first 8 iterations on the same batches."""
    config = DcganConfig(dataset="none", g_channels=16, d_channels=16, gradient_penalty=gradient_penalty)
    trainer = DcganTrainer(config, ImageSpec(32, 1), torch.zeros(0, dtype=torch.int64), CPU, precision)
    for step in range(8):
        torch.manual_seed(step)
        reals = torch.nn.functional.interpolate(torch.randn(16, 1, 4, 4), 32, mode="bilinear").tanh()
        trainer.iterate(reals, torch.zeros(16, dtype=torch.int64))
    return trainer.read_meters(), trainer


@pytest.mark.parametrize("gradient_penalty", [0.0, 10.0])
def test_bf16_stays_close_to_fp32(gradient_penalty: float) -> None:
    exact, _ = meters(torch.float32, gradient_penalty)
    rounded, trainer = meters(torch.bfloat16, gradient_penalty)
    assert rounded != exact
    assert rounded == pytest.approx(exact, rel=0.05)
    assert {tensor.dtype for tensor in trainer.state().values()} == {torch.float32, torch.int64}


def test_grid_latents_depend_on_the_seed_alone() -> None:
    z, labels = fixed_latents(seed=1, count=6, z_dim=4, classes=2)
    assert labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert torch.equal(z, fixed_latents(1, 6, 4, 0)[0])
    assert not torch.equal(z, fixed_latents(2, 6, 4, 0)[0])


def test_grid_shows_the_images_in_reading_order() -> None:
    images = to_bytes(torch.linspace(-1, 1, 5).reshape(5, 1, 1, 1).expand(5, 3, 2, 2))
    assert images[:, 0, 0, 0].tolist() == [0, 64, 128, 191, 255]
    grid = tile(images)
    assert grid.shape == (4, 6, 3)
    assert grid[::2, ::2, 0].tolist() == [[0, 64, 128], [191, 255, 0]]
    assert (np.repeat(grid[::2], 2, axis=0) == grid).all()
