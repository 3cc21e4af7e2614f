"""Names, cells, tables and headers made to hang or to fill the memory: one sentence, or a right read, in no time."""

from __future__ import annotations

import contextlib
import io
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from engine.configs import ImportConfig
from engine.datasets import class_mapping, class_name_meanings
from engine.datasets.audit import name_prefixes
from engine.datasets.importing import import_dataset
from engine.datasets.patients import patients_in
from engine.datasets.reading import labels, zip_names
from engine.datasets.reading.folders import level_names, masks
from engine.datasets.reading.tables import csv_header, csv_text, npz_arrays
from engine.datasets.reading.tables.picture_names import PictureNames
from engine.datasets.reading.tree import natural
from engine.sampling.latents import parse_seeds
from engine.store.errors import ErsatzError
from engine.store.home import Home
from tests.datasets.conftest import blobs

LONG = 100_000
SHAPES = {
    "letters": "a" * LONG,
    "digits": "1" * LONG,
    "digits and a letter": "1" * LONG + "x",
    "zeros": "0" * LONG + ".0",
    "letters and digits": "a1" * (LONG // 2) + "!",
    "separated numbers": "1_" * (LONG // 2) + "x",
    "separators": "_" * LONG + "1x",
    "blanks": " " * LONG + "x",
    "signs": "-" * LONG + "+",
    "slashes": "a/./" * (LONG // 4),
    "dots": "../" * (LONG // 3) + "x",
    "quotes": "'" * LONG + '"',
    "capitals": "A" * LONG + "a",
    "masks": "_mask1" * (LONG // 6) + "x",
    "angles": "<" * LONG,
    "minus": "minus" * (LONG // 5) + "1",
}


def read_by_all(text: str) -> dict[str, Callable[[], object]]:
    """Everything that looks for a pattern in a name, a cell or a label."""
    rows = pd.DataFrame({"source": [text], "group": [text]})
    return {
        "prefixes": lambda: name_prefixes(rows),
        "patients": lambda: patients_in(rows[["group"]]),
        "natural": lambda: natural(text),
        "picture names": lambda: PictureNames([text, "a.png"]).find(text),
        "labels": lambda: labels.one_spelling([text, "1"]),
        "label": lambda: labels.read_labels([text, "b"] * 9, ["line"] * 18, "x", "y", CONFIG),
        "meaning": lambda: class_name_meanings.told_by_names(["no" + text, text]),
        "zero": lambda: class_name_meanings.told_by_names([text + "0", text + "1"]),
        "safe name": lambda: class_mapping.safe_name(text),
        "level": lambda: level_names.words_of(text),
        "split": lambda: level_names.split_of(text),
        "mask": lambda: masks._SUFFIX.fullmatch(text),
        "mask prefix": lambda: masks._PREFIX.fullmatch(text),
        "column": lambda: csv_header.key(text),
        "cell": lambda: csv_text._plain(text),
        "header": lambda: csv_text._names_columns([text]),
        "array": lambda: npz_arrays._role(text),
        "encoding": lambda: zip_names._oddness(text),
        "seeds": lambda: parse_seeds(text),
    }


CONFIG = ImportConfig(name="x", source="x")


@pytest.mark.parametrize("shape", SHAPES)
def test_no_pattern_takes_long_for_a_long_text(shape: str) -> None:
    for name, read in read_by_all(SHAPES[shape]).items():
        began = time.process_time()
        with contextlib.suppress(ErsatzError):
            read()
        assert time.process_time() - began < 0.5, name


def test_prefixes_are_what_they_were() -> None:
    names = {
        "P012_slice3": "P012",
        "P1_2_3": "P1_2",
        "P1__3": "P1",
        "12.5": "12",
        "a1-b_c7": "",
        "ISIC_0024": "",
        "x1 s 2": "x1",
        "007": "",
        "p1.2": "p1",
        "p1_": "",
    }
    found = name_prefixes(pd.DataFrame({"source": [f"{name}.png" for name in names]}))
    assert dict(zip(names, found, strict=True)) == names


def zipped(path: Path, names: list[str]) -> Path:
    content = io.BytesIO()
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(names):
            content = io.BytesIO()
            Image.fromarray(blobs(number)).save(content, "PNG")
            archive.writestr(name, content.getvalue())
    return path


def test_five_thousand_digits_in_a_name_are_read(home: Home, tmp_path: Path) -> None:
    names = [f"{name}/{'9' * 3000}{number}.png" for name in ("bleed", "normal") for number in range(8)]
    config = ImportConfig(name="set", source=str(zipped(tmp_path / "a.zip", names)), size=16)
    assert len(import_dataset(home, config).rows()) == 16


@pytest.mark.parametrize("name", ["b/" * 40 + "x" * 60_000 + ".png", "b/" * 100 + "x.png"])
def test_a_name_that_no_file_could_have_is_refused(name: str, tmp_path: Path, refused: Callable[..., str]) -> None:
    source = zipped(tmp_path / "a.zip", [f"normal/{number}.png" for number in range(3)] + [name])
    assert len(refused(source, "at most 4096 and 64 are expected")) < 500


def test_five_thousand_digits_in_a_cell(csv_folder: Callable[..., Path], refused: Callable[..., str]) -> None:
    rows = "".join(f"{number}.png,{digits}\n" for number, digits in enumerate(["1" * 5000, "2" * 5000] * 4))
    refused(csv_folder(f"image,label\n{rows}", [f"{number}.png" for number in range(8)]), "cannot be used")


def test_a_very_wide_table_is_refused_at_once(csv_folder: Callable[..., Path], refused: Callable[..., str]) -> None:
    width = 20_000
    header = "image,label," + ",".join(f"c{number}" for number in range(width))
    rows = "".join(f"\n{number}.png,{'ab'[number % 2]}" + ",1" * width for number in range(8))
    source = csv_folder(header + rows, [f"{number}.png" for number in range(8)])
    began = time.process_time()
    refused(source, "has 20002 columns; at most 1000 are expected", csv="labels.csv")
    assert time.process_time() - began < 10


@pytest.mark.parametrize("content", ['{"labels":' + "[" * 100_000, '{"labels": [["a.png", ' + "9" * 5000 + "]]}"])
def test_a_nested_index_is_refused(content: str, csv_folder: Callable[..., Path], refused: Callable[..., str]) -> None:
    refused(csv_folder(content, ["00000/a.png"], "dataset.json"), "does not hold labels as StyleGAN writes them")


def header_of(text: str) -> bytes:
    padded = text.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (header_of("{'descr': '|u1', 'fortran_order': False, 'shape': (9000000, 1000, 1000), }"), "says that it is"),
        (header_of("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 8, 8), }"), "says that it is"),
        (header_of("{'descr': '|u1', 'fortran_order': False, 'shape': (), }") + b"\1", "has shape []"),
        (header_of("(" * 100), "cannot be read"),
        (b"none", "cannot be read"),
        (b"", "cannot be read"),
    ],
    ids=["terabytes", "negative", "0-d", "nested", "none", "empty"],
)
def test_arrays_that_are_none(images: bytes, words: str, tmp_path: Path, refused: Callable[..., str]) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", images)
        labels_content = io.BytesIO()
        np.save(labels_content, np.arange(8) % 2)
        archive.writestr("labels.npy", labels_content.getvalue())
        archive.writestr("readme.txt", "no array")
    refused(tmp_path / "a.npz", words)


def test_an_npz_that_is_no_archive(tmp_path: Path, refused: Callable[..., str]) -> None:
    np.save(tmp_path / "a.npy", np.zeros(3))
    refused((tmp_path / "a.npy").rename(tmp_path / "a.npz"), "cannot be read as a ZIP")
