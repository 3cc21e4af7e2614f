"""One frame of a DICOM file: counted, decoded whatever its transfer syntax, and reduced to the bits that are stored."""

from __future__ import annotations

from dataclasses import dataclass
from struct import unpack
from typing import Any

import numpy as np
from PIL import Image
from pydicom.encaps import get_frame
from pydicom.pixels import get_decoder
from pydicom.uid import UID, JPEG2000TransferSyntaxes, JPEGLSTransferSyntaxes, JPEGTransferSyntaxes

from engine.datasets.reading.dicom.codecs import (
    DECODER_DEPENDENCIES,
    JPEG_XL,
    PLUGIN,
    decode_jpeg_xl,
    frame_size,
    transforms_colour,
)
from engine.datasets.reading.dicom.file import DicomFile, reason, whole
from engine.datasets.reading.items import BadPicture

GREY = ("MONOCHROME1", "MONOCHROME2")
COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
PALETTE = "PALETTE COLOR"

_VIDEO = ("MPEG", "HEVC", "Active Video")


@dataclass(frozen=True)
class Layout:
    """The image pixel module (PS3.3 C.7.6.3), with what it lacks deduced."""

    rows: int
    columns: int
    samples: int
    photometric: str
    bits_allocated: int
    bits: int
    """BitsStored."""
    high_bit: int
    signed: bool
    planar: int
    frames: int
    remarks: tuple[str, ...]

    @property
    def grey(self) -> bool:
        return self.photometric in GREY

    @property
    def range(self) -> tuple[int, int]:
        """Lowest and highest value that the stored bits can hold."""
        return (-(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1) if self.signed else (0, 2**self.bits - 1)


def layout_of(file: DicomFile) -> Layout:
    """Raises `BadPicture` for what cannot be decoded: other photometric interpretations and transfer syntaxes."""
    _check_syntax(file.syntax)
    remarks: list[str] = []
    header = file.header
    allocated = whole(header, "BitsAllocated") or 0
    bits = whole(header, "BitsStored")
    if file.keyword != "PixelData":
        allocated = bits = 32 if file.keyword == "FloatPixelData" else 64
    if bits is None or not 1 <= bits <= allocated:
        remarks.append("lack a sound BitsStored; BitsAllocated is taken for it")
        bits = allocated
    representation = whole(header, "PixelRepresentation")
    if representation is None and file.keyword == "PixelData":
        remarks.append("lack PixelRepresentation, and are read as unsigned")
    photometric, samples = _photometric(file, remarks)
    rows, columns = whole(header, "Rows") or 0, whole(header, "Columns") or 0
    if photometric == "YBR_FULL_422" and file.length == rows * columns * 3 * allocated // 8:
        photometric = "YBR_FULL"  # the data were expanded, the word was left
    high_bit = whole(header, "HighBit")
    return Layout(
        rows=rows,
        columns=columns,
        samples=samples,
        photometric=photometric,
        bits_allocated=allocated,
        bits=bits,
        high_bit=bits - 1 if high_bit is None else high_bit,
        signed=bool(representation) and file.keyword == "PixelData",
        planar=whole(header, "PlanarConfiguration") or 0,
        frames=_frames(file, rows * columns * (2 if photometric == "YBR_FULL_422" else samples) * allocated, remarks),
        remarks=tuple(remarks),
    )


def stored_values(file: DicomFile, layout: Layout, frame: int) -> np.ndarray:
    """`[H, W]`, or `[H, W, 3]` in RGB: integers of the stored bits, or float64; of this frame only."""
    if not 0 <= frame < layout.frames:
        raise BadPicture(f"has {layout.frames} frames, and no frame {frame + 1}")
    try:
        pixels, photometric = _decoded(file, layout, frame)
    except Exception as error:  # pydicom and its decoders raise nearly anything on damaged files
        if not file.encapsulated and "reshape" in str(error):  # NumPy, on bytes that are too few
            raise BadPicture("cannot be decoded (its pixel data are cut off)") from error
        name = f"{file.syntax.name}: " if file.encapsulated else ""
        raise BadPicture(f"cannot be decoded ({name}{reason(error)})") from error
    if pixels.dtype.kind == "f":
        return pixels.astype(np.float64)
    shifts = not (file.syntax in JPEG2000TransferSyntaxes or file.syntax in JPEGLSTransferSyntaxes)
    values = _stored_bits(pixels, layout, shifts)
    return _rgb(values, layout.bits) if photometric.startswith("YBR_FULL") else values


def _decoded(file: DicomFile, layout: Layout, frame: int) -> tuple[np.ndarray, str]:
    header = file.header
    offsets = None
    if "ExtendedOffsetTable" in header and "ExtendedOffsetTableLengths" in header:
        offsets = (header.ExtendedOffsetTable, header.ExtendedOffsetTableLengths)
    codestream = b""
    if file.encapsulated:
        codestream = get_frame(file.data, frame, number_of_frames=layout.frames, extended_offsets=offsets)
        if file.syntax in JPEGTransferSyntaxes + JPEGLSTransferSyntaxes + JPEG2000TransferSyntaxes:
            size = frame_size(codestream)
            if size is None:
                raise ValueError("a frame without a sound header")
            if size != (layout.rows, layout.columns):
                raise ValueError(f"a frame of {size[0]} rows and {size[1]} columns, unlike Rows and Columns")
    if file.syntax in JPEG_XL:
        pixels = decode_jpeg_xl(codestream)
        if pixels.shape != (layout.rows, layout.columns, layout.samples)[: 2 + (layout.samples > 1)]:
            raise ValueError(f"its frame is {pixels.shape}, not Rows x Columns x SamplesPerPixel")
        return pixels, "RGB"  # so it gives colour, however it is coded
    options: dict[str, Any] = {
        "pixel_keyword": file.keyword,
        "pixel_vr": file.vr,
        "rows": layout.rows,
        "columns": layout.columns,
        "samples_per_pixel": layout.samples,
        "photometric_interpretation": layout.photometric,
        "bits_allocated": layout.bits_allocated,
        "bits_stored": layout.bits,
        "pixel_representation": int(layout.signed),
        "number_of_frames": layout.frames,
        "correct_unused_bits": False,
    }
    if layout.samples > 1:
        options["planar_configuration"] = layout.planar
    if offsets:
        options["extended_offsets"] = offsets
    decoder = get_decoder(file.syntax)
    if file.syntax in JPEG2000TransferSyntaxes and "pylibjpeg" in decoder.available_plugins:
        options["decoding_plugin"] = "pylibjpeg"
    if str(file.syntax) in DECODER_DEPENDENCIES:  # others that may be installed end the process on damaged frames
        options["decoding_plugin"] = PLUGIN
    pixels, found = decoder.as_array(file.data, index=frame, raw=True, **options)
    if file.syntax in JPEG2000TransferSyntaxes and transforms_colour(codestream):
        return pixels, "RGB"  # the decoder has undone it, whatever PhotometricInterpretation says
    return pixels, str(found["photometric_interpretation"])


def _stored_bits(values: np.ndarray, layout: Layout, shifts: bool) -> np.ndarray:
    """`values` without what stands in the other bits of their words, such as an overlay; the sign is extended.

    Where all values fit already, a HighBit that is not BitsStored - 1 is a mistake and the values are right.
    """
    low, high = layout.range
    if not values.size or (values.min() >= low and values.max() <= high):
        return values
    values = values.astype(np.int64)
    if shifts and layout.high_bit >= layout.bits:
        values = values >> (layout.high_bit + 1 - layout.bits)
    values = values & (2**layout.bits - 1)
    return np.where(values > high, values - 2**layout.bits, values) if layout.signed else values


def _rgb(ybr: np.ndarray, bits: int) -> np.ndarray:
    """YBR_FULL to RGB (PS3.3 C.7.6.3.1.2, the inverse of Rec. 601 in full range)."""
    if bits == 8:
        return np.asarray(Image.fromarray(np.ascontiguousarray(ybr.astype(np.uint8)), "YCbCr").convert("RGB"))
    y, blue, red = (ybr[..., channel].astype(np.float64) for channel in range(3))
    blue, red = blue - 2 ** (bits - 1), red - 2 ** (bits - 1)
    channels = (y + 1.402 * red, y - 0.344136 * blue - 0.714136 * red, y + 1.772 * blue)
    return np.clip(np.rint(np.stack(channels, axis=-1)), 0, 2**bits - 1).astype(np.int64)


def _photometric(file: DicomFile, remarks: list[str]) -> tuple[str, int]:
    """Photometric interpretation and samples per pixel, each deduced from the other where it is absent."""
    stated = " ".join(str(file.header.get("PhotometricInterpretation") or "").upper().split())
    samples = whole(file.header, "SamplesPerPixel")
    if samples is None:
        samples = 3 if stated in COLOUR else 1
        remarks.append("lack SamplesPerPixel, which was deduced from PhotometricInterpretation")
    known = {1: (*GREY, PALETTE), 3: COLOUR}.get(samples, ())
    if stated in known:
        native = not file.encapsulated
        if native and stated in ("YBR_ICT", "YBR_RCT"):  # only JPEG 2000 knows these; its decoders give RGB
            remarks.append(f"say PhotometricInterpretation = {stated} without being JPEG 2000, and are read as RGB")
            return "RGB", samples
        return stated, samples
    retired = {"YBR_PARTIAL_422", "YBR_PARTIAL_420", "HSV", "ARGB", "CMYK", "XYB"}
    if samples not in (1, 3) or stated in retired:
        raise BadPicture(
            f"has PhotometricInterpretation = {stated or 'nothing'} with SamplesPerPixel = {samples}; grey, palette, "
            "RGB or YBR_FULL are expected"
        )
    deduced = {1: "MONOCHROME2", 3: "RGB"}[samples]
    remarks.append(f"lack a known PhotometricInterpretation, and are read as {deduced} after SamplesPerPixel")
    return deduced, samples


def _frames(file: DicomFile, bits_a_frame: int, remarks: list[str]) -> int:
    """Frames of the pixel data, counted where NumberOfFrames is absent or not true."""
    try:
        stated = whole(file.header, "NumberOfFrames")
    except BadPicture:
        stated = None
    counted = _count_fragments(file) if file.encapsulated else _count_plain(file.length, bits_a_frame)
    needed = (max(1, stated or 1) * bits_a_frame + 7) // 8
    if not file.encapsulated and not counted and file.length > needed + 1:
        remarks.append(
            "hold more bytes of pixel data than Rows and Columns ask for, and may look sheared if one of these is wrong"
        )
    if not counted or counted == (stated or 1):
        return max(1, stated or 1)
    if stated is None:
        remarks.append("hold several frames without NumberOfFrames, which were counted")
    else:
        remarks.append("hold another number of frames than NumberOfFrames says; they were counted")
    return counted


def _count_plain(length: int, bits_a_frame: int) -> int:
    """0 if the pixel data end within a frame, so that they tell nothing."""
    frames = length * 8 // max(1, bits_a_frame)
    rest = length - (frames * bits_a_frame + 7) // 8
    return frames if rest <= 1 else 0


def _count_fragments(file: DicomFile) -> int:
    """By the offset table, else by the fragments that begin a codestream (PS3.5 A.4); 0 if neither tells."""
    data, begin = file.data, file.data.tell()
    entries, starts = 0, 0
    first = True
    while len(head := data.read(8)) == 8:
        group, element, length = unpack("<HHL", head)
        if (group, element) != (0xFFFE, 0xE000):
            break
        value = data.tell()
        if first:
            entries, first = length // 4, False
        else:
            codestream = data.read(4)
            begins = codestream[:2] in (b"\xff\xd8", b"\xff\x4f", b"\xff\x0a") or codestream == b"\0\0\0\x0c"
            starts += begins or file.syntax == UID("1.2.840.10008.1.2.5")
        data.seek(value + length)
    data.seek(begin)
    if "ExtendedOffsetTable" in file.header:
        entries = len(file.header.ExtendedOffsetTable) // 8
    return entries or starts


def _check_syntax(syntax: UID) -> None:
    """Raise `BadPicture` unless there is a decoder for it."""
    if syntax in JPEG_XL:
        return
    name = syntax.name if syntax.name != syntax else "an unknown syntax"
    if any(word in name for word in _VIDEO):
        raise BadPicture(f"holds a video ({name}, TransferSyntaxUID {syntax}); export its frames as single images")
    try:
        available = get_decoder(syntax).is_available
    except NotImplementedError:
        available = False
    if not available:
        raise BadPicture(
            f"is compressed as {name} (TransferSyntaxUID {syntax}), which cannot be decoded here; save it uncompressed "
            "or as JPEG 2000 with the tools of its sender"
        )
