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
    plain = _upsampling_of(np.arange(2 * padded), 0, padded)
    return _folded(plain, np.arange(padded) - before, size)


def endless_upsampling(size: int) -> np.ndarray:
    """One period of the endlessly reflected and x2 upsampled axis, with its first row again at the end.

    [4 size - 3, size]. The filter is not symmetric, so the upsampled axis is periodic but is not itself a reflection.
    """
    rows = np.arange(4 * (size - 1) + 1)
    first, last = -len(LOWPASS), 2 * size + len(LOWPASS)
    return _folded(_upsampling_of(rows, first, last), np.arange(first, last), size)


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
    rows, offsets = np.arange(size)[:, None], np.arange(-reach, reach + 1)
    matrix = np.zeros((size, size))
    np.add.at(matrix, (np.broadcast_to(rows, (size, len(taps))), reflected(rows + offsets, size)), taps)
    return matrix


def _upsampling_of(rows: np.ndarray, first: int, last: int) -> np.ndarray:
    """What each row of the upsampled axis takes from the pixels `first` to `last` (exclusive) of an endless axis.

    A pixel i becomes the sample 2i among zeros; padding by (6, 5) and convolving with the 12 taps puts tap t of row k
    on sample k + 5 - t. The gain of 2 makes up for the zeros.
    """
    taps = rows[:, None] + len(LOWPASS) // 2 - 1 - 2 * np.arange(first, last)
    inside = (taps >= 0) & (taps < len(LOWPASS))
    return np.where(inside, 2 * LOWPASS[np.clip(taps, 0, len(LOWPASS) - 1)], 0.0)


def _folded(matrix: np.ndarray, index: np.ndarray, size: int) -> np.ndarray:
    """Add up the columns [rows, L] whose indices [L] are the same pixel of the reflected axis: [rows, size]."""
    folded = np.zeros((len(matrix), size))
    np.add.at(folded.T, reflected(index, size), matrix.T)
    return folded
