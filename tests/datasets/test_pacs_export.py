"""A folder as a PACS exports it: mixed syntaxes, names that tell nothing, reports and viewers beside the images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from pydicom.dataset import FileDataset
from pydicom.uid import (
    BasicTextSRStorage,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)
from scipy.ndimage import gaussian_filter

from engine.configs import ImportConfig
from engine.datasets.importing import import_dataset
from engine.store.home import Home
from tests.datasets.dicom_files import compressed, image, written

Make = Callable[[np.ndarray, dict[str, Any]], FileDataset]


def run_length(stored: np.ndarray, attributes: dict[str, Any]) -> FileDataset:
    file = image(stored, **attributes)
    file.compress(RLELossless)
    return file


SYNTAXES: list[Make] = [
    lambda stored, more: image(stored, **more),
    lambda stored, more: compressed(
        stored, JPEGLosslessSV1, [imagecodecs.ljpeg_encode(stored, bitspersample=12)], **more
    ),
    lambda stored, more: compressed(stored, JPEGLSLossless, [imagecodecs.jpegls_encode(stored)], **more),
    lambda stored, more: compressed(
        stored, JPEG2000Lossless, [imagecodecs.jpeg2k_encode(stored, codecformat="j2k", reversible=True)], **more
    ),
    lambda stored, more: compressed(stored, HTJ2KLossless, [imagecodecs.htj2k_encode(stored, reversible=True)], **more),
    run_length,
]


def head(seed: int, bleeding: bool) -> np.ndarray:
    """A slice of a head in stored values (HU + 1024), uint16 `[64, 64]`."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :64]
    radius = np.hypot((y - 32) / rng.uniform(24, 28), (x - 32) / rng.uniform(19, 24))
    values = np.where(radius < 1, 1200.0, -1000.0)
    values[radius < 0.9] = 35
    values += gaussian_filter(rng.normal(0, 60, (64, 64)), 2) * (radius < 0.9)
    if bleeding:
        values[np.hypot(y - rng.integers(24, 40), x - rng.integers(24, 40)) < 6] = 75
    return np.clip(np.round(values) + 1024, 0, 4095).astype(np.uint16)


def export(folder: Path, syntaxes: list[Make]) -> Path:
    """Sixteen patients in two folders of patients, whose folders bear the same names as in the other."""
    number = 0
    for class_name in ("Hemorrhage", "Normal"):
        for patient in range(8):
            study = f"1.2.840.99.{class_name == 'Normal':d}.{patient}"
            place = folder / class_name / f"PAT{patient:04d}" / "STD00001"
            attributes = {
                "PatientID": f"{7_000_000 + 31 * number}",
                "StudyInstanceUID": study,
                "BitsStored": 12,
                "HighBit": 11,
                "RescaleIntercept": -1024,
                "RescaleSlope": 1,
                "WindowCenter": [40, 400],
                "WindowWidth": [80, 1800],
            }
            for instance in range(2):
                more = {**attributes, "SeriesInstanceUID": f"{study}.1", "InstanceNumber": instance + 1}
                file = syntaxes[number % len(syntaxes)](head(number, class_name == "Hemorrhage"), more)
                written(place / "SER00001" / f"IMG{instance:05d}", file)
                number += 1
            report = image(np.zeros((2, 2), np.uint8), PixelData=None, Rows=None, Columns=None)
            report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = BasicTextSRStorage
            written(place / "SER00009" / "SR000000", report)
    (folder / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + b"\2\0\0\0UL\4\0\0\0\0\0")
    (folder / "VIEWER.EXE").write_bytes(b"MZ" + bytes(200))
    (folder / "README.TXT").write_text("Start the viewer.\n")
    return folder


def test_an_export_becomes_a_right_data_set(home: Home, tmp_path: Path):
    def made(name: str, syntaxes: list[Make]):
        source = export(tmp_path / name, syntaxes)
        return import_dataset(home, ImportConfig.build({"name": name, "source": str(source), "size": 64}))

    mixed, plain = made("mixed", SYNTAXES), made("plain", SYNTAXES[:1])
    assert mixed.frozen
    rows = mixed.manifest
    assert rows["class"].value_counts().to_dict() == {"Hemorrhage": 16, "Normal": 16}
    assert rows["group"].nunique() == 16, "patients by their ids, though folders of both classes have the same names"
    assert rows.groupby("group")["split"].nunique().max() == 1
    assert list(rows["sha256"]) == list(plain.manifest["sha256"]), "every syntax gives the same pixels"
    notes = " ".join(mixed.info.provenance.notes)
    assert "16 files hold no image (DICOM: Basic Text SR) and were left out" in notes
    assert "hold several windows (WindowCenter), of which the first is used" in notes
    assert "The PatientIDs in the files, and not the names of folders" in notes
    brain = mixed.pixels(rows.iloc[:1])[0, ..., 0]
    hounsfield = head(0, bleeding=True).astype(float) - 1024
    expected = np.clip((hounsfield - 39.5) / 79 + 0.5, 0, 1) * 255  # PS3.3 C.11.2.1.2.1, window 40/80
    assert np.abs(brain.astype(float) - expected).max() <= 1
