"""Picture files of more than 8 bits that Pillow would bring to 8 bits or not read, each by its own header and decoder.

PNG of 16 bits, grey or colour, with or without alpha; PNM of more than 8 bits and PFM; JPEG 2000 of more than 8 bits;
JPEG of 12 or 16 bits, lossless too. TIFF has its own module.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

import imagecodecs
import numpy as np
from PIL import Image

from engine.datasets.preprocess import plain_array, turned
from engine.datasets.reading.items import BadPicture, Decoded, Facts, checked_pixels, first_line

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
JPEG2000 = (b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
PNM = (b"P2", b"P3", b"P5", b"P6", b"PF", b"Pf")
_MODES = {1: "I;16", 2: "LA", 3: "RGB", 4: "RGBA"}
_PNG_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}


@dataclass(frozen=True)
class Header:
    """Of one deep picture."""

    width: int
    height: int
    channels: int
    bits: int
    decode: Callable[[bytes], np.ndarray]
    """The whole file -> `[H, W]` or `[H, W, C]`, in numbers that hold every bit."""
    decimal: bool = False
    """Holds decimal numbers."""
    full: float | None = None
    """What opaque is in its alpha channel."""
    orientation: int = 1
    remarks: tuple[str, ...] = ()

    def facts(self, max_pixels: int) -> Facts:
        checked_pixels(self.width, self.height, max_pixels)
        mode = _MODES.get(self.channels)
        if mode is None:
            raise BadPicture(f"has {self.channels} channels; 1, 3 or 4 are expected")
        mode = "F" if self.decimal and self.channels == 1 else mode
        return Facts(self.width, self.height, mode, self.bits, deep=True, remarks=self.remarks)

    def decoded(self, file: BinaryIO, max_pixels: int) -> Decoded:
        self.facts(max_pixels)
        try:
            array = self.decode(file.read())
        except Exception as error:  # decoders raise nearly anything on damaged files
            raise BadPicture(f"is truncated or damaged ({first_line(error)})") from error
        return Decoded(turned(plain_array(array, self.full), self.orientation))


def deep_header(file: BinaryIO) -> Header | None:
    """The header of a deep picture of one of these formats; None for all others. Leaves the file at its start."""
    start = file.read(32)
    file.seek(0)
    try:
        if start.startswith(PNG):
            return _png(file, start) if len(start) > 25 and start[24] == 16 else None
        if start.startswith(JPEG2000):
            return _jpeg_2000(file)
        if start.startswith(PNM):
            return _pnm(file)
        if start.startswith(JPEG):
            return _jpeg(file)
    except (struct.error, ValueError, IndexError, EOFError):  # damaged: the usual way says how
        return None
    finally:
        file.seek(0)
    return None


def _png(file: BinaryIO, start: bytes) -> Header | None:
    width, height = struct.unpack(">II", start[16:24])
    channels = _PNG_CHANNELS.get(start[25])
    if channels is None:
        return None
    orientation, animated, pixels = 1, False, False
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        end = file.tell() + length + 4
        if name == b"eXIf":  # may stand behind the pixels
            orientation = exif_orientation(file.read(min(length, 2**20)))
        animated |= name == b"acTL" and not pixels
        pixels |= name == b"IDAT"
        file.seek(end)

    def decode(content: bytes) -> np.ndarray:
        return np.asarray(imagecodecs.png_decode(_without_extras(content)))  # with alpha where a colour is transparent

    remarks = ("are animated PNG of 16 bits, of which the first frame is used",) if animated else ()
    return Header(width, height, channels, 16, decode, full=65535.0, orientation=orientation, remarks=remarks)


def _without_extras(content: bytes) -> bytes:
    """A PNG of pixels and transparency alone: libpng writes to the terminal what it finds amiss in other chunks."""
    kept, at = [content[:8]], 8
    while at + 8 <= len(content):
        length, name = struct.unpack(">I4s", content[at : at + 8])
        if not name[0] & 0x20 or name == b"tRNS":  # small first letters are for what may be left out
            kept.append(content[at : at + length + 12])
        at += length + 12
    return b"".join(kept)


def exif_orientation(content: bytes) -> int:
    """1 for Exif that is damaged or says nothing: it does no harm to the pixels."""
    exif = Image.Exif()
    try:
        exif.load(content)
        return int(exif.get(0x0112, 1))
    except Exception:  # Pillow raises nearly anything on damaged Exif
        return 1


def _jpeg_2000(file: BinaryIO) -> Header | None:
    content = file.read(2**16)
    where = content.find(JPEG2000[1])
    if where < 0:  # long boxes before the codestream
        content += file.read()
        where = content.find(JPEG2000[1])
    if where < 0:
        return None
    right, bottom, left, top = struct.unpack(">IIII", content[where + 8 : where + 24])
    (channels,) = struct.unpack(">H", content[where + 40 : where + 42])
    depths = content[where + 42 : where + 42 + 3 * channels : 3]
    bits = max((depth & 0x7F) + 1 for depth in depths)
    signed = any(depth & 0x80 for depth in depths)
    if bits <= 8 and not signed:
        return None
    full = None if signed else float(2**bits - 1)
    return Header(right - left, bottom - top, channels, bits, imagecodecs.jpeg2k_decode, full=full)


def _jpeg(file: BinaryIO) -> Header | None:
    """By its frame header: 12 or 16 bits, or lossless (ITU-T T.81, B.2.2), which Pillow does not read."""
    file.seek(2)
    exif = b""
    while len(head := file.read(4)) == 4 and head[0] == 0xFF:
        marker, length = head[1], struct.unpack(">H", head[2:])[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            bits, height, width, channels = struct.unpack(">BHHB", file.read(6))
            if bits == 8 and marker != 0xC3:
                return None
            return Header(width, height, channels, bits, imagecodecs.jpeg_decode, orientation=exif_orientation(exif))
        content = file.read(length - 2)
        exif = content if content.startswith(b"Exif\0\0") else exif
    return None


def _pnm(file: BinaryIO) -> Header | None:
    """Grey or colour, text or binary, of more than 8 bits; scaled so that the white of the file is 65535. And PFM."""
    magic = file.read(2)
    width, height = int(_token(file)), int(_token(file))
    channels = 3 if magic in (b"P3", b"P6", b"PF") else 1
    count = width * height * channels
    if magic in (b"PF", b"Pf"):
        order = "<" if float(_token(file)) < 0 else ">"
        at = file.tell()

        def decimal(content: bytes) -> np.ndarray:
            values = np.frombuffer(content, f"{order}f4", count, at)
            return np.flipud(values.reshape(height, width, channels)).astype(np.float32)  # rows go upwards

        return Header(width, height, channels, 32, decimal, decimal=True)
    white = int(_token(file))
    if not 255 < white < 2**16:
        return None
    at = file.tell()

    def whole(content: bytes) -> np.ndarray:
        if magic in (b"P5", b"P6"):
            values = np.frombuffer(content, ">u2", count, at)
        else:
            text = io.BytesIO(content[at:]).read().split()
            values = np.array(text[:count], np.uint32)
            if values.size < count:
                raise ValueError(f"{values.size} of {count} values")
        return (values.reshape(height, width, channels) * (65535.0 / white)).astype(np.float32)

    return Header(width, height, channels, white.bit_length(), whole)


def _token(file: BinaryIO) -> bytes:
    """The next word of a PNM header, and one blank behind it; comments go from # to the end of the line."""
    token = b""
    while len(token) < 32:
        letter = file.read(1)
        if letter == b"#":
            file.readline(2**16)
            letter = b"\n"
        if not letter or letter.isspace():
            if token or not letter:
                return token
        else:
            token += letter
    raise ValueError("no header")
