"""DICOM files made anew for the tests."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    UID_dictionary,
    generate_uid,
)

from engine.datasets.reading.dicom import reader as dicom
from engine.datasets.reading.items import Decoded, Facts


def image(stored: np.ndarray, **attributes: Any) -> FileDataset:
    """A CT image of stored values: `[H, W]`, or `[H, W, 3]` in RGB; attributes named None are left out."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    file.SOPClassUID, file.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    file.PatientID = "P1"
    file.Rows, file.Columns = stored.shape[:2]
    file.SamplesPerPixel = 3 if stored.ndim == 3 else 1
    if stored.ndim == 3:
        file.PlanarConfiguration = 0
    file.PhotometricInterpretation = "RGB" if stored.ndim == 3 else "MONOCHROME2"
    file.BitsAllocated = file.BitsStored = 8 * stored.dtype.itemsize
    file.HighBit = file.BitsStored - 1
    file.PixelRepresentation = int(stored.dtype.kind == "i")
    file.PixelData = stored.tobytes()
    for name, value in attributes.items():
        if value is None:
            del file[name]
        else:
            setattr(file, name, value)
    return file


def of_frames(frames: list[np.ndarray], **attributes: Any) -> FileDataset:
    """A multi-frame image, without NumberOfFrames unless it is among the attributes."""
    return image(frames[0], PixelData=b"".join(frame.tobytes() for frame in frames), **attributes)


def compressed(stored: np.ndarray, syntax: str, codestreams: list[bytes], **attributes: Any) -> FileDataset:
    """An image with encapsulated pixel data, one codestream a frame."""
    file = image(stored, **attributes)
    file.file_meta.TransferSyntaxUID = UID(syntax)
    file.PixelData = encapsulate(codestreams)
    file["PixelData"].VR = "OB"
    file["PixelData"].is_undefined_length = True
    return file


def item(**attributes: Any) -> Sequence:
    """A sequence of one item."""
    dataset = Dataset()
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return Sequence([dataset])


def table(entries: Any, first: int, bits: int) -> Sequence:
    """A look-up table."""
    made = item(LUTDescriptor=[len(entries), first, bits])
    made[0].add_new(0x00283006, "US", [int(entry) for entry in entries])
    made[0]["LUTDescriptor"].VR = "SS" if first < 0 else "US"
    return made


def content(file: FileDataset | bytes) -> bytes:
    if isinstance(file, bytes):
        return file
    stream, syntax = BytesIO(), file.file_meta.TransferSyntaxUID
    known = syntax.is_private or syntax in UID_dictionary
    if not known:  # pydicom writes only what it knows; the stand-in has as many letters
        file.file_meta.TransferSyntaxUID = HTJ2KLossless
        assert len(syntax) == len(HTJ2KLossless)
    order = {"implicit_vr": syntax == ImplicitVRLittleEndian, "little_endian": syntax != ExplicitVRBigEndian}
    pydicom.dcmwrite(stream, file, enforce_file_format=True, **order)
    file.file_meta.TransferSyntaxUID = syntax
    return stream.getvalue() if known else stream.getvalue().replace(HTJ2KLossless.encode(), syntax.encode())


def written(path: Path, file: FileDataset | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content(file))
    return path


def decoded(file: FileDataset | bytes, window: tuple[float, float] | None = None, frame: int = 0) -> Decoded:
    return dicom.decode(BytesIO(content(file)), 10**6, window, frame)


def looked(file: FileDataset | bytes, window: tuple[float, float] | None = None, frame: int = 0) -> Facts:
    return dicom.facts(BytesIO(content(file)), 10**6, window, frame)


def shown(result: Decoded) -> np.ndarray:
    """Grey from 0 to 255 before inversion, float64, as the window says."""
    assert result.window is not None
    black, white = result.window
    return np.clip((result.pixels.astype(float) - black) / (white - black), 0, 1) * 255
