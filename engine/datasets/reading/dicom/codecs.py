"""Decoders of compressed DICOM frames that pydicom does not bring, by imagecodecs.

JPEG of every kind, lossless too (libjpeg-turbo), JPEG-LS (CharLS), JPEG XL (libjxl). JPEG 2000 and HTJ2K come through
pydicom's plug-in for OpenJPEG, RLE from pydicom itself. Damaged frames of hostile files must end in an error, never in
the end of the process, as they did with GDCM.
"""

from __future__ import annotations

from struct import unpack
from typing import Any

import imagecodecs
import numpy as np
from pydicom.pixels import get_decoder
from pydicom.uid import (
    UID,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

JPEG_XL = {
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
}

PLUGIN = "imagecodecs"
_JPEG = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1)
_JPEG_LS = (JPEGLSLossless, JPEGLSNearLossless)
END_OF_IMAGE = b"\xff\xd9"
DECODER_DEPENDENCIES = {syntax: (PLUGIN,) for syntax in (*_JPEG, *_JPEG_LS)}
"""Read by pydicom."""


def is_available(uid: str) -> bool:
    """Asked by pydicom."""
    return uid in DECODER_DEPENDENCIES


def decode_frame(codestream: bytes, runner: Any) -> bytes:
    """One frame as pydicom's plug-ins give it: samples of `bits_allocated`, colour by pixel and not converted."""
    if runner.transfer_syntax in _JPEG_LS:
        # Without a marker at its end, CharLS spends seconds on looking for the next bit of a frame that was cut off.
        pixels = imagecodecs.jpegls_decode(codestream + END_OF_IMAGE)
    elif runner.samples_per_pixel == 1:
        pixels = imagecodecs.jpeg8_decode(codestream)
    else:
        pixels = imagecodecs.jpeg8_decode(codestream, colorspace="RGB", outcolorspace="RGB")
    if pixels.size != runner.rows * runner.columns * runner.samples_per_pixel:
        raise ValueError(f"its frame is {pixels.shape}, not Rows x Columns x SamplesPerPixel")
    runner.set_option("planar_configuration", 0)
    return pixels.astype(f"<u{runner.bits_allocated // 8}").tobytes()


def start_of_frame(codestream: bytes) -> tuple[int, int, int] | None:
    """Marker of the start of the frame in JPEG or JPEG-LS, and its rows and columns; None if there is none."""
    place = 2 if codestream.startswith(b"\xff\xd8") else len(codestream)
    while place + 9 <= len(codestream) and codestream[place] == 0xFF:
        marker, length = codestream[place + 1], int.from_bytes(codestream[place + 2 : place + 4], "big")
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            rows, columns = unpack(">HH", codestream[place + 5 : place + 9])
            return marker, rows, columns
        place += 1 if marker == 0xFF else 2 + length
    return None


def frame_size(codestream: bytes) -> tuple[int, int] | None:
    """Rows and columns by the codestream itself, which no decoder should meet unawares: they may be of any size."""
    if frame := start_of_frame(codestream):
        return frame[1:]
    marker = codestream.find(b"\xff\x4f\xff\x51", 0, 4096)  # JPEG 2000, alone or wrapped as JP2
    if marker < 0 or len(codestream) < marker + 24:
        return None
    right, bottom, left, top = unpack(">4I", codestream[marker + 8 : marker + 24])
    return bottom - top, right - left


def transforms_colour(codestream: bytes) -> bool:
    """Whether a JPEG 2000 codestream holds colour that its multiple component transformation made of RGB (ITU-T T.800,
    A.6.1)."""
    place = codestream.find(b"\xff\x4f\xff\x51", 0, 4096) + 2
    while place >= 2 and place + 9 <= len(codestream) and codestream[place] == 0xFF:
        marker, length = codestream[place + 1], int.from_bytes(codestream[place + 2 : place + 4], "big")
        if marker == 0x52:
            return codestream[place + 8] == 1
        place += 2 + length
    return False


def decode_jpeg_xl(codestream: bytes) -> np.ndarray:
    """`[H, W]` or `[H, W, 3]`, uint8 or uint16."""
    return np.asarray(imagecodecs.jpegxl_decode(codestream))


for _syntax in DECODER_DEPENDENCIES:
    _decoder = get_decoder(UID(_syntax))
    if PLUGIN not in _decoder.available_plugins:
        _decoder.add_plugin(PLUGIN, (__name__, "decode_frame"))
