"""DICOM files: stored values -> rescaled units (HU for CT) -> window, with the photometric interpretation honoured."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import BinaryIO

import numpy as np
import pydicom
from pydicom.dataset import FileDataset
from pydicom.pixels import apply_color_lut, apply_rescale, pixel_array

from engine.datasets.reading.items import BadPicture, Decoded, Facts, checked_pixels

pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE  # small breaches of the standard do no harm

GREY = ("MONOCHROME1", "MONOCHROME2")


def is_dicom(file: BinaryIO, name: str) -> bool:
    """By its ending, or by the letters DICM after 128 bytes; leaves the file at its start."""
    magic = file.read(132)[128:]
    file.seek(0)
    return magic == b"DICM" or (PurePosixPath(name).suffix.lower() in (".dcm", ".dicom") and len(magic) > 0)


def facts(file: BinaryIO, max_pixels: int, window: tuple[float, float] | None) -> Facts:
    header = _read(file, max_pixels, pixels=False)
    mode = str(header.PhotometricInterpretation)
    return Facts(
        width=int(header.Columns),
        height=int(header.Rows),
        mode=mode,
        bits=int(header.BitsStored),
        deep=mode in GREY and _black_and_white(header, window) is None,
        group=str(header.get("PatientID", "") or "").strip(),
    )


def decode(file: BinaryIO, max_pixels: int, window: tuple[float, float] | None) -> Decoded:
    """Grey: float32 in rescaled units with the window. Colour: uint8 RGB."""
    header = _read(file, max_pixels, pixels=True)
    try:
        if header.PhotometricInterpretation in GREY:
            values = apply_rescale(pixel_array(header), header).astype(np.float32)
            inverted = header.PhotometricInterpretation == "MONOCHROME1"
            return Decoded(values, _black_and_white(header, window), inverted)
        if header.PhotometricInterpretation == "PALETTE COLOR":
            return Decoded(_eight_bits(apply_color_lut(pixel_array(header), header)))
        return Decoded(_eight_bits(pixel_array(header)))  # YBR becomes RGB in pydicom
    except Exception as error:  # pydicom and its decoders raise nearly anything on damaged files
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadPicture(f"cannot be decoded ({reason})") from error


def _read(file: BinaryIO, max_pixels: int, pixels: bool) -> FileDataset:
    try:
        header = pydicom.dcmread(file, stop_before_pixels=not pixels)
        width, height = int(header.Columns), int(header.Rows)
        frames = int(header.get("NumberOfFrames") or 1)
        missing = [name for name in ("PhotometricInterpretation", "BitsStored") if name not in header]
    except Exception as error:  # pydicom raises nearly anything on damaged files
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadPicture(f"is not a readable DICOM image ({reason})") from error
    if missing:
        raise BadPicture(f"lacks the DICOM attribute {missing[0]}")
    checked_pixels(width, height, max_pixels)
    if frames > 1:
        raise BadPicture(f"holds {frames} frames; DICOM files of one frame are expected, so export single slices")
    return header


def _black_and_white(header: FileDataset, window: tuple[float, float] | None) -> tuple[float, float] | None:
    """Values that become black and white by the linear function of DICOM PS3.3 C.11.2.1.2.1.

    y = (x - (c - 0.5)) / (w - 1) + 0.5 is 0 at c - 0.5 - (w - 1) / 2 and 1 at c - 0.5 + (w - 1) / 2.
    """
    if window is None:
        centre, width = header.get("WindowCenter"), header.get("WindowWidth")
        if centre is None or width is None or centre == "" or width == "":
            return None
        window = (_first(centre), _first(width))
    centre_, width_ = window
    if width_ < 1:
        return None
    half = max(width_ - 1, 1e-6) / 2
    return centre_ - 0.5 - half, centre_ - 0.5 + half


def _first(value: object) -> float:
    """A file may hold several windows; the first is the one it is to be shown with."""
    return float(value[0] if isinstance(value, (list, tuple, pydicom.multival.MultiValue)) else value)  # type: ignore[arg-type]


def _eight_bits(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype == np.uint8:
        return pixels
    return (pixels >> (8 * pixels.dtype.itemsize - 8)).astype(np.uint8)
