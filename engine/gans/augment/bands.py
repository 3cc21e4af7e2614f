"""Image-space filter: random gains of four frequency bands (arXiv 2006.06676, appendix B)."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from engine.gans.augment.axes import filtering
from engine.gans.augment.draws import Draws
from engine.gans.augment.presets import Strengths

WAVELET = np.array([-0.129409522551, 0.224143868042, 0.836516303737, 0.482962913145])
"""Low-pass filter of the wavelet sym2 [4]."""

EXPECTED_POWER = np.array([10, 1, 1, 1]) / 13
"""Share of a natural image's power in each band (a 1/f spectrum), from the lowest on."""


def _filter_bank() -> np.ndarray:
    """Four filters [4, 43] from the lowest band to the highest; they sum to a delta."""
    high = WAVELET * np.array([1, -1, 1, -1])
    low_pass = np.convolve(WAVELET, WAVELET[::-1]) / 2
    high_pass = np.convolve(high, high[::-1]) / 2
    bank = np.zeros((4, 1))
    bank[0] = 1
    for band in range(1, 4):
        spread = np.zeros((4, 2 * bank.shape[1] - 1))
        spread[:, ::2] = bank
        bank = np.stack([np.convolve(row, low_pass) for row in spread])
        middle, reach = bank.shape[1] // 2, len(high_pass) // 2
        bank[band, middle - reach : middle + reach + 1] += high_pass
    return bank


FILTER_BANK = _filter_bank()


def draw_gains(draws: Draws, strengths: Strengths) -> Tensor:
    """Gain of each band [N, 4]; every band's draw is followed by a correction that keeps the expected power."""
    gains = torch.ones_like(draws.row).expand(4, -1)
    for band in range(4):
        drawn = torch.exp2(draws.gated(draws.normal(), 0.0) * strengths.imgfilter)
        power = EXPECTED_POWER[band] * drawn.square() + (1 - EXPECTED_POWER[band])
        others = torch.rsqrt(power)
        row = [others] * 4
        row[band] = drawn * others
        gains = gains * torch.stack(row)
    return gains.T


def filtered(images: Tensor, gains: Tensor) -> Tensor:
    """Images [N, C, H, W], both sides over 21 px, with their bands amplified by the gains [N, 4], along both axes."""
    height, width = images.shape[2:]
    wide = torch.tensordot(gains, _bank(width, images.dtype, images.device), 1)  # [N, W, W]
    tall = torch.tensordot(gains, _bank(height, images.dtype, images.device), 1)
    return tall[:, None] @ (images @ wide.mT[:, None])


@cache
@torch.inference_mode(False)
def _bank(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The four filters as matrices along an axis that is reflected at its ends: [4, size, size]."""
    matrices = np.stack([filtering(size, taps) for taps in FILTER_BANK])
    return torch.from_numpy(matrices).to(device, dtype)
