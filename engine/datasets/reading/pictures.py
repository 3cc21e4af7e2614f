"""Picture files of any supported format and arrays, as `Picture`s."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import BinaryIO

import numpy as np
from PIL import Image

from engine.datasets.preprocess import DEEP_MODES, plain_array, plain_pixels
from engine.datasets.reading import dicom
from engine.datasets.reading.items import BadPicture, Decoded, Facts, checked_pixels
from engine.datasets.reading.tree import Tree

FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "DIB", "GIF", "WEBP", "PPM", "JPEG2000")
"""Formats tried, whatever the file's ending; none of them starts another program, as EPS would."""

_ENDINGS = "png jpg jpeg jpe jfif tif tiff bmp dib gif webp ppm pgm pbm pnm pfm jp2 j2k dcm dicom"
PICTURE_ENDINGS = frozenset(f".{ending}" for ending in _ENDINGS.split(" "))

_BITS = {"1": 1, "I": 32, "F": 32}

warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # max_pixels is the stricter guard


def is_picture(name: str) -> bool:
    """Whether a file counts as a picture by its ending."""
    return PurePosixPath(name).suffix.lower() in PICTURE_ENDINGS


@dataclass(frozen=True)
class FilePicture:
    """A picture in a file of a tree."""

    tree: Tree
    name: str
    window: tuple[float, float] | None = None
    """DICOM window as centre and width, in place of the file's own."""
    frame: int = 0
    """Which of its frames, pages or slices."""

    def of_frame(self, frame: int) -> FilePicture:
        return replace(self, frame=frame)

    def facts(self, max_pixels: int) -> Facts:
        with self.tree.open(self.name) as file:
            if dicom.is_dicom(file, self.name):
                return dicom.facts(file, max_pixels, self.window, self.frame)
            image = _open(file, max_pixels)
            mode = image.mode
            sixteen = "16" in mode or any("16" in str(tile.args) for tile in getattr(image, "tile", []))
            return Facts(
                width=image.width,
                height=image.height,
                mode=mode,
                bits=16 if sixteen else _BITS.get(mode, 8),
                deep=mode in DEEP_MODES,
                frames=_frames(image),
            )

    def decode(self, max_pixels: int) -> Decoded:
        with self.tree.open(self.name) as file:
            if dicom.is_dicom(file, self.name):
                return dicom.decode(file, max_pixels, self.window, self.frame)
            image = _open(file, max_pixels)
            try:
                return Decoded(plain_pixels(image))
            except Exception as error:  # decoders raise nearly anything on damaged files
                raise BadPicture(f"is truncated or damaged ({_reason(error)})") from error


@dataclass(frozen=True)
class ArrayPicture:
    """A picture in memory: `[H, W]` or `[H, W, C]`, C of 1, 3 or 4, of any number type."""

    array: np.ndarray

    def of_frame(self, frame: int) -> ArrayPicture:
        """The array itself, which is one frame."""
        return self

    def facts(self, max_pixels: int) -> Facts:
        height, width = self.array.shape[:2]
        checked_pixels(width, height, max_pixels)
        channels = self.array.shape[2] if self.array.ndim == 3 else 1
        mode = {1: "L", 3: "RGB", 4: "RGBA"}.get(channels)
        if mode is None:
            raise BadPicture(f"has {channels} channels; 1, 3 or 4 are expected")
        bits = 1 if self.array.dtype == bool else 8 * self.array.dtype.itemsize
        return Facts(width, height, mode, bits, deep=bits > 8)

    def decode(self, max_pixels: int) -> Decoded:
        self.facts(max_pixels)
        try:
            return Decoded(plain_array(self.array))
        except (ValueError, TypeError) as error:
            raise BadPicture(f"is not an image ({error})") from error


def _open(file: BinaryIO, max_pixels: int) -> Image.Image:
    """The header of a picture file, within the size allowed; pixels are not decoded yet."""
    start = file.read(16)
    file.seek(0)
    if not start:
        raise BadPicture("is empty (0 bytes)")
    try:
        image = Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise BadPicture(f"is larger than any image accepted (a decompression bomb? {_reason(error)})") from error
    except Image.UnidentifiedImageError as error:
        raise BadPicture("is not an image, or damaged in its first bytes") from error
    except Exception as error:  # decoders raise nearly anything on damaged files
        raise BadPicture(f"is damaged in its header ({_reason(error)})") from error
    checked_pixels(image.width, image.height, max_pixels)
    return image


def _frames(image: Image.Image) -> int:
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # damage after the first frame, which alone is used, does no harm
        return 1


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
