"""The specification of the augmentations, step by step in float64 NumPy: slow, and sharing nothing with the engine."""

from __future__ import annotations

import math

import numpy as np

SYM6 = [0.015404109327, 0.003490712084, -0.117990111148, -0.048311742586, 0.491055941927, 0.787641141030]
SYM6 += [0.337929421728, -0.072637522786, -0.021060292512, 0.044724901771, 0.001767711864, -0.007800708325]
TAPS = np.array(SYM6) / np.sum(SYM6)
SYM2 = np.array([-0.129409522551, 0.224143868042, 0.836516303737, 0.482962913145])


def translation(x: float, y: float) -> np.ndarray:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


def scaling(x: float, y: float) -> np.ndarray:
    return np.diag([x, y, 1.0])


def rotation(angle: float) -> np.ndarray:
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.0]])


def warp(images: np.ndarray, transforms: np.ndarray) -> np.ndarray:
    """Images [N, C, H, W] seen through inverse maps [N, 3, 3], padded for the whole batch."""
    height, width = images.shape[2:]
    corners = np.array(
        [[x, y, 1] for x in (-(width - 1) / 2, (width - 1) / 2) for y in (-(height - 1) / 2, (height - 1) / 2)]
    )
    reached = np.concatenate([transform @ corners.T for transform in transforms], axis=1)
    margins = []
    for axis, size in ((0, width), (1, height)):
        wanted = [far + 6 - (size - 1) / 2 for far in (-reached[axis].min(), reached[axis].max())]
        margins += [math.ceil(min(max(pixels, 0), size - 1)) for pixels in wanted]
    left, right, top, bottom = margins
    images = np.pad(images, ((0, 0), (0, 0), (top, bottom), (left, right)), mode="reflect")
    images = _upsampled(_upsampled(images, 2), 3)
    in_height, in_width = images.shape[2:]
    out_height, out_width = (height + 6) * 2, (width + 6) * 2
    seen = np.zeros((*images.shape[:2], out_height, out_width))
    for sample, transform in enumerate(transforms):
        g = translation((left - right) / 2, (top - bottom) / 2) @ transform
        g = scaling(2, 2) @ g @ scaling(0.5, 0.5)
        g = translation(-0.5, -0.5) @ g @ translation(0.5, 0.5)
        for row in range(out_height):
            for column in range(out_width):
                x, y, _ = g @ [column + 0.5 - out_width / 2, row + 0.5 - out_height / 2, 1]
                seen[sample, :, row, column] = _bilinear(
                    images[sample], y + in_height / 2 - 0.5, x + in_width / 2 - 0.5
                )
    return _downsampled(_downsampled(seen, 2), 3)


def _upsampled(images: np.ndarray, axis: int) -> np.ndarray:
    def line(pixels: np.ndarray) -> np.ndarray:
        spread = np.zeros(2 * len(pixels))
        spread[::2] = pixels
        return np.convolve(np.pad(spread, (6, 5)), 2 * TAPS, mode="valid")

    return np.apply_along_axis(line, axis, images)


def _downsampled(images: np.ndarray, axis: int) -> np.ndarray:
    return np.apply_along_axis(lambda pixels: np.correlate(pixels[1:-1], TAPS, mode="valid")[::2], axis, images)


def _bilinear(image: np.ndarray, y: float, x: float) -> np.ndarray:
    top, left = math.floor(y), math.floor(x)
    total = np.zeros(len(image))
    for row, across in ((top, 1 - (y - top)), (top + 1, y - top)):
        for column, along in ((left, 1 - (x - left)), (left + 1, x - left)):
            if 0 <= row < image.shape[1] and 0 <= column < image.shape[2]:
                total += across * along * image[:, row, column]
    return total


def colour_matrix(brightness: float, contrast: float, flip: int, hue: float, saturation: float) -> np.ndarray:
    """The product of the five operations on homogeneous colours, brightness first: [4, 4]."""
    v = np.array([1, 1, 1, 0]) / math.sqrt(3)
    along = np.outer(v, v)
    brighten = np.eye(4)
    brighten[:3, 3] = brightness
    cross = np.array([[0, -1, 1, 0], [1, 0, -1, 0], [-1, 1, 0, 0], [0, 0, 0, 0]]) / math.sqrt(3)
    one = np.diag([1, 1, 1, 0.0])
    turn = math.cos(hue) * one + math.sin(hue) * cross + (1 - math.cos(hue)) * along + np.diag([0, 0, 0, 1])
    saturate = along + (np.eye(4) - along) * np.array([saturation, saturation, saturation, 1])
    return saturate @ turn @ (np.eye(4) - 2 * flip * along) @ np.diag([contrast, contrast, contrast, 1]) @ brighten


def band_filters() -> np.ndarray:
    """The four filters [4, 43] of the image-space filter."""
    signs = np.array([1, -1, 1, -1])
    low = np.convolve(SYM2, SYM2[::-1]) / 2
    high = np.convolve(SYM2 * signs, (SYM2 * signs)[::-1]) / 2
    rows = [np.array([1.0]), np.zeros(1), np.zeros(1), np.zeros(1)]
    for band in (1, 2, 3):
        longer = []
        for row in rows:
            spread = np.zeros(2 * len(row) - 1)
            spread[::2] = row
            longer.append(np.convolve(spread, low))
        rows = longer
        start = (len(rows[band]) - 7) // 2
        rows[band][start : start + 7] += high
    return np.stack(rows)


def filtered(image: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """One channel [H, W] filtered along both axes."""
    padded = np.pad(image, 21, mode="reflect")
    for axis in (1, 0):
        padded = np.apply_along_axis(lambda line: np.correlate(line, taps, mode="valid"), axis, padded)
    return padded
