"""Pictures turned and resized a little about their middle, to be compared with others at each of these."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np
import torch
import torch.nn.functional as F

ANGLE, ZOOM = 4.0, 1.06
"""Degrees, and factor, of the steps to either side: what lies between two steps or a little beyond still correlates."""


@dataclass(frozen=True)
class Warp:
    """A turn by so many degrees, counter-clockwise, and then an enlargement."""

    angle: float = 0.0
    zoom: float = 1.0

    def __bool__(self) -> bool:
        return bool(self.angle) or self.zoom != 1


AS_IT_IS = Warp()
WARPS = (AS_IT_IS, *(Warp(a, z) for a in (-ANGLE, 0.0, ANGLE) for z in (1 / ZOOM, 1.0, ZOOM) if a or z != 1))
"""The picture as it is first: among equals it is taken."""


def warped(images: np.ndarray, warp: Warp) -> np.ndarray:
    """Images uint8 [N, H, W, C] turned and resized, bilinear, borders repeated; float32 unless left as they are."""
    if not warp:
        return images
    height, width = images.shape[1:3]
    c, s = cos(radians(warp.angle)) / warp.zoom, sin(radians(warp.angle)) / warp.zoom
    # In units of half a side, which differ where the picture is no square.
    theta = torch.tensor([[c, s * height / width, 0.0], [-s * width / height, c, 0.0]])
    x = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float()
    grid = F.affine_grid(theta.expand(len(x), 2, 3), list(x.shape), align_corners=False)
    out = F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return out.permute(0, 2, 3, 1).numpy()
