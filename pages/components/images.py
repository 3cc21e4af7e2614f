"""Small pictures made large enough to see, without blur."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image


def enlarged(image: np.ndarray, least: int) -> np.ndarray:
    """`[H, W, C]` or `[H, W]` repeated pixel by pixel until it is at least `least` wide; one channel is dropped."""
    pixels = image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image
    times = max(1, -(-least // pixels.shape[1]))
    return pixels.repeat(times, axis=0).repeat(times, axis=1)


def picture_url(image: np.ndarray, least: int) -> str:
    """A picture at least `least` pixels wide as a data URL, which a browser shows without asking for it.

    Lossless, and one that is larger than twice `least` is made smaller: it would be sent in vain.
    """
    shown = Image.fromarray(enlarged(image, least))
    if shown.width >= 2 * least:
        shown = shown.reduce(shown.width // least)
    content = io.BytesIO()
    shown.save(content, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"


@st.cache_data(max_entries=2000, show_spinner=False)
def picture(path: Path, written: float, least: int) -> np.ndarray:
    """A stored picture, enlarged; `written` is its file's time, so that a new file is read again."""
    with Image.open(path) as image:
        return enlarged(np.asarray(image), least)


@lru_cache(2000)
def stored_url(path: Path, written: float, least: int) -> str:
    """A stored picture as a data URL; `written` is its file's time, so that a new file is read again."""
    with Image.open(path) as image:
        return picture_url(np.asarray(image), least)


@lru_cache(256)
def pair_url(first: Path, second: Path, written: tuple[float, float], least: int) -> str:
    """Two stored pictures side by side and equally high as a data URL, each at least `least` wide; `written` as above.

    One picture, so that a narrow screen shows both, each half as large, instead of one below the other.
    """
    pictures = [_with_alpha(path) for path in (first, second)]
    high = max(picture.height for picture in pictures)
    left, right = (
        np.asarray(picture.resize((round(picture.width * high / picture.height), high), Image.Resampling.NEAREST))
        for picture in pictures
    )
    gap = np.zeros((len(left), max(1, left.shape[1] // 32), left.shape[2]), np.uint8)
    return picture_url(np.concatenate([left, gap, right], axis=1), 2 * least)


def _with_alpha(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGBA")


def png(image: np.ndarray) -> bytes:
    """`[H, W, C]` uint8 as a PNG of its own size."""
    content = io.BytesIO()
    Image.fromarray(enlarged(image, 1)).save(content, "PNG")
    return content.getvalue()


def png_zip(images: Iterable[np.ndarray], names: Iterable[str]) -> bytes:
    """A ZIP of PNG files."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for image, name in zip(images, names, strict=True):
            archive.writestr(name, png(image))
    return content.getvalue()
