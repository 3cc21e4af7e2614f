"""HEIC files for tests: a picture that FFmpeg's x265 encodes, in the boxes of ISO/IEC 23008-12."""

from __future__ import annotations

import io
import struct

import av
import numpy as np


def heic(pixels: np.ndarray, bits: int = 8) -> bytes:
    """A HEIC of uint8 `[H, W]` (lossless) or `[H, W, 3]` (4:4:4), of even sides of at least 32, with so many `bits`."""
    height, width = pixels.shape[:2]
    colour = pixels.ndim == 3
    kind = ("yuv444p" if colour else "gray") + ("" if bits == 8 else f"{bits}le")
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx265", rate=1, options={"x265-params": "lossless=1:log-level=none:pools=1"})
        stream.width, stream.height, stream.pix_fmt = width, height, kind
        stream.codec_context.codec_tag = "hvc1"
        if colour:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24").reformat(format=kind)
        else:
            samples = pixels if bits == 8 else pixels.astype(np.uint16) << (bits - 8)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(samples), format=kind)
        for packet in [*stream.encode(frame), *stream.encode()]:
            packet.dts = packet.pts = 0  # x265 leaves the first dts open
            container.mux(packet)
    movie = file.getvalue()
    at = movie.index(b"hvcC") - 4
    configuration = movie[at : at + struct.unpack(">I", movie[at : at + 4])[0]]
    at = movie.index(b"mdat") - 4
    coded = movie[at + 8 : at + struct.unpack(">I", movie[at : at + 4])[0]]

    size = full_box(b"ispe", struct.pack(">II", width, height))
    depth = full_box(b"pixi", bytes([3, bits, bits, bits] if colour else [1, bits]))
    properties = box(
        b"iprp",
        box(b"ipco", configuration, size, depth),
        full_box(b"ipma", struct.pack(">IHBBBB", 1, 1, 3, 0x81, 2, 3)),
    )

    def meta(offset: int) -> bytes:
        return full_box(
            b"meta",
            full_box(b"hdlr", bytes(4), b"pict", bytes(13)),
            full_box(b"pitm", struct.pack(">H", 1)),
            full_box(b"iloc", struct.pack(">BBHHHHII", 0x44, 0, 1, 1, 0, 1, offset, len(coded))),
            full_box(b"iinf", struct.pack(">H", 1), full_box(b"infe", struct.pack(">HH", 1, 0), b"hvc1\0", version=2)),
            properties,
        )

    start = box(b"ftyp", b"heic", bytes(4), b"mif1heic")
    before = len(start) + len(meta(0)) + 8
    return start + meta(before) + box(b"mdat", coded)


def box(name: bytes, *content: bytes) -> bytes:
    joined = b"".join(content)
    return struct.pack(">I4s", 8 + len(joined), name) + joined


def full_box(name: bytes, *content: bytes, version: int = 0) -> bytes:
    return box(name, struct.pack(">B3x", version), *content)
