"""Linear maps along one axis of an image, as banded matrices.

Reflection, up- and downsampling and filtering are all linear along each axis. As matrices they compose before an image
is touched, and a product with a small matrix is the fastest thing a processor does: forward, backward and twice
backward. Large matrices are multiplied in blocks of rows, each with the few columns that it needs.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

ROWS = 256
"""Rows of a block: up to images of 64 px the whole matrix is one block."""

WAVELET = np.array(
    [
        0.015404109327,
        0.003490712084,
        -0.117990111148,
        -0.048311742586,
        0.491055941927,
        0.787641141030,
        0.337929421728,
        -0.072637522786,
        -0.021060292512,
        0.044724901771,
        0.001767711864,
        -0.007800708325,
    ]
)
"""Low-pass filter of the orthogonal wavelet sym6 [12] (Daubechies' least asymmetric, as PyWavelets' dec_lo)."""

LOWPASS = WAVELET / WAVELET.sum()
"""The same with sum 1 [12]. Upsampling and then downsampling with it gives back every image exactly."""

PAD = len(LOWPASS) // 4
"""Pixels that the resampled image has more at each border than the image, for the downsampling filter to read."""


class AxisMap:
    """A matrix [rows, columns] that is applied along the height or the width of images."""

    @torch.inference_mode(False)  # a matrix is kept, and may be needed with gradients later
    def __init__(self, matrix: np.ndarray, dtype: torch.dtype, device: torch.device):
        self.shape = matrix.shape
        self.blocks: list[tuple[int, int, Tensor]] = []
        for first in range(0, len(matrix), ROWS):
            block = matrix[first : first + ROWS]
            used = np.flatnonzero(block.any(axis=0))
            low, high = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)
            part = torch.from_numpy(np.ascontiguousarray(block[:, low:high]))
            self.blocks.append((low, high, part.to(device, dtype)))

    def along_height(self, images: Tensor) -> Tensor:
        """[M, columns, W] -> [M, rows, W]."""
        parts = [torch.bmm(block.expand(len(images), -1, -1), images[:, low:high]) for low, high, block in self.blocks]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)

    def along_width(self, images: Tensor) -> Tensor:
        """[M, H, columns] -> [M, H, rows]."""
        parts = [images[..., low:high] @ block.T for low, high, block in self.blocks]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)


def reflected(index: np.ndarray, size: int) -> np.ndarray:
    """Pixel [any shape] that lies at each index, when the axis of `size` pixels is mirrored endlessly at its ends."""
    period = max(2 * (size - 1), 1)
    index = index % period
    return np.minimum(index, period - index)


def upsampling(size: int, before: int, after: int) -> np.ndarray:
    """Reflect by `before` and `after` pixels, then upsample x2 with zeros beyond: [2 (before+size+after), size]."""
    padded = before + size + after
    pixels, weights = _upsampling_of(np.arange(2 * padded))
    weights[(pixels < 0) | (pixels >= padded)] = 0
    return _matrix(reflected(pixels - before, size), weights, size)


def endless_upsampling(size: int) -> np.ndarray:
    """One period of the endlessly reflected and x2 upsampled axis, with its first row again at the end.

    [4 size - 3, size]. The filter is not symmetric, so the upsampled axis is periodic but is not itself a reflection.
    """
    pixels, weights = _upsampling_of(np.arange(4 * (size - 1) + 1))
    return _matrix(reflected(pixels, size), weights, size)


def downsampling(size: int) -> np.ndarray:
    """Low-pass and take every second of an axis with `PAD` pixels more at each end: [size, 2 (size + 2 PAD)].

    Row j holds the taps, not flipped, from column 2j + 1 on.
    """
    matrix = np.zeros((size, 2 * (size + 2 * PAD)))
    for row in range(size):
        matrix[row, 2 * row + 1 : 2 * row + 1 + len(LOWPASS)] = LOWPASS
    return matrix


def filtering(size: int, taps: np.ndarray) -> np.ndarray:
    """Correlate an axis, reflected at its ends, with an odd number of taps [T]: [size, size]."""
    reach = len(taps) // 2
    pixels = np.arange(size)[:, None] + np.arange(-reach, reach + 1)
    return _matrix(reflected(pixels, size), np.broadcast_to(taps, pixels.shape), size)


def _upsampling_of(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pixels that make each row [R] of an upsampled axis, and their weights: both [R, 6].

    A pixel i becomes the sample 2i among zeros; padding by (6, 5) and convolving with the 12 taps puts tap t of row k
    on sample k + 5 - t. The gain of 2 makes up for the zeros.
    """
    reach = len(LOWPASS) // 2
    pixels = ((rows + reach - 1) // 2)[:, None] - np.arange(reach)
    return pixels, 2 * LOWPASS[rows[:, None] + reach - 1 - 2 * pixels]


def _matrix(columns: np.ndarray, weights: np.ndarray, size: int) -> np.ndarray:
    """The matrix [R, size] with the weights [R, T] in these columns [R, T]; those that meet add up."""
    matrix = np.zeros((len(columns), size))
    np.add.at(matrix, (np.arange(len(columns))[:, None], columns), weights)
    return matrix
