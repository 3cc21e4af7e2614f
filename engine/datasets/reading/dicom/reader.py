"""DICOM pictures: stored values -> padding left out -> units (HU for CT) -> window, or colour as RGB."""

from __future__ import annotations

from struct import unpack
from typing import BinaryIO

import numpy as np
from pydicom.dataset import Dataset, FileDataset
from pydicom.pixels.processing import _expand_segmented_lut

from engine.datasets.reading.dicom.display import Display, Unreadable, display_of, groups_of, lut_entries, numbers
from engine.datasets.reading.dicom.file import DicomFile, is_dicom, looks_like_dicom, open_dicom, reason, whole
from engine.datasets.reading.dicom.frames import PALETTE, Layout, layout_of, stored_values
from engine.datasets.reading.items import BadPicture, Decoded, Facts

__all__ = ["decode", "facts", "is_dicom", "looks_like_dicom"]


def facts(file: BinaryIO, max_pixels: int, window: tuple[float, float] | None, frame: int = 0) -> Facts:
    """Of one frame; raises `NotAnImage` for reports and the like."""
    found = open_dicom(file, max_pixels)
    try:
        layout = layout_of(found)
        remarks = [*layout.remarks, *_remarks_on(found.header)]
        display = _display(found, layout, frame, window, remarks) if layout.grey else Display()
        return Facts(
            width=layout.columns,
            height=layout.rows,
            mode=layout.photometric,
            bits=layout.bits,
            deep=_is_deep(layout, display)
            if layout.grey
            else layout.photometric != PALETTE and _fills_its_words(layout),
            group=patient_of(found.header),
            study=str(found.header.get("StudyInstanceUID") or "").strip(),
            frames=layout.frames,
            series=str(found.header.get("SeriesInstanceUID") or "").strip(),
            position=_position(found.header, frame, layout.frames),
            window=None if window else display.window,
            remarks=tuple(remarks),
        )
    except BadPicture:
        raise
    except Exception as error:  # pydicom converts values when they are read, and raises nearly anything
        raise BadPicture(f"is not a readable DICOM image ({reason(error)})") from error


def decode(file: BinaryIO, max_pixels: int, window: tuple[float, float] | None, frame: int = 0) -> Decoded:
    """One frame. Grey: float32 in units with the window, padding as not-a-number, or uint8 where 8 bits are all there
    is. Colour: uint8 RGB, or float32 RGB where more than 8 bits are stored, with their range as the window if
    BitsStored tells it."""
    found = open_dicom(file, max_pixels)
    try:
        layout = layout_of(found)
        stored = stored_values(found, layout, frame)
        if layout.grey:
            return _grey(found, layout, stored, _display(found, layout, frame, window, []))
        colour = _palette(found, stored) if layout.photometric == PALETTE else stored
        top = 255 if layout.photometric == PALETTE else 2**layout.bits - 1
        if np.array_equal(colour[..., 0], colour[..., 1]) and np.array_equal(colour[..., 0], colour[..., 2]):
            colour = np.ascontiguousarray(colour[..., 0])  # grey stored as colour
        if top == 255:
            return Decoded(colour.astype(np.uint8))
        return Decoded(colour.astype(np.float32), None if _fills_its_words(layout) else (0.0, float(top)))
    except BadPicture:
        raise
    except Exception as error:  # as above
        raise BadPicture(f"cannot be decoded ({reason(error)})") from error


def patient_of(header: Dataset) -> str:
    """PatientID; with its issuer, where one is given, as HL7 writes it: the same id of two hospitals is two people."""
    patient, issuer = (str(header.get(name) or "").strip() for name in ("PatientID", "IssuerOfPatientID"))
    return f"{patient}^^^{issuer}" if patient and issuer else patient


def _display(
    file: DicomFile, layout: Layout, frame: int, window: tuple[float, float] | None, remarks: list[str]
) -> Display:
    return display_of(file.header, frame, window, layout.signed, file.little, remarks)


def _is_deep(layout: Layout, display: Display) -> bool:
    """Whether one range for the whole data set must say what is black: in 8 bits of no unit the bits say it."""
    return not display.shows and (layout.bits > 8 or display.rescales)


def _fills_its_words(layout: Layout) -> bool:
    """Whether BitsStored of colour is all of 16 bits, which is often said of 12: the range of the values tells then."""
    return layout.bits == layout.bits_allocated > 8


def _grey(file: DicomFile, layout: Layout, stored: np.ndarray, display: Display) -> Decoded:
    padding = _padding(file, layout, stored)
    inverted = layout.photometric == "MONOCHROME1"
    values, window = display.shown(display.in_units(stored))
    if window is None and not _is_deep(layout, display):
        if layout.range == (0, 255) and not padding.any():
            return Decoded((255 - stored if inverted else stored).astype(np.uint8))
        window = (float(layout.range[0]), float(layout.range[1]))
    values = values.astype(np.float32)
    values[padding] = np.nan
    return Decoded(values, window, inverted)


def _padding(file: DicomFile, layout: Layout, stored: np.ndarray) -> np.ndarray:
    """Where the stored values are padding: equal to PixelPaddingValue, or from there to PixelPaddingRangeLimit.

    Float pixel data have attributes of their own, FloatPixelPaddingValue and so on.

    PS3.3 C.7.5.1.1.2. Files often write it with the other sign than their pixels have (63536 for -2000).
    """
    start = file.keyword.removesuffix("Data")  # Pixel, FloatPixel or DoubleFloatPixel
    try:
        ends = [numbers(file.header, f"{start}Padding{end}", [])[:1] for end in ("Value", "RangeLimit")]
    except Unreadable:
        ends = [[], []]
    if not ends[0]:
        return np.zeros(stored.shape, bool)
    span = 2**layout.bits_allocated
    known = []
    for end in (ends[0][0], (ends[1] or ends[0])[0]):
        if layout.signed and span / 2 <= end < span:
            end -= span
        elif not layout.signed and -span / 2 <= end < 0 and stored.dtype.kind != "f":
            end += span
        known.append(end)
    if known[0] == known[1] and not layout.range[0] <= known[0] <= layout.range[1] and stored.dtype.kind != "f":
        known = [int(known[0]) & (2**layout.bits - 1)] * 2  # the pixels were reduced to their stored bits likewise
        if layout.signed and known[0] > layout.range[1]:
            known = [known[0] - 2**layout.bits] * 2
    return (stored >= min(known)) & (stored <= max(known))


def _palette(file: DicomFile, stored: np.ndarray) -> np.ndarray:
    """Palette indices -> uint8 RGB `[H, W, 3]` (PS3.3 C.7.6.3.1.5 and C.7.9)."""
    header = file.header
    channels, first = [], 0
    for name in ("Red", "Green", "Blue"):
        descriptor = header.get(f"{name}PaletteColorLookupTableDescriptor")
        if descriptor is None or len(descriptor) != 3:
            raise BadPicture(f"is PALETTE COLOR, but lacks a sound {name}PaletteColorLookupTableDescriptor")
        count, first = int(descriptor[0]) or 65536, int(descriptor[1])
        data = header.get(f"{name}PaletteColorLookupTableData")
        segments = header.get(f"Segmented{name}PaletteColorLookupTableData")
        if data is not None:
            channels.append(lut_entries(data, count, file.little))
        elif segments is not None:
            wide = int(descriptor[2]) > 8
            form = f"{'<' if file.little else '>'}{len(segments) // (2 if wide else 1)}{'H' if wide else 'B'}"
            channels.append(np.asarray(_expand_segmented_lut(unpack(form, segments), form), np.int64)[:count])
        else:
            raise BadPicture(f"is PALETTE COLOR, but lacks {name}PaletteColorLookupTableData")
    if not all(len(channel) for channel in channels):
        raise BadPicture("is PALETTE COLOR with an empty look-up table")
    signed = whole(header, "PixelRepresentation")
    index = stored.astype(np.int64) - (first - 65536 if signed and first > 32767 else first)
    if max(channel.max() for channel in channels) > 255:  # else 8 bits an entry, whatever the width of their words
        channels = [channel >> 8 for channel in channels]
    return np.stack([channel[np.clip(index, 0, len(channel) - 1)] for channel in channels], axis=-1)


def _remarks_on(header: FileDataset) -> list[str]:
    remarks = []
    if str(header.get("BurnedInAnnotation") or "").strip().upper() == "YES":
        remarks.append(
            "say that text is burned into the picture (BurnedInAnnotation), which may name patients and lets a "
            "classifier read"
        )
    kinds = header.get("ImageType") or ()
    if "LOCALIZER" in [str(kind).strip().upper() for kind in ([kinds] if isinstance(kinds, str) else kinds)]:
        remarks.append("are localizers (ImageType), drawn to plan a scan and unlike its slices")
    if "PixelPaddingValue" in header:
        remarks.append("may hold padding (PixelPaddingValue), which sets no range and is stored black")
    return remarks


def _position(header: Dataset, frame: int, frames: int) -> float:
    """Of the slice along the normal of its plane in mm; else SliceLocation, the frame, or InstanceNumber."""
    holders = [header]
    for group in groups_of(header, frame):
        for macro in ("PlanePositionSequence", "PlaneOrientationSequence"):
            holders += list(group.get(macro) or [])[:1]
    place, axes = (_first_of(holders, name) for name in ("ImagePositionPatient", "ImageOrientationPatient"))
    if len(place) == 3 and len(axes) == 6 and np.isfinite([*place, *axes]).all():
        return float(np.cross(axes[:3], axes[3:]) @ np.asarray(place))
    location = _first_of(holders, "SliceLocation")
    if not location and frames > 1:
        return float(frame)
    found = [*location, *_first_of(holders, "InstanceNumber")]
    return found[0] if found and np.isfinite(found[0]) else 0.0


def _first_of(holders: list[Dataset], keyword: str) -> list[float]:
    for holder in holders:
        try:
            if found := numbers(holder, keyword, []):
                return found
        except Unreadable:
            continue
    return []
