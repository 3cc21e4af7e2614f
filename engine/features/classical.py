"""Classical augmentation as random affine maps with mirroring, applied to whole batches on the device.

How far, say the policies (`AUGMENTATIONS`). Shear is a slope, and what enters at the edges repeats the border.
"""

from __future__ import annotations

import hashlib
import math

import torch
import torch.nn.functional as F

from engine.publications.table import AUGMENTATIONS


def random_maps(n: int, generator: torch.Generator, policy: str = "head-ct") -> torch.Tensor:
    """Draw `n` affine maps `[N, 2, 3]` from output to input coordinates in [-1, 1] (as `affine_grid` wants them)."""
    p = AUGMENTATIONS[policy]
    u = torch.rand(n, 7, generator=generator, device=generator.device) * 2 - 1
    angle = u[:, 0] * math.radians(p.rotation)
    shear, zoom_x, zoom_y = u[:, 1] * p.shear, 1 + u[:, 2] * p.zoom, 1 + u[:, 3] * p.zoom
    mirror = torch.where((u[:, 4] < 0) & p.mirror, -1.0, 1.0)
    if p.flip:
        zoom_y = zoom_y * torch.where(torch.rand(n, generator=generator, device=generator.device) < 0.5, -1.0, 1.0)
    cos, sin = torch.cos(angle), torch.sin(angle)
    rotation = torch.stack((cos, -sin, sin, cos), 1).view(n, 2, 2)
    one, zero = torch.ones_like(shear), torch.zeros_like(shear)
    skew = torch.stack((one, shear, zero, one), 1).view(n, 2, 2)
    scale = torch.diag_embed(torch.stack((zoom_x * mirror, zoom_y), 1))
    shift = u[:, 5:7, None] * (2 * p.shift)  # the image is 2 wide in these coordinates
    return torch.cat((rotation @ skew @ scale, shift), dim=2)


def apply_maps(images: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """Warp images `[N, C, H, W]` by maps `[N, 2, 3]`, bilinearly."""
    grid = F.affine_grid(maps.to(images.device), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid.to(images.dtype), padding_mode="border", align_corners=False)


def view_seed(image_sha256: str, view: int, policy: str = "head-ct") -> int:
    """The recorded seed of the `view`-th random view of an image: the same in every sweep and on every machine.

    Each policy has seeds of its own, so that a seed names a view (the oldest policy's stand for themselves).
    """
    named = f"{image_sha256}/{view}" if policy == "head-ct" else f"{image_sha256}/{view}/{policy}"
    return int(hashlib.sha256(named.encode()).hexdigest()[:12], 16)


def seeded_maps(seeds: list[int], policy: str = "head-ct") -> torch.Tensor:
    """One map `[N, 2, 3]` for each recorded seed, independent of its neighbours in the batch."""
    return torch.cat([random_maps(1, torch.Generator().manual_seed(seed), policy) for seed in seeds])
