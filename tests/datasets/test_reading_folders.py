"""Folder trees, ZIPs and the StyleGAN layout."""

from __future__ import annotations

import json
import os
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.configs import ImportConfig
from engine.datasets.importing import import_dataset
from engine.datasets.previewing import preview
from engine.datasets.reading import tree
from engine.store.errors import ErsatzError
from engine.store.home import Home

Make = Callable[..., Path]
Config = Callable[..., ImportConfig]
Refused = Callable[..., str]

LONG = "squamous.cell.carcinoma_left.hilum_T1_N2_M0_IIIa"
SHORT = "squamous.cell.carcinoma"


def test_folders_are_classes(home: Home, make_tree: Make, config: Config):
    dataset = import_dataset(home, config(make_tree({"tumour": 8, "no tumour": 7})))
    assert dataset.classes == ["no-tumour", "tumour"]
    assert dataset.manifest["class"].value_counts().to_dict() == {"tumour": 8, "no-tumour": 7}
    assert set(dataset.manifest["source"]) == {f"tumour/{n:03d}.png" for n in range(8)} | {
        f"no tumour/{n:03d}.png" for n in range(7)
    }
    assert dataset.frozen


def test_numbers_in_file_names_are_counted_not_spelled(home: Home, tmp_path: Path, config: Config, blobs):
    for folder in ("a", "b"):
        (tmp_path / "s" / folder).mkdir(parents=True)
    for number in range(11):
        Image.fromarray(blobs(number)).save(tmp_path / "s" / "a" / f"{number}.png")
        Image.fromarray(blobs(50 + number)).save(tmp_path / "s" / "b" / f"{number}.png")
    dataset = import_dataset(home, config(tmp_path / "s"))
    assert list(dataset.manifest["source"][:11]) == [f"a/{number}.png" for number in range(11)]


def test_given_splits_are_kept_and_wrapping_folders_passed_through(home: Home, make_tree: Make, config: Config):
    source = make_tree(
        {
            "archive/Data/Training/x": 6,
            "archive/Data/Training/y": 5,
            "archive/Data/val/x": 2,
            "archive/Data/val/y": 2,
            "archive/Data/TEST/x": 3,
            "archive/Data/TEST/y": 2,
        }
    )
    dataset = import_dataset(home, config(source))
    counts = dataset.manifest.groupby(["split", "class"]).size().to_dict()
    assert counts == {
        ("train", "x"): 6,
        ("train", "y"): 5,
        ("valid", "x"): 2,
        ("valid", "y"): 2,
        ("test", "x"): 3,
        ("test", "y"): 2,
    }


def test_missing_validation_folder_is_drawn_from_training(home: Home, make_tree: Make, config: Config):
    dataset = import_dataset(home, config(make_tree({"train/x": 10, "train/y": 10, "test/x": 3, "test/y": 3})))
    rows = dataset.manifest
    assert set(rows.loc[rows["split"] == "test", "source"].str.split("/").str[0]) == {"test"}
    assert set(rows.loc[rows["split"] == "valid", "source"].str.split("/").str[0]) == {"train"}


CHEST = {f"train/{LONG}": 5, "train/normal": 5, f"valid/{LONG}": 2, "valid/normal": 2, "test/normal": 3}


def test_class_that_goes_on_in_one_split_is_joined_and_told(home: Home, make_tree: Make, config: Config):
    dataset = import_dataset(home, config(make_tree({**CHEST, f"test/{SHORT}": 3})))
    assert dataset.classes == ["normal", SHORT]
    assert dataset.info.provenance.labels[SHORT] == [SHORT, LONG]
    assert any(LONG in note and SHORT in note for note in dataset.info.provenance.notes)


def test_class_named_by_the_config_is_joined(home: Home, make_tree: Make, config: Config):
    names = {LONG: "cancer", "SCC": "cancer"}
    dataset = import_dataset(home, config(make_tree({**CHEST, "test/SCC": 3}), class_names=names))
    assert dataset.classes == ["cancer", "normal"]
    assert len(dataset.rows("test", "cancer")) == 3


def test_class_that_differs_between_splits_is_refused(make_tree: Make, refused: Refused):
    refused(make_tree({**CHEST, "test/other": 3}), "differ between the splits", LONG, "other", "class_names")


def test_class_that_could_go_on_two_others_is_refused(make_tree: Make, refused: Refused):
    tree = {"train/a_1": 3, "train/a_2": 3, "train/b": 3, "test/a": 3, "test/b": 3}
    refused(make_tree(tree), "differ between the splits", "a_1")


def test_two_classes_of_one_split_are_never_joined(make_tree: Make, refused: Refused):
    tree = {"train/a": 3, "train/a_left": 3, "test/a": 3, "test/b": 3}
    refused(make_tree(tree), "differ between the splits")


def test_capitals_and_signs_differ_between_splits_only(home: Home, make_tree: Make, config: Config, refused: Refused):
    tree = {"train/No_Tumour": 6, "train/yes": 6, "test/no tumour": 2, "test/yes": 2}
    refused(make_tree({"Normal": 4, "normal": 4}, root="one"), "same class name", "'Normal'", "'normal'")
    assert len(import_dataset(home, config(make_tree(tree))).classes) == 2


def test_only_classes(home: Home, make_tree: Make, config: Config, refused: Refused):
    source = make_tree({"a": 6, "b b": 6, "c": 6})
    refused(source, "only_classes", "'d'", "'a'", only_classes=("a", "d"))
    dataset = import_dataset(home, config(source, only_classes=("a", "b b")))
    assert dataset.classes == ["a", "b-b"]
    assert any("6 images" in note for note in dataset.info.provenance.notes)


def test_one_class_is_refused(make_tree: Make, refused: Refused):
    refused(make_tree({"train/a": 5, "test/a": 5}), "1 class", "'a'", "at least two")


def test_one_image_per_class_is_refused(make_tree: Make, refused: Refused):
    refused(make_tree({"a": 1, "b": 1}), "one image only", "2 of 2")


def test_flat_folder_without_csv_is_refused(make_tree: Make, refused: Refused):
    refused(make_tree({"images": 5}), "5 images but no class folders", "CSV")


def test_folder_without_images_is_refused(tmp_path: Path, refused: Refused):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "notes.txt").write_text("nothing")
    refused(tmp_path / "source", "no image", "1 with .txt")


def test_missing_source_and_single_image_are_refused(tmp_path: Path, make_tree: Make, refused: Refused):
    refused(tmp_path / "nowhere", "There is no", "nowhere")
    refused(make_tree({"a": 2, "b": 2}) / "a" / "000.png", "single file")


def test_class_renamed_that_is_not_there_is_refused(make_tree: Make, refused: Refused):
    refused(make_tree({"a": 3, "b": 3}), "class_names", "'tumor'", class_names={"tumor": "tumour"})


def test_other_files_are_left_out_and_told(home: Home, make_tree: Make, config: Config):
    source = make_tree({"train/a": 5, "train/b": 5, "test/a": 2, "test/b": 2})
    (source / "train" / "a" / "notes.txt").write_text("x")
    (source / "train" / "a" / ".DS_Store").write_text("x")
    Image.new("L", (9, 9)).save(source / "train" / "stray.png")
    dataset = import_dataset(home, config(source))
    notes = " ".join(dataset.info.provenance.notes)
    assert len(dataset.manifest) == 14
    assert "1 images lie outside the class folders" in notes
    assert "train/stray.png" in notes
    assert "1 other files" in notes


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_broken_link_is_told(make_tree: Make, refused: Refused):
    source = make_tree({"a": 4, "b": 4})
    (source / "a" / "lost.png").symlink_to(source / "nowhere.png")
    refused(source, "1 of 9 images", "a/lost.png cannot be opened")


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_linked_class_folder_is_read_and_loops_end(home: Home, make_tree: Make, config: Config):
    source, elsewhere = make_tree({"a": 5}), make_tree({"one": 4, "b": 6}, root="elsewhere")
    (source / "b").symlink_to(elsewhere / "b")
    (source / "a" / "loop").symlink_to(source)
    dataset = import_dataset(home, config(source, remedies=["drop-copies", "drop-conflicts"], freeze=False))
    assert dataset.manifest["class"].value_counts().to_dict() == {"b": 6, "a": 5}


def make_zip(source: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(source.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(source).as_posix())
    return target


def test_zip_equals_the_folder_in_it(home: Home, make_tree: Make, config: Config, tmp_path: Path):
    source = make_tree({"set/train/a": 5, "set/train/b": 5, "set/test/a": 2, "set/test/b": 2})
    folder = import_dataset(home, config(source))
    zipped = import_dataset(home, config(make_zip(source, tmp_path / "set.zip"), name="zipped"))
    assert zipped.fingerprint == folder.fingerprint
    assert not [path for path in home.root.rglob("*") if path.is_dir() and path.name == "set" and path != folder.path]


def test_zip_with_csv(home: Home, make_tree: Make, config: Config, tmp_path: Path):
    source = make_tree({"images": 8})
    (source / "labels.csv").write_text("id,label\n" + "".join(f"{n},{'ab'[n % 2]}\n" for n in range(8)))
    dataset = import_dataset(home, config(make_zip(source, tmp_path / "set.zip")))
    assert dataset.manifest["class"].value_counts().to_dict() == {"a": 4, "b": 4}


def stylegan_zip(target: Path, blobs: Callable[..., np.ndarray], labels: object) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for number in range(8):
            with archive.open(f"00000/img{number:08d}.png", "w") as file:
                Image.fromarray(blobs(number)).save(file, "PNG")
        archive.writestr("dataset.json", json.dumps({"labels": labels}))
    return target


def test_stylegan_zip(home: Home, config: Config, tmp_path: Path, blobs):
    labels = [[f"00000/img{number:08d}.png", number % 2] for number in range(8)]
    names = {"0": "other", "1": "melanoma"}
    source = stylegan_zip(tmp_path / "set.zip", blobs, labels)
    dataset = import_dataset(home, config(source, class_names=names))
    assert dataset.info.provenance.layout == "StyleGAN data set"
    by_source = dataset.manifest.set_index("source")["class"]
    assert by_source["00000/img00000001.png"] == "melanoma"
    assert by_source["00000/img00000002.png"] == "other"


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (None, ["no labels"]),
        ([["00000/img00000000.png", 0], ["00000/gone.png", 1]], ["1 images that are not there", "gone.png"]),
        ([["00000/img00000000.png", [0, 1]]], ["[0, 1]", "one class number"]),
        ([["00000/img00000000.png", 0]] * 2, ["twice"]),
        ("damaged", ["does not hold labels"]),
    ],
)
def test_stylegan_zip_with_wrong_labels_is_refused(tmp_path: Path, refused: Refused, blobs, labels, words):
    refused(stylegan_zip(tmp_path / "set.zip", blobs, labels), *words)


@pytest.mark.parametrize(
    "name", ["../evil.png", "a/../../evil.png", "/etc/evil.png", "C:/evil.png", "a\\..\\..\\e.png"]
)
def test_zip_that_points_outside_is_refused(make_tree: Make, tmp_path: Path, refused: Refused, name: str):
    target = make_zip(make_tree({"a": 3, "b": 3}), tmp_path / "set.zip")
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr(name, b"x")
    refused(target, "points outside", "Pack the images again")
    assert not list(tmp_path.parent.rglob("evil.png"))


def test_zip_with_link_is_refused(make_tree: Make, tmp_path: Path, refused: Refused):
    target = make_zip(make_tree({"a": 3, "b": 3}), tmp_path / "set.zip")
    link = zipfile.ZipInfo("a/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    refused(target, "symbolic link", "a/link.png")


def test_zip_bomb_is_refused(make_tree: Make, tmp_path: Path, refused: Refused):
    target = make_zip(make_tree({"a": 3, "b": 3}), tmp_path / "set.zip")
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/bomb.png", bytes(40 * 2**20))
    refused(target, "decompression bomb", "a/bomb.png")


def test_many_small_bombs_in_a_zip_are_refused(make_tree: Make, tmp_path: Path, refused: Refused):
    target = make_zip(make_tree({"a": 2, "b": 2}), tmp_path / "set.zip")
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive:
        for number in range(5):
            archive.writestr(f"a/bomb{number}.png", bytes(8 * 2**20))
    refused(target, "decompression bomb")


def test_damaged_zip_is_refused(make_tree: Make, tmp_path: Path, refused: Refused):
    target = make_zip(make_tree({"a": 3, "b": 3}), tmp_path / "set.zip")
    content = bytearray(target.read_bytes())
    (tmp_path / "half.zip").write_bytes(content[: len(content) // 2])
    refused(tmp_path / "half.zip", "cannot be read as a ZIP")
    name_length = struct.unpack("<H", content[26:28])[0]
    content[30 + name_length + 60] ^= 0xFF  # inside the pixels of the first image
    (tmp_path / "flipped.zip").write_bytes(content)
    refused(tmp_path / "flipped.zip", "1 of 6 images", "a/000.png is damaged inside the ZIP")


def test_zip_with_password_is_refused(make_tree: Make, tmp_path: Path, refused: Refused):
    target = make_zip(make_tree({"a": 3, "b": 3}), tmp_path / "set.zip")
    content = bytearray(target.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    target.write_bytes(content)
    refused(target, "password")


def test_preview_counts_and_writes_nothing(home: Home, make_tree: Make, config: Config, left_behind):
    source = make_tree({"train/a": 5, "train/b": 4, "test/a": 2, "test/b": 2})
    (source / "train" / "a" / "bad.png").write_bytes(b"")
    seen = preview(config(source))
    assert seen.counts == {"a": {"train": 6, "test": 2}, "b": {"train": 4, "test": 2}}
    assert seen.sizes == {"24x24": 13}
    assert seen.problems == {"train/a/bad.png": "is empty (0 bytes)"}
    assert "train/a/bad.png is empty" in seen.text()
    assert json.dumps(seen.as_values())
    assert left_behind(home) == []


def test_a_disk_in_the_place_of_a_folder_of_images_is_not_read_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", ".hidden", "b"):
        (tmp_path / name).mkdir()
        for number in range(2):
            (tmp_path / name / f"{number}.png").touch()
    monkeypatch.setattr(tree, "MOST_FILES", 4)
    assert tree.FolderTree(tmp_path).names == ["a/0.png", "a/1.png", "b/0.png", "b/1.png"]
    monkeypatch.setattr(tree, "MOST_FILES", 3)
    with pytest.raises(ErsatzError, match="more than 3 files; a folder of images is expected"):
        tree.FolderTree(tmp_path)
