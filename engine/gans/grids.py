"""Grids of pictures: the same latents again and again while training, and real ones to compare with."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from engine.store.files import replacing


def fixed_latents(seed: int, count: int, z_dim: int, classes: int) -> tuple[Tensor, Tensor]:
    """`z` [count, z_dim] and labels [count] of the grid: a function of the seed; the classes take turns."""
    z = torch.from_numpy(np.random.default_rng(seed).standard_normal((count, z_dim), dtype=np.float32))
    return z, torch.arange(count) % max(1, classes)


def to_bytes(images: Tensor) -> np.ndarray:
    """Images [N, C, H, W] in [-1, 1] -> uint8 [N, H, W, C], rounded."""
    levels = ((images.float() + 1) * 127.5).round().clamp(0, 255)
    return levels.permute(0, 2, 3, 1).to(torch.uint8).cpu().numpy()


def tile(images: np.ndarray) -> np.ndarray:
    """Images uint8 [N, H, W, C] side by side, as nearly square as N allows, empty places black: [rows*H, cols*W, C]."""
    count, height, width, channels = images.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    filled = np.zeros((rows * columns, height, width, channels), np.uint8)
    filled[:count] = images
    grid = filled.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    return grid.reshape(rows * height, columns * width, channels)


def save_grid(path: Path, images: np.ndarray) -> np.ndarray:
    """Write images uint8 [N, H, W, C] as one PNG; returns the grid [H, W, C]."""
    grid = tile(images)
    with replacing(path) as temporary:
        Image.fromarray(grid.squeeze(2) if grid.shape[2] == 1 else grid).save(temporary, format="PNG")
    return grid
