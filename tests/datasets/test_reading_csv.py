"""Flat folders with a CSV."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.configs import ImportConfig
from engine.datasets.importing import import_dataset
from engine.store.home import Home

Config = Callable[..., ImportConfig]
Refused = Callable[..., str]


@pytest.fixture
def flat(make_tree: Callable[..., Path]) -> Callable[[str], Path]:
    """A folder with pictures/000.png to 011.png and the given labels.csv."""

    def make(table: str) -> Path:
        source = make_tree({"pictures": 12})
        (source / "labels.csv").write_bytes(table.encode("utf-8"))
        return source

    return make


def rows(template: str, count: int = 12) -> str:
    return "".join(
        template.format(n=n, label=n % 2, patient=n // 2, split=("train", "train", "train", "test")[n // 3]) + "\n"
        for n in range(count)
    )


PLAIN = "id, hemorrhage\n" + rows("{n},{label}")


def test_header_spaces_and_missing_zeros(home: Home, flat, config: Config):
    """The published head-CT table: header `id, hemorrhage`, ids 0 to 199 for 000.png to 199.png."""
    dataset = import_dataset(home, config(flat(PLAIN), class_names={"0": "normal", "1": "hemorrhage"}))
    by_source = dataset.manifest.set_index("source")["class"]
    assert by_source["pictures/007.png"] == "hemorrhage"
    assert by_source["pictures/010.png"] == "normal"


@pytest.mark.parametrize(
    "name",
    ["pictures/{n:03d}.png", "{n:03d}.png", "{n:03d}", "{n}", "{n}.0", "./pictures/{n:03d}.png", " {n:03d}.png "],
)
def test_images_may_be_named_in_any_plain_way(home: Home, flat, config: Config, name: str):
    dataset = import_dataset(home, config(flat("file;label\n" + rows(name + ";{label}"))))
    assert len(dataset.manifest) == 12
    assert dataset.manifest.set_index("source")["class"]["pictures/003.png"] == "1"


def test_source_may_be_the_csv_itself(home: Home, flat, config: Config):
    assert len(import_dataset(home, config(flat(PLAIN) / "labels.csv")).manifest) == 12


def test_columns_for_group_split_and_the_rest(home: Home, flat, config: Config):
    table = "﻿Image,Diagnosis,patient,part,age\n" + rows("{n},{label},P{patient},{split},6{n}").replace(",69,", ",,")
    dataset = import_dataset(home, config(flat(table), group_column="patient", split_column=" Part "))
    manifest = dataset.manifest.set_index("source")
    assert manifest.loc["pictures/005.png", "group"] == "P2"
    assert manifest.loc["pictures/005.png", "meta_age"] == "65"
    assert set(manifest.loc[manifest["split"] == "test"].index) == {f"pictures/{n:03d}.png" for n in (9, 10, 11)}


def test_group_stays_in_one_split(home: Home, flat, config: Config):
    source = flat("image,label,patient\n" + rows("{n},{label},P{patient}"))
    dataset = import_dataset(home, config(source, group_column="patient"))
    assert dataset.manifest.groupby("group")["split"].nunique().max() == 1


def test_several_label_columns_need_a_choice(home: Home, flat, config: Config, refused: Refused):
    source = flat("image,sex,tumour\n" + rows("{n},f,{label}"))
    refused(source, "not clear which column", "'sex'", "'tumour'", "label_column")
    refused(source, "no column 'cancer'", "'tumour'", label_column="cancer")
    dataset = import_dataset(home, config(source, label_column="Tumour"))
    assert dataset.classes == ["0", "1"]
    assert set(dataset.manifest["meta_sex"]) == {"f"}


def test_missing_files_are_refused(flat, refused: Refused):
    refused(flat(PLAIN + "77,1\n78,0\n"), "2 images that are not there", "'77', '78'", "14 rows")


def test_duplicate_rows_are_refused(flat, refused: Refused):
    refused(flat(PLAIN + "3,0\n"), "1 images more than once", "pictures/003.png", "duplicate rows")


@pytest.mark.parametrize("blank", ["", " ", "NaN", "n/a"])
def test_blank_labels_are_refused(flat, refused: Refused, blank: str):
    table = PLAIN.replace("\n3,1\n", f"\n3,{blank}\n")
    refused(flat(table), "1 rows without a value", "'hemorrhage'", "line 5")


def test_labels_outside_class_names_are_refused(flat, refused: Refused):
    table = PLAIN.replace("\n3,1\n", "\n3,9\n")
    refused(flat(table), "label '9'", "class_names", class_names={"0": "normal", "1": "hemorrhage"})


def test_unknown_splits_are_refused(flat, refused: Refused):
    refused(
        flat("image,label,part\n" + rows("{n},{label},later")),
        "'later'",
        "train, valid or test",
        split_column="part",
    )


def test_ambiguous_file_is_refused(make_tree, refused: Refused):
    source = make_tree({"left": 4, "right": 4})
    (source / "labels.csv").write_text("image,label\n" + "".join(f"{n:03d}.png,{n % 2}\n" for n in range(4)))
    refused(source, "'000.png' fits 2 files", "left/000.png", layout="csv")


def test_csv_that_names_no_image_is_refused(flat, refused: Refused):
    refused(flat("name,label\n" + rows("x{n},y{label}")), "no column names the images", "'name', 'label'")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("", ["cannot be read as a CSV"]),
        ("image,label\n", ["no rows"]),
        ("image,image \n1,2\n", ["'image' twice"]),
        ('image,label\n1,"2\n', ["cannot be read as a CSV"]),
    ],
)
def test_broken_csv_is_refused(flat, refused: Refused, table: str, words: list[str]):
    refused(flat(table), *words)


def test_csv_in_another_encoding_is_refused(flat, refused: Refused):
    source = flat(PLAIN)
    (source / "labels.csv").write_bytes("id,Größe\n1,2\n".encode("latin-1"))
    refused(source, "not UTF-8")


def test_two_csvs_need_a_choice(home: Home, flat, config: Config, refused: Refused):
    source = flat(PLAIN)
    (source / "other.csv").write_text(PLAIN)
    refused(source, "2 CSV files", "labels.csv, other.csv")
    assert len(import_dataset(home, config(source, csv=str(source / "labels.csv"))).manifest) == 12


def test_csv_elsewhere_and_csv_missing(home: Home, flat, config: Config, refused: Refused, tmp_path: Path):
    source = flat(PLAIN)
    (source / "labels.csv").rename(tmp_path / "away.csv")
    refused(source, "labels.csv", "is not there", csv="labels.csv")
    refused(source, "no CSV file", layout="csv")
    assert len(import_dataset(home, config(source, csv=str(tmp_path / "away.csv"))).manifest) == 12


def test_images_without_a_row_are_left_out_and_told(home: Home, flat, config: Config):
    dataset = import_dataset(home, config(flat("id,label\n" + rows("{n},{label}", 10))))
    assert len(dataset.manifest) == 10
    assert "2 images are not in the CSV" in dataset.info.provenance.notes[0]
