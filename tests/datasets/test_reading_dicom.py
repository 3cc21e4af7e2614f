"""DICOM: rescaling, windows, photometric interpretation, patients."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from engine.configs import ImportConfig
from engine.datasets.importing import import_dataset
from engine.datasets.previewing import preview
from engine.datasets.reading.questions import Question
from engine.store.home import Home
from tests.datasets.dicom_files import image, of_frames, written

Config = Callable[..., ImportConfig]
Refused = Callable[..., str]


def write(path: Path, stored: np.ndarray, **attributes: Any) -> None:
    """A DICOM file of stored values, int16 or uint16 `[H, W]` or uint8 `[H, W, 3]`."""
    written(path, image(stored, **attributes))


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
            np.random.default_rng(number).permutation(ramp.ravel()).reshape(16, 16) if number else ramp,
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
    assert dataset.manifest["group"].nunique() == 6
    assert dataset.manifest.groupby("group")["split"].nunique().max() == 1
    assert preview(config(study()), home).groups == 6


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.suffix in (".csv", ".json"))


def test_patients_are_named_by_a_hash_unless_the_ids_are_kept(home: Home, study, config: Config, blobs):
    """The same in every data set of the home, another in another home, and no raw id anywhere."""
    source = study()
    for number, path in enumerate(sorted(source.rglob("*.dcm"))):
        write(path, slices(blobs)[number], PatientID=f"MRN-77{number // 2}-Q", StudyInstanceUID="1.2.840.77.1", **HU)
    first, second = (import_dataset(home, config(source, name=name)) for name in ("first", "second"))
    assert list(first.manifest["group"]) == list(second.manifest["group"])
    assert first.manifest["group"].str.fullmatch("patient-[0-9a-f]{12}").all()
    assert b"MRN-77" not in everything_in(home.root) and b"1.2.840.77.1" not in everything_in(home.root)
    elsewhere = import_dataset(Home(home.root / "elsewhere"), config(source))
    assert not set(elsewhere.manifest["group"]) & set(first.manifest["group"])
    kept = import_dataset(home, config(source, name="kept", keep_ids=True))
    assert set(kept.manifest["group"]) == {f"MRN-77{number}-Q" for number in range(6)}


@pytest.mark.parametrize("patient", ["ANONYMOUS", "0", "Q-1"])
def test_one_patient_for_all_is_asked_about(home: Home, study, config: Config, patient: str):
    """dcm_allsamepid: without an answer all images would be one patient, whom no split may part."""
    source = study(PatientID=patient)
    for read in (lambda: import_dataset(home, config(source)), lambda: preview(config(source), home)):
        with pytest.raises(Question) as caught:
            read()
        assert "All 12 images have the same PatientID" in caught.value.found
        assert "--ignore-ids (each of the 12 images counts as a patient of its own)" in str(caught.value)
    assert caught.value.options[0].settings == {"ignore_ids": True}
    dataset = import_dataset(home, config(source, ignore_ids=True))
    assert set(dataset.manifest["group"]) == {""}


def test_without_ids_the_images_of_a_study_stay_together(home: Home, tmp_path: Path, config: Config, blobs):
    for number, stored in enumerate(slices(blobs)):
        path = tmp_path / "ct" / "ab"[number % 2] / f"IM{number:03d}.dcm"
        studies = {"StudyInstanceUID": f"1.2.{number // 3 if number < 9 else number}", "PatientID": "ANON"}
        write(path, stored, **HU, **studies)
    with pytest.raises(Question) as caught:
        import_dataset(home, config(tmp_path / "ct"))
    assert "the images of a study count as one patient: 6 of them" in str(caught.value)
    dataset = import_dataset(home, config(tmp_path / "ct", ignore_ids=True))
    groups = dataset.manifest.sort_values("source", key=lambda names: names.str.slice(-7))["group"].tolist()
    assert [len(set(groups[start : start + 3])) for start in (0, 3, 6)] == [1, 1, 1]
    assert len(set(groups[:9])) == 3 and groups[9:] == [""] * 3
    assert all(group.startswith("study-") for group in groups[:9])
    assert any("9 images without a patient stay together by their study" in n for n in dataset.info.provenance.notes)


def test_a_study_of_all_images_parts_nobody(home: Home, tmp_path: Path, config: Config, blobs):
    """Anonymising may make StudyInstanceUIDs alike too: then the series tell volumes apart, or nothing does."""
    for number, stored in enumerate(slices(blobs)):
        ids = {"PatientID": "ANON", "StudyInstanceUID": "1.2.3", "SeriesInstanceUID": f"1.2.3.{number // 2}"}
        write(tmp_path / "series" / "ab"[number % 2] / f"IM{number:03d}.dcm", stored, **HU, **ids)
        write(
            tmp_path / "nothing" / "ab"[number % 2] / f"IM{number:03d}.dcm",
            stored,
            **HU,
            **ids | {"SeriesInstanceUID": "1"},
        )
    for name, groups in (("series", 6), ("nothing", 1)):
        dataset = import_dataset(home, config(tmp_path / name, name=name, ignore_ids=True))
        assert dataset.manifest["group"].nunique() == groups
    assert set(dataset.manifest["group"]) == {""}
    with pytest.raises(Question, match="each of the 12 images counts as a patient of its own"):
        import_dataset(home, config(tmp_path / "nothing", name="asked"))


def test_some_ids_that_name_nobody_join_no_strangers(home: Home, study, config: Config, blobs):
    source = study()
    for number in (0, 5, 8):
        path = source / "ab"[number % 2] / f"IM{number:03d}.dcm"
        write(path, slices(blobs)[number], PatientID="anonymous", **HU)
    dataset = import_dataset(home, config(source))
    assert (dataset.manifest["group"] == "").sum() == 3
    assert any("3 images have a PatientID that names nobody" in note for note in dataset.info.provenance.notes)


def test_an_id_is_that_of_its_issuer(home: Home, study, config: Config, blobs):
    """The same id of two hospitals is two people; an issuer that a file leaves out parts no patient."""
    source = study()
    issuers = {0: "east", 3: "west", 4: "east", 7: "east"}
    for number in range(12):
        issuer = {"IssuerOfPatientID": issuers[number]} if number in issuers else {}
        path = source / "ab"[number % 2] / f"IM{number:03d}.dcm"
        write(path, slices(blobs)[number], PatientID="17" if number in (0, 3) else f"P{number // 4}", **issuer, **HU)
    dataset = import_dataset(home, config(source, keep_ids=True))
    groups = dataset.manifest.set_index(dataset.manifest["source"].str.extract(r"IM(\d+)")[0].astype(int))["group"]
    assert (groups[0], groups[3]) == ("17^^^east", "17^^^west")
    assert {groups[4], groups[5], groups[6], groups[7]} == {"P1^^^east"}
    assert groups[8] == "P2"


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
    assert dataset.manifest["group"].nunique() == 6


def test_groups_of_a_csv_are_left_as_they_are(home: Home, study, config: Config):
    source = study(PatientID="ANONYMOUS")
    lines = "".join(f"IM{n:03d},{'xy'[n % 2]},who{n // 4}\n" for n in range(12))
    (source / "labels.csv").write_text("file,label,whose\n" + lines)
    dataset = import_dataset(home, config(source, layout="csv", group_column="whose"))
    assert set(dataset.manifest["group"]) == {"who0", "who1", "who2"}


def test_groups_of_a_csv_that_share_a_patient_are_one(home: Home, study, config: Config):
    """Two lesions of one patient must not part him, and neither must an image whose lesion is unknown."""
    source = study()  # P0 has the images 0 and 1, P1 2 and 3, ...
    whose = ["L0", "L1", "L2", "", *(f"L{number}" for number in range(4, 12))]
    lines = "".join(f"IM{n:03d},{'xy'[n % 2]},{whose[n]}\n" for n in range(12))
    (source / "labels.csv").write_text("file,label,lesion_id\n" + lines)
    dataset = import_dataset(home, config(source, layout="csv"))
    groups = dataset.manifest.sort_values("source", key=lambda names: names.str[-7:])["group"].tolist()
    assert groups[:4] == ["L0+L1", "L0+L1", "L2", "L2"]
    assert dataset.manifest["group"].nunique() == 6
    assert any("have a PatientID that the source's groups share" in note for note in dataset.info.provenance.notes)


def test_damaged_files_are_refused(study, refused: Refused, blobs):
    source = study()
    good = (source / "a" / "IM000.dcm").read_bytes()
    (source / "a" / "IM000.dcm").write_bytes(b"not dicom at all" * 20)
    refused(source, "1 of 12 images", "a/IM000.dcm is not a readable DICOM image")
    (source / "a" / "IM000.dcm").write_bytes(good[:-300])
    refused(source, "a/IM000.dcm cannot be decoded")
    write(source / "a" / "IM000.dcm", slices(blobs)[0], RescaleSlope=0)
    refused(source, "a/IM000.dcm has RescaleSlope (0028,1053) = 0")
    (source / "a" / "IM000.dcm").write_bytes(b"")
    refused(source, "a/IM000.dcm is empty (0 bytes)")


def test_large_file_is_refused_by_its_header(study, refused: Refused):
    refused(study(), "12 of 12 images", "24x24", "max_pixels = 500", max_pixels=500)


def test_objects_without_an_image_are_left_out_and_counted(home: Home, study, config: Config, blobs):
    source = study()
    for name in ("a/report.dcm", "b/report.dcm"):
        report = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.33", "PixelData": None, "Rows": None, "Columns": None}
        write(source / name, slices(blobs)[0], **report)
    dataset = import_dataset(home, config(source))
    assert len(dataset.manifest) == 12
    assert any(
        note.startswith("2 files hold no image (DICOM: Comprehensive SR) and were left out")
        for note in dataset.info.provenance.notes
    )


def test_remarks_are_counted(home: Home, study, config: Config):
    notes = import_dataset(home, config(study(BurnedInAnnotation="YES"))).info.provenance.notes
    assert any(note.startswith("12 images say that text is burned into the picture") for note in notes)


def test_frames_without_their_number_are_said(tmp_path: Path, home: Home, config: Config, blobs):
    stored = slices(blobs)
    for number in range(4):
        written(tmp_path / "mf" / "ab"[number % 2] / f"{number}.dcm", of_frames(stored[3 * number : 3 * number + 3]))
    with_frames = preview(config(tmp_path / "mf", ignore_ids=True, frames="first"), home)
    assert any(note.startswith("4 images hold several frames without NumberOfFrames") for note in with_frames.notes)


def test_windows_that_differ_are_told(home: Home, study, config: Config):
    def told(source: Path, **settings: Any) -> list[str]:
        return [note for note in preview(config(source, **settings), home).notes if "windows of their own" in note]

    source = study(WindowCenter=40, WindowWidth=80)
    assert told(source) == []
    for number in (1, 3):
        path = source / "b" / f"IM{number:03d}.dcm"
        file = pydicom.dcmread(path)
        file.WindowCenter, file.WindowWidth = -600, 1500
        file.save_as(path)
    (note,) = told(source)
    assert note.startswith("12 images")
    assert "0 to 79 in 10, -1350 to 149 in 2" in note
    assert told(source, window="40,80") == []
    for number in (1, 3):
        path = source / "b" / f"IM{number:03d}.dcm"
        file = pydicom.dcmread(path)
        del file.WindowCenter, file.WindowWidth
        file.save_as(path)
    (note,) = told(source)
    assert note.startswith("10 images")
    assert "2 by the range of all" in note


def test_ids_that_differ_in_capitals_or_blanks_are_one_patient(home: Home, tmp_path: Path, config: Config, blobs):
    ids = ["Pat 1", "PAT 1", "pat  1 ", "Pat 11", "Pat 2", "Pat1"]
    for number, stored in enumerate(slices(blobs)):
        write(tmp_path / "ct" / "ab"[number % 2] / f"{number}.dcm", stored, PatientID=ids[number // 2], **HU)
    dataset = import_dataset(home, config(tmp_path / "ct", keep_ids=True, freeze=False))
    assert set(dataset.manifest["group"]) == {"Pat 1", "Pat 11", "Pat 2", "Pat1"}
    assert any(note.startswith("4 images have a PatientID that differs") for note in dataset.info.provenance.notes)
