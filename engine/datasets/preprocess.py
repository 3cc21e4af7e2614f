"""Preprocessing of any picture to a stored image: 8 bits, without alpha, square, grey or RGB, lossless.

In this order, for real images of every source:
1. orientation: EXIF orientation is applied;
2. palette, CMYK, YCbCr, LAB and HSV become RGB; 1 bit becomes 0 and 255;
3. alpha and transparent colours are composited on black;
4. RGB with three equal channels is grey;
5. depth: grey of more than 8 bits goes linearly from [low, high] to [0, 255], clipped. DICOM: the window of the
   config or of the file. Else one range for all deep images of the data set (`depth_range`), never one per image,
   so that brightness stays comparable. 16-bit colour keeps its high byte, as Pillow decodes it;
6. square: pad with black, crop centrally, or stretch; resampled by an antialiased Lanczos filter;
7. mode: colour to grey by Rec. 601 luma, grey to RGB by repetition.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import Image, ImageOps

DEEP_MODES = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
COLOUR_TOLERANCE = 8
"""Channels that differ by no more than this are the noise of JPEG compression, not colour."""

Resize = Literal["pad", "crop", "stretch"]


def plain_pixels(image: Image.Image) -> np.ndarray:
    """Steps 1 to 4: uint8 `[H, W]` or `[H, W, 3]`, or float32 `[H, W]` for grey of more than 8 bits."""
    image = ImageOps.exif_transpose(image)
    if image.mode in DEEP_MODES:
        return np.asarray(image).astype(np.float32)
    if image.mode == "La":  # Pillow converts premultiplied grey to LA only
        image = image.convert("LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.composite(image.convert("RGB"), Image.new("RGB", image.size), image.getchannel("A"))
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))
    pixels = np.asarray(image.convert("RGB"))
    red = pixels[..., 0]
    if np.array_equal(red, pixels[..., 1]) and np.array_equal(red, pixels[..., 2]):  # so are most medical images
        return np.ascontiguousarray(red)
    return pixels


def plain_array(array: np.ndarray) -> np.ndarray:
    """As `plain_pixels`, for an array `[H, W]` or `[H, W, C]` with C of 1, 3 or 4 (RGBA)."""
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise ValueError(f"expected [H, W] or [H, W, 1, 3 or 4], found {list(array.shape)}")
    if array.dtype == bool:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype == np.uint8:
        return plain_pixels(Image.fromarray(np.ascontiguousarray(array)))
    if array.ndim == 3 and array.shape[2] == 4:
        raise ValueError(f"expected 8 bits with an alpha channel, found {array.dtype}")
    return array.astype(np.float32)


def has_colour(stored: np.ndarray) -> bool:
    """Whether a stored image `[S, S]` or `[S, S, 3]` shows colour: channels of some pixel that clearly differ."""
    if stored.ndim == 2:
        return False
    red, green, blue = np.moveaxis(stored, 2, 0)
    highest, lowest = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    return int((highest - lowest).max()) > COLOUR_TOLERANCE


def depth_range(low: float, high: float) -> tuple[float, float]:
    """Values that become 0 and 255, from the lowest and highest value of all deep images of a data set.

    Values in [0, 1]: 0 to 1. Other non-negative values: 0 to 2^b - 1 with the fewest bits b >= 8 that hold the
    highest (12-bit data in 16-bit files: 4095). With negative values: lowest to highest.
    """
    if low < 0:
        return low, high
    if high <= 1:
        return 0.0, 1.0
    return 0.0, float(2 ** max(8, int(np.ceil(np.log2(np.floor(high) + 1)))) - 1)


def scaled(values: np.ndarray, low: float, high: float, inverted: bool = False) -> np.ndarray:
    """Step 5: float32 in [0, 255]; not-a-number counts as `low`."""
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    result = np.clip((values - low) / max(high - low, 1e-12), 0, 1) * 255
    return (255 - result if inverted else result).astype(np.float32)


def squared(pixels: np.ndarray, size: int, resize: Resize) -> np.ndarray:
    """Step 6: `[H, W]` or `[H, W, 3]`, uint8 or float32 in [0, 255] -> uint8 `[size, size]` or `[size, size, 3]`."""
    if pixels.dtype != np.uint8 and pixels.ndim == 3:  # Pillow has no mode for float colour
        return np.stack([squared(channel, size, resize) for channel in np.moveaxis(pixels, 2, 0)], axis=2)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if resize == "pad":
        scale = size / max(image.size)
        inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        small = image.resize(inner, Image.Resampling.LANCZOS)
        image = Image.new(image.mode, (size, size))
        image.paste(small, ((size - inner[0]) // 2, (size - inner[1]) // 2))
    else:
        if resize == "crop":
            side = min(image.size)
            left, top = (image.width - side) // 2, (image.height - side) // 2
            image = image.crop((left, top, left + side, top + side))
        image = image.resize((size, size), Image.Resampling.LANCZOS)
    result = np.asarray(image)
    return result if result.dtype == np.uint8 else np.clip(np.rint(result), 0, 255).astype(np.uint8)


def in_mode(stored: np.ndarray, mode: str) -> np.ndarray:
    """Step 7: uint8 `[S, S]` for L, `[S, S, 3]` for RGB; `auto` leaves the image as it is."""
    if mode == "L" and stored.ndim == 3:
        return np.asarray(Image.fromarray(stored).convert("L"))
    if mode == "RGB" and stored.ndim == 2:
        return np.repeat(stored[..., None], 3, axis=2)
    return stored


def to_stored(
    pixels: np.ndarray,
    size: int,
    mode: str = "auto",
    resize: Resize = "pad",
    levels: tuple[float, float] = (0.0, 255.0),
    inverted: bool = False,
) -> np.ndarray:
    """Steps 5 to 7 on what `plain_pixels` or `plain_array` gave: uint8 `[size, size]` or `[size, size, 3]`.

    `levels` are the values that become 0 and 255 in images of more than 8 bits.
    """
    if pixels.dtype != np.uint8:
        pixels = scaled(pixels, *levels, inverted)
    return in_mode(squared(pixels, size, resize), mode)
