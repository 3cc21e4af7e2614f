"""Bring one of two alike pictures to cover the other: an affine map found by least squares on grey values.

Lucas and Kanade (An iterative image registration technique, IJCAI 1981), many pairs at once, with brightness and
contrast taken out before each step.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

STEPS = 8
BLUR = 1.5
"""Standard deviation in pixels of the blur under which grey values lead to the fit from some pixels away."""
FURTHEST = 0.2
"""Largest change of scale, shear or place (1 is half the picture's width) that is still the same framing."""


def aligned(first: np.ndarray, second: np.ndarray, first_mask: np.ndarray, second_mask: np.ndarray) -> np.ndarray:
    """Maps `[P, 2, 3]` from places in `first` to those in `second`, both float32 `[P, S, S]` with masks of what counts.

    Places run from -1 to 1 over the picture, (x, y, 1) -> (x, y). Where the fit leads away it is the identity.
    """
    count, size = len(first), first.shape[-1]
    first, second = (gaussian_filter(pictures, (0, BLUR, BLUR)) for pictures in (first, second))
    identity = np.tile(np.eye(2, 3, dtype=np.float32), (count, 1, 1))
    maps = identity.copy()
    x, y = _places(size)
    for _ in range(STEPS):
        moved, inside = covering(second, second_mask, maps)
        weight = (first_mask & inside).astype(np.float32)
        down, across = np.gradient(moved, 2 / size, axis=(1, 2))
        gain, difference = _difference(first, moved, weight)
        slopes = np.stack([across * x, across * y, across, down * x, down * y, down], axis=-1) * gain
        slopes = (slopes * weight[..., None]).reshape(count, -1, 6)
        square = slopes.transpose(0, 2, 1) @ slopes
        trace = np.trace(square, axis1=1, axis2=2)[:, None, None]
        square += np.eye(6, dtype=np.float32) * (1e-4 * trace + 1e-6)
        step = np.linalg.solve(square, slopes.transpose(0, 2, 1) @ difference.reshape(count, -1, 1))
        maps = maps + step.reshape(count, 2, 3)
    lost = ~np.isfinite(maps).all(axis=(1, 2)) | (np.abs(maps - identity) > FURTHEST).any(axis=(1, 2))
    maps[lost] = identity[lost]
    return maps


def covering(pictures: np.ndarray, masks: np.ndarray, maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`pictures` float32 `[P, S, S]` and their masks, seen at the places that `maps` `[P, 2, 3]` lead to (bilinear)."""
    count, size = len(pictures), pictures.shape[-1]
    x, y = _places(size)
    place = maps @ np.stack([x, y, np.ones_like(x)]).reshape(3, -1)  # [P, 2, S * S]
    column, row = ((place[:, axis] + 1) * (size / 2) - 0.5 for axis in (0, 1))
    inside = (column > -0.5) & (column < size - 0.5) & (row > -0.5) & (row < size - 0.5)
    column, row = np.clip(column, 0, size - 1.001), np.clip(row, 0, size - 1.001)
    left, top = column.astype(np.int32), row.astype(np.int32)
    right_part, low_part = (column - left).astype(np.float32), (row - top).astype(np.float32)
    corner = top * size + left + (np.arange(count, dtype=np.int32) * size * size)[:, None]
    flat = pictures.ravel()
    upper = flat[corner] * (1 - right_part) + flat[corner + 1] * right_part
    lower = flat[corner + size] * (1 - right_part) + flat[corner + size + 1] * right_part
    moved = upper * (1 - low_part) + lower * low_part
    nearest = corner + (right_part > 0.5) + size * (low_part > 0.5)
    inside &= masks.ravel()[nearest]
    return moved.reshape(pictures.shape), inside.reshape(pictures.shape)


def _places(size: int) -> tuple[np.ndarray, np.ndarray]:
    middle = (2 * np.arange(size, dtype=np.float32) + 1) / size - 1
    x, y = np.meshgrid(middle, middle)
    return x, y


def _difference(first: np.ndarray, moved: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The contrast `[P, 1, 1, 1]` that fits `moved` to `first` best, and what it leaves, 0 where nothing counts."""
    total = np.maximum(weight.sum(axis=(1, 2), keepdims=True), 1)
    first, moved = (
        (values - (values * weight).sum(axis=(1, 2), keepdims=True) / total) * weight for values in (first, moved)
    )
    power = np.maximum((moved * moved).sum(axis=(1, 2), keepdims=True), 1e-3)
    gain = (first * moved).sum(axis=(1, 2), keepdims=True) / power
    return gain[..., None], first - gain * moved
