"""DICOM: rescaling, windows, photometric interpretation, patients."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from engine.configs import ImportConfig
from engine.datasets.importing import import_dataset
from engine.store.home import Home

Config = Callable[..., ImportConfig]
Refused = Callable[..., str]


def write(path: Path, stored: np.ndarray, **attributes: Any) -> None:
    """A DICOM file of stored values, int16 or uint16 `[H, W]` or uint8 `[H, W, 3]`."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(path)])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
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
    for name, value in attributes.items():
        setattr(file, name, value)
    file.PixelData = stored.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save_as(path, enforce_file_format=True)


def slices(blobs, count: int = 12) -> list[np.ndarray]:
    """Stored values 0 to 2048 that mean -1024 to 1024 HU."""
    return [(blobs(seed).astype(np.int32) * 2048 // 255).astype(np.uint16) for seed in range(count)]


HU = {"RescaleSlope": 1, "RescaleIntercept": -1024}


@pytest.fixture
def study(tmp_path: Path, blobs) -> Callable[..., Path]:
    """Two classes of six CT slices, two slices a patient."""

    def make(suffix: str = ".dcm", **attributes: Any) -> Path:
        for number, stored in enumerate(slices(blobs)):
            path = tmp_path / "ct" / "ab"[number % 2] / f"IM{number:03d}{suffix}"
            write(path, stored, **{"PatientID": f"P{number // 2}", **HU, **attributes})
        return tmp_path / "ct"

    return make


def stored_form(dataset, number: int) -> np.ndarray:
    """The stored image of slice `number`."""
    rows = dataset.manifest[dataset.manifest["source"].str.contains(f"IM{number:03d}")]
    return dataset.pixels(rows)[0, ..., 0]


def test_window_of_the_file_in_hounsfield_units(home: Home, study, config: Config, blobs):
    """Centre 40, width 81 shows 0 HU as black and 80 HU as white (PS3.3 C.11.2.1.2.1: from 39.5 - 40 to 39.5 + 40)."""
    dataset = import_dataset(
        home, config(study(WindowCenter=["40", "300"], WindowWidth=["81", "2000"]), resize="stretch", size=32)
    )
    values = slices(blobs)[3].astype(float) - 1024
    white = np.mean(values > 79.5)
    assert np.mean(stored_form(dataset, 3) > 127) == pytest.approx(white, abs=0.05)
    assert dataset.info.provenance.preprocessing["depth"] is None
    assert dataset.manifest["mode"].unique().tolist() == ["MONOCHROME2"]
    assert dataset.manifest["bits"].unique().tolist() == [16]


def test_exact_grey_levels_of_a_window(home: Home, tmp_path: Path, config: Config):
    ramp = np.linspace(1024 - 200, 1024 + 300, 256).astype(np.uint16).reshape(16, 16)
    for number in range(12):
        write(
            tmp_path / "ct" / "ab"[number % 2] / f"IM{number:03d}.dcm",
            np.roll(ramp, number * 7),
            PatientID=str(number),
            **HU,
        )
    dataset = import_dataset(home, config(tmp_path / "ct", window=(40, 81), layout="dicom"))
    expected = np.clip((ramp.astype(float) - 1024 - (-0.5)) / 80, 0, 1) * 255
    assert np.abs(stored_form(dataset, 0) - expected).max() <= 1


def test_without_window_one_range_for_all(home: Home, study, config: Config, blobs):
    dataset = import_dataset(home, config(study(), resize="stretch", size=16))
    extremes = [(values.min(), values.max()) for values in slices(blobs)]
    assert dataset.info.provenance.preprocessing["depth"] == {
        "black": float(min(low for low, _ in extremes)) - 1024,
        "white": float(max(high for _, high in extremes)) - 1024,
    }
    assert any("more than 8 bits" in note for note in dataset.info.provenance.notes)


def test_monochrome1_is_inverted(home: Home, study, config: Config):
    normal = import_dataset(home, config(study(), name="normal"))
    inverted = import_dataset(home, config(study(PhotometricInterpretation="MONOCHROME1"), name="inverted"))
    total = normal.pixels(normal.manifest).astype(int) + inverted.pixels(inverted.manifest)
    assert np.abs(total - 255).max() <= 1


def test_signed_values_are_read_as_signed(home: Home, tmp_path: Path, config: Config, blobs):
    for number, values in enumerate(slices(blobs)):
        signed = values.astype(np.int16) - 1024
        write(tmp_path / "signed" / "ab"[number % 2] / f"IM{number:03d}.dcm", signed, PatientID=f"P{number}")
        write(tmp_path / "offset" / "ab"[number % 2] / f"IM{number:03d}.dcm", values, PatientID=f"P{number}", **HU)
    one, other = (import_dataset(home, config(tmp_path / name, name=name)) for name in ("signed", "offset"))
    assert list(one.manifest["sha256"]) == list(other.manifest["sha256"])


def test_patients_are_groups_and_stay_together(home: Home, study, config: Config):
    dataset = import_dataset(home, config(study()))
    assert set(dataset.manifest["group"]) == {f"P{number}" for number in range(6)}
    assert dataset.manifest.groupby("group")["split"].nunique().max() == 1


def test_files_without_ending_are_found(home: Home, study, config: Config):
    assert len(import_dataset(home, config(study(suffix=""))).manifest) == 12


def test_colour(home: Home, tmp_path: Path, config: Config, blobs):
    for number in range(10):
        write(
            tmp_path / "us" / "ab"[number % 2] / f"IM{number:03d}.dcm", blobs(number, channels=3), PatientID=str(number)
        )
    dataset = import_dataset(home, config(tmp_path / "us", resize="stretch", size=32))
    assert dataset.mode == "RGB"


def test_class_from_a_csv(home: Home, study, config: Config):
    source = study()
    (source / "labels.csv").write_text("file,label\n" + "".join(f"IM{n:03d},{'xy'[n % 2]}\n" for n in range(12)))
    dataset = import_dataset(home, config(source, layout="csv"))
    assert dataset.classes == ["x", "y"]
    assert set(dataset.manifest["group"]) == {f"P{number}" for number in range(6)}


def test_damaged_files_are_refused(study, refused: Refused, blobs):
    source = study()
    good = (source / "a" / "IM000.dcm").read_bytes()
    (source / "a" / "IM000.dcm").write_bytes(b"not dicom at all" * 20)
    refused(source, "1 of 12 images", "a/IM000.dcm is not a readable DICOM image")
    (source / "a" / "IM000.dcm").write_bytes(good[:-300])
    refused(source, "a/IM000.dcm cannot be decoded")
    write(source / "a" / "IM000.dcm", slices(blobs)[0], NumberOfFrames=3)
    refused(source, "holds 3 frames", "single slices")
    write(source / "a" / "IM000.dcm", slices(blobs)[0])
    lacking = pydicom.dcmread(source / "a" / "IM000.dcm")
    del lacking.PhotometricInterpretation
    lacking.save_as(source / "a" / "IM000.dcm")
    refused(source, "lacks the DICOM attribute PhotometricInterpretation")
    (source / "a" / "IM000.dcm").write_bytes(b"")
    refused(source, "a/IM000.dcm is empty (0 bytes)")


def test_large_file_is_refused_by_its_header(study, refused: Refused):
    refused(study(), "12 of 12 images", "24x24", "max_pixels = 500", max_pixels=500)
