"""Preprocessing of any picture to a stored image: 8 bits, without alpha, square, grey or RGB, lossless.

In this order, for real images of every source:
1. orientation: EXIF orientation is applied;
2. palette, CMYK, YCbCr, LAB and HSV become RGB; 1 bit becomes 0 and 255;
3. alpha and transparent colours are composited on black;
4. RGB with three equal channels is grey;
5. depth: grey or colour of more than 8 bits goes linearly from [low, high] to [0, 255], clipped. Grey: by the window
   of the DICOM file or of the config. Else one range for all deep images of the data set (`value_range`), never one
   per image, so that brightness stays comparable;
6. square: pad with black, crop centrally, or stretch; resampled by an antialiased Lanczos filter;
7. mode: colour to grey by Rec. 601 luma, grey to RGB by repetition.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import Image

DEEP_MODES = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes an image of each EXIF orientation upright."""
COLOUR_TOLERANCE = 8
"""Channels that differ by no more than this are the noise of JPEG compression, not colour."""
COLOUR_SHARE = 0.05
"""Fewer coloured pixels than this are marks on a grey image."""
STRONG_SPREAD, STRONG_SATURATION = 64, 0.5
"""Channels that differ by more than this, and by more than this share of the highest one, are no tint of a film:
the tints of scanned films reach a third of that (the head CT that are tinted: 53 levels at most)."""

Resize = Literal["pad", "crop", "stretch"]


def plain_pixels(image: Image.Image) -> np.ndarray:
    """Steps 1 to 4: uint8 `[H, W]` or `[H, W, 3]`, or float `[H, W]` for grey of more than 8 bits."""
    image.load()
    if (turn := TURNS.get(_orientation(image))) is not None:
        image = image.transpose(turn)
    if image.mode in DEEP_MODES:
        return _floats(np.asarray(image))
    if image.mode == "La":  # Pillow converts premultiplied grey to LA only
        image = image.convert("LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.composite(image.convert("RGB"), Image.new("RGB", image.size), image.getchannel("A"))
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))
    return _grey_where_equal(np.asarray(image.convert("RGB")))


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # damaged Exif, on which Pillow raises nearly anything, does no harm to the pixels
        return 1


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """`[H, W]` or `[H, W, C]` upright, by the orientation tag of EXIF and TIFF, 1 to 8."""
    if orientation in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = np.flipud(pixels)
    if orientation in (2, 3, 6, 7):
        pixels = np.fliplr(pixels)
    return np.ascontiguousarray(pixels)


def plain_array(array: np.ndarray, opaque: float | None = None) -> np.ndarray:
    """As `plain_pixels`, for an array `[H, W]` or `[H, W, C]` with C of 1, 2 (grey, alpha), 3 or 4 (RGBA).

    `opaque` is the highest value of alpha; by default that of the number type, or 1 or 255 for decimal numbers. Where
    more than 8 bits are wholly transparent there is not-a-number, so that it does not count as a value.
    """
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (2, 3, 4)):
        raise ValueError(f"expected [H, W] or [H, W, 1, 3 or 4], found {list(array.shape)}")
    if array.dtype == bool:
        array = array.astype(np.uint8) * np.uint8(255)
    if array.dtype == np.uint8:
        return plain_pixels(Image.fromarray(np.ascontiguousarray(array)))
    values = _floats(array)
    if array.ndim == 3 and array.shape[2] in (2, 4):
        alpha = values[..., -1:]
        if opaque is None:
            integer = array.dtype.kind in "ui"
            opaque = float(np.iinfo(array.dtype).max) if integer else 1.0 if np.nanmax(alpha) <= 1 else 255.0
        values = np.where(alpha > 0, values[..., :-1] * (alpha / opaque), np.nan)
        values = values[..., 0] if values.shape[2] == 1 else values
    return _grey_where_equal(values)


def _floats(array: np.ndarray) -> np.ndarray:
    """Decimal numbers that hold every value: float64 for integers and decimals of more than 16 bits, else float32.

    float32 is exact to 24 bits only, and counts of 32 bits may differ in the last of them.
    """
    wide = array.dtype.itemsize > 4 or (array.dtype.kind in "ui" and array.dtype.itemsize > 2)
    return array.astype(np.float64 if wide else np.float32)


def _grey_where_equal(pixels: np.ndarray) -> np.ndarray:
    """Step 4; so are most medical images."""
    if pixels.ndim == 3:
        red = pixels[..., 0]
        nan = pixels.dtype != np.uint8
        if all(np.array_equal(red, pixels[..., channel], equal_nan=nan) for channel in (1, 2)):
            return np.ascontiguousarray(red)
    return pixels


Colour = Literal["none", "marks", "tint", "full"]
"""How much colour a stored image shows; see `colour_of`."""


def colour_of(stored: np.ndarray) -> Colour:
    """How much colour a stored image `[S, S]` or `[S, S, 3]` shows.

    A pixel is coloured if its channels differ by more than `COLOUR_TOLERANCE`. `marks`: fewer than `COLOUR_SHARE` of
    the pixels are, such as letters or arrows on a grey image. `tint`: grey through one faint tint, so that each channel
    follows from the luma in all but that share of the pixels, and nothing is lost without colour. `full`: all other,
    also pictures in one strong colour.
    """
    if stored.ndim == 2:
        return "none"
    step = max(1, len(stored) // 64)  # enough to tell, at a fixed cost
    pixels = stored[::step, ::step].reshape(-1, 3).astype(np.float32)
    spread = pixels.max(axis=1) - pixels.min(axis=1)
    if spread.max() <= COLOUR_TOLERANCE:
        full = stored.max(axis=2).astype(np.int16) - stored.min(axis=2)
        return "marks" if step > 1 and full.max() > COLOUR_TOLERANCE else "none"
    if (spread > COLOUR_TOLERANCE).mean() < COLOUR_SHARE:
        return "marks"
    if (spread > np.maximum(STRONG_SPREAD, STRONG_SATURATION * pixels.max(axis=1))).mean() >= COLOUR_SHARE:
        return "full"
    pixels = pixels[:: 1 + (len(pixels) >= 4096)]
    luma = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    bins = (luma / 16).astype(np.int64)
    count = np.bincount(bins, minlength=16)
    held = np.flatnonzero(count)
    middle = np.bincount(bins, weights=luma, minlength=16)[held] / count[held]
    off = np.zeros(len(luma), bool)
    for channel in range(3):
        chroma = pixels[:, channel] - luma
        mean = np.bincount(bins, weights=chroma, minlength=16)[held] / count[held]
        off |= np.abs(chroma - np.interp(luma, middle, mean)) > COLOUR_TOLERANCE
    return "tint" if off.mean() < COLOUR_SHARE else "full"


def black_and_white(window: tuple[float, float], exact: bool = True) -> tuple[float, float]:
    """Values that a window of centre c and width w > 0 shows as black and as white.

    Exact: c - w/2 and c + w/2 (LINEAR_EXACT of DICOM PS3.3 C.11.2.1.3.2). Otherwise DICOM's default function LINEAR
    (C.11.2.1.2.1), y = (x - (c - 0.5)) / (w - 1) + 0.5, from 0 to 1; it means whole numbers, and for w <= 1, where it
    has no slope, the exact one is taken.
    """
    centre, width = window
    if exact or width <= 1:
        return centre - width / 2, centre + width / 2
    return centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2


def scaled(values: np.ndarray, low: float, high: float, inverted: bool = False) -> np.ndarray:
    """Step 5: float32 in [0, 255]; not-a-number is padding, and black."""
    padding = np.isnan(values)
    values = np.nan_to_num(values, nan=low, posinf=np.inf, neginf=-np.inf)
    width = high - low
    result = np.clip((np.clip(values, low, high) - low) / (width if width > 0 else 1.0), 0, 1) * 255
    result = 255 - result if inverted else result
    return np.where(padding, 0, result).astype(np.float32)


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
