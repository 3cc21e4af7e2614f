"""The odd inputs beside the repository, where they are: each once lost its content or its labels without a word.

Every kind of them is made anew in the tests of its reader; here the inputs themselves are held to what is right.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.configs import ImportConfig
from engine.datasets.dataset import Dataset
from engine.datasets.importing import import_dataset
from engine.datasets.reading.questions import Question
from engine.store.errors import ErsatzError
from engine.store.home import Home
from tests.conftest import REAL_DATA

ODD = REAL_DATA.parent / "odd"
AB = {"a": 10, "b": 10}
ZERO_ONE = {"0": 10, "1": 10}
TWELVE = {"a": 12, "b": 12}

pytestmark = pytest.mark.skipif(not ODD.is_dir(), reason=f"the odd inputs are not at {ODD}")


@pytest.fixture
def source(tmp_path: Path):
    """A ZIP as it is, or unpacked where its name begins with `x_`."""

    def find(name: str) -> Path:
        path = ODD / name
        if not name.startswith("x_") or path.suffix != ".zip":
            return path
        with zipfile.ZipFile(path) as archive:
            archive.extractall(tmp_path / "unpacked")
        return tmp_path / "unpacked"

    return find


def imported(home: Home, source: Path, **settings: Any) -> Dataset:
    values = {"name": "odd", "source": str(source), "size": 32, "freeze": False, **settings}
    return import_dataset(home, ImportConfig.build(values))


@pytest.mark.parametrize(
    ("name", "settings", "classes", "said"),
    [
        ("csv_mixf.zip", {}, ZERO_ONE, "taken for one class, '0'"),
        ("csv_nh.zip", {}, {"benign": 10, "malignant": 10}, "no header line"),
        ("csv_patient.zip", {}, {"0": 20, "1": 20}, "'patient_id' is taken for the patient: 8 patients"),
        ("csv_tcr.zip", {}, {"benign": 10, "malignant": 10}, ""),
        ("dcm_allsamepid.zip", {"ignore_ids": True}, AB, ""),
        ("dcm_commawin.zip", {}, AB, "decimal comma in WindowCenter"),
        ("dcm_lossless70.zip", {}, AB, ""),
        ("dcm_mixedext.zip", {}, AB, ""),
        ("dcm_noframes_small.zip", {"frames": "all"}, {"a": 15, "b": 15}, "without NumberOfFrames"),
        ("dcm_nopreamble.zip", {}, AB, ""),
        ("dcm_padding.zip", {}, AB, "PixelPaddingValue"),
        ("dcm_rgb_12in16_small.zip", {}, {"a": 5, "b": 5}, ""),
        ("dcm_suvw.zip", {}, AB, ""),
        ("hot16.zip", {}, AB, "to 65535 in a/003.png; they do not set the range"),
        ("masks.zip", {}, {"benign": 10, "malignant": 10}, "20 files are masks by their names"),
        ("npz_bl.npz", {}, {"benign": 60, "malignant": 60}, ""),
        ("npz_nanl.npz", {"skip_unreadable": True}, {"0": 48, "1": 48}, "24 rows without a value"),
        ("npz_validn.npz", {}, {"0": 60, "1": 60}, ""),
        ("patients_in_folders.zip", {}, {"covid": 32, "healthy": 32}, "taken for patients"),
        ("png16rgb_small.zip", {}, {"a": 5, "b": 5}, "4095 white"),
        ("val9.zip", {}, {"a": 20, "b": 20}, ""),
        ("x_cp1252.zip", {"csv_encoding": "cp1252"}, {"bösartig": 12, "gutartig": 12}, ""),
        ("x_floatlabel.zip", {}, {"0": 12, "1": 12}, "taken for one class, '1'"),
        ("x_hot.zip", {}, TWELVE, "they do not set the range"),
        ("x_mf.zip", {"frames": "all"}, {"a": 20, "b": 20}, "all are taken, which makes 40 images"),
        ("x_mixed.zip", {}, {"a": 18, "b": 12}, "6 of 30 images have more than 8 bits"),
        ("x_nfd.zip", {}, TWELVE, ""),
        ("x_pad.zip", {}, TWELVE, "PixelPaddingValue"),
        ("x_reserved.zip", {}, {"aux_": 8, "con_": 8}, "'con' is 'con_'"),
        ("x_semi.zip", {}, TWELVE, ""),
        ("x_sepline.zip", {}, TWELVE, ""),
        ("x_signs.zip", {}, {"HER2plus": 8, "HER2minus": 8}, "'HER2+' is 'HER2plus'"),
        ("x_sr.zip", {}, TWELVE, "a/report.dcm holds no image (DICOM: Basic Text SR) and was left out"),
        ("x_text.zip", {}, {"a": 13, "b": 12}, ""),
        ("x_tiff5sample.zip", {"skip_unreadable": True}, TWELVE, "a/x.tif has 5 channels"),
        ("x_tifff64.zip", {}, {"a": 13, "b": 12}, ""),
        ("x_tiffmulti.zip", {"frames": "first"}, {"a": 13, "b": 12}, "the first of each is taken"),
        ("x_tiffu32.zip", {}, {"a": 13, "b": 12}, ""),
        ("zip_cp866.zip", {}, {"норма": 10, "опухоль": 10}, "read as cp866"),
    ],
)
def test_the_right_pictures_and_labels(home: Home, source, name: str, settings: dict, classes: dict, said: str):
    dataset = imported(home, source(name), **settings)
    rows = dataset.manifest
    assert rows["class"].value_counts().to_dict() == classes
    assert said in " ".join(dataset.info.provenance.notes)
    levels = [len(np.unique(pixels)) for pixels in dataset.pixels(rows)]
    assert np.median(levels) > 70, "the pictures are still there"
    known = rows[rows["group"] != ""]
    assert known.groupby("group")["split"].nunique().le(1).all()
    assert rows["split"].ne("").all()


def test_patients_and_splits_of_the_folders(home: Home, source):
    assert imported(home, source("patients_in_folders.zip"), name="patients").manifest["group"].nunique() == 8
    given = imported(home, source("val9.zip"), name="splits").manifest
    assert given["given"].value_counts().to_dict() == {"train": 20, "test": 20}


@pytest.mark.parametrize(
    ("name", "flag"),
    [
        ("dcm_allsamepid.zip", "--ignore-ids"),
        ("dcm_noframes_small.zip", "--frames all"),
        ("x_cp1252.zip", "--csv-encoding cp1252"),
        ("x_mf.zip", "--frames middle"),
        ("x_tiffmulti.zip", "--frames first"),
    ],
)
def test_what_is_unclear_is_asked(home: Home, source, name: str, flag: str):
    with pytest.raises(Question, match=flag):
        imported(home, source(name))
    assert not home.datasets.exists() or not list(home.datasets.iterdir())


@pytest.mark.parametrize(
    ("name", "settings", "told"),
    [
        ("class_black.zip", {}, "class a"),
        ("heic_one_class.zip", {}, "b/000.heic is not an image"),
        ("heic_one_class.zip", {"skip_unreadable": True}, "'b'"),
        ("heic_some.zip", {}, "4 of 20 images cannot be used"),
        ("npz_nanl.npz", {}, "24 rows without a value"),
        ("x_nans.npz", {}, "6 rows without a value"),
        ("x_tiff5sample.zip", {}, "a/x.tif has 5 channels"),
        ("zero2.zip", {}, "the folder c (it is empty) holds no image"),
    ],
)
def test_what_cannot_be_right_is_one_sentence(home: Home, source, name: str, settings: dict, told: str):
    with pytest.raises(ErsatzError) as refused:
        imported(home, source(name), **settings)
    assert told in str(refused.value) and str(refused.value).endswith(".")
    assert not home.datasets.exists() or not list(home.datasets.iterdir())


def test_every_input_is_held_to_something():
    tested = {case.args[1][number][0] for case in _parametrised() for number in range(len(case.args[1]))}
    assert {path.name for path in ODD.iterdir() if path.suffix in (".zip", ".npz")} <= tested


def _parametrised() -> list[Any]:
    tests = (
        test_the_right_pictures_and_labels,
        test_what_is_unclear_is_asked,
        test_what_cannot_be_right_is_one_sentence,
    )
    return [mark for test in tests for mark in test.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined]
