"""The audit finds planted defects, and nothing in a set without any."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from engine.datasets.audit import audit, blocking
from engine.datasets.copies import measure, perceptual_hash
from engine.datasets.phantom import PhantomImage
from engine.datasets.remedies import apply
from engine.store.hashing import sha256_pixels


class Shelf:
    """Stored pictures and their manifest, one row at a time."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.rows: list[dict[str, Any]] = []

    def put(self, pixels: np.ndarray, name: str = "a", split: str = "", group: str = "", **columns: Any) -> str:
        path = f"{len(self.rows):05d}.png"
        Image.fromarray(pixels).save(self.folder / path)
        row = {
            "path": path, "class": name, "split": split, "group": group, "sha256": sha256_pixels(pixels),
            "phash": perceptual_hash(pixels), "width": 64, "height": 64, "mode": "L", "bits": 8, "source": path,
            "excluded": "",
        }  # fmt: skip
        self.rows.append({**row, **columns})
        return path

    @property
    def manifest(self) -> pd.DataFrame:
        return pd.DataFrame(self.rows)

    def findings(self) -> dict[str, dict[str, Any]]:
        return {finding["name"]: finding for finding in audit(self.manifest, self.folder)}


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def resized(pixels: np.ndarray, factor: float) -> np.ndarray:
    height, width = pixels.shape[:2]
    small = Image.fromarray(pixels).resize((int(width * factor), int(height * factor)), Image.Resampling.BICUBIC)
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


CHANGES = {
    "jpeg 75": lambda pixels: jpeg(pixels, 75),
    "jpeg 40": lambda pixels: jpeg(pixels, 40),
    "brighter": lambda pixels: np.clip(pixels * 1.1 + 5, 0, 255).astype(np.uint8),
    "darker": lambda pixels: (pixels * 0.8).astype(np.uint8),
    "resized": lambda pixels: resized(pixels, 0.6),
    "noisy": lambda pixels: np.clip(pixels + np.random.default_rng(0).normal(0, 3, pixels.shape), 0, 255).astype(
        np.uint8
    ),
}


def test_a_clean_set_has_no_finding_but_its_counts(shelf: Shelf, heads: list[PhantomImage]) -> None:
    for image in heads:
        shelf.put(image.pixels, image.class_name, group=image.group, source=image.name)
    findings = shelf.findings()
    assert set(findings) == {"class-counts"}
    assert findings["class-counts"]["severity"] == "info"
    assert "320 images in 2 classes" in findings["class-counts"]["sentence"]


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_are_found_and_matched_to_their_originals(
    shelf: Shelf, heads: list[PhantomImage], change: str
) -> None:
    for image in heads[::4]:
        shelf.put(image.pixels)
    planted = {shelf.put(CHANGES[change](heads[number * 4].pixels)): f"{number:05d}.png" for number in (3, 17, 40)}
    found = shelf.findings()["near-copies"]
    assert {tuple(pair) for pair in found["examples"]} == {(first, second) for second, first in planted.items()}
    assert (found["count"], found["severity"], found["remedy"]) == (6, "warning", "join-groups")


def test_neighbouring_slices_of_a_known_patient_are_no_near_copies(shelf: Shelf, heads: list[PhantomImage]) -> None:
    shelf.put(heads[0].pixels, group="P1")
    shelf.put(CHANGES["noisy"](heads[0].pixels), group="P1")
    assert "near-copies" not in shelf.findings()
    shelf.rows[1]["group"] = "P2"
    assert shelf.findings()["near-copies"]["examples"] == [["00000.png", "00001.png"]]


def test_exact_copies_by_what_they_spoil(shelf: Shelf, heads: list[PhantomImage]) -> None:
    a, b, c, d = (heads[number].pixels for number in (0, 40, 80, 120))
    for pixels, name, split in (
        (a, "a", "train"), (a, "a", "train"), (a, "a", "train"),
        (b, "a", "train"), (b, "a", "test"),
        (c, "a", "train"), (c, "b", "train"),
        (d, "b", "test"),
    ):  # fmt: skip
        shelf.put(pixels, name, split)
    findings = shelf.findings()
    assert findings["exact-copies"]["count"] == 3
    assert findings["exact-copies"]["severity"] == "warning"
    assert findings["exact-copies-across-splits"]["examples"] == [["00003.png", "00004.png"]]
    assert findings["exact-copies-across-splits"]["severity"] == "leak"
    assert findings["exact-copies-across-classes"]["examples"] == [["00005.png", "00006.png"]]
    assert findings["exact-copies-across-classes"]["severity"] == "conflict"
    assert findings["exact-copies-across-classes"]["remedy"] == "drop-conflicts"
    assert not any(name.startswith("near") for name in findings)
    assert {finding["name"] for finding in blocking(findings.values())} == {
        "exact-copies-across-splits",
        "exact-copies-across-classes",
    }


def test_near_copies_across_splits_and_classes(shelf: Shelf, heads: list[PhantomImage]) -> None:
    a, b = heads[0].pixels, heads[40].pixels
    shelf.put(a, "a", "train")
    shelf.put(jpeg(a, 75), "a", "valid")
    shelf.put(b, "a", "train")
    shelf.put(jpeg(b, 75), "b", "train")
    findings = shelf.findings()
    assert findings["near-copies-across-splits"]["severity"] == "leak"
    assert findings["near-copies-across-splits"]["examples"] == [["00000.png", "00001.png"]]
    assert findings["near-copies-across-classes"]["severity"] == "conflict"
    assert findings["near-copies-across-classes"]["examples"] == [["00002.png", "00003.png"]]


def test_a_leak_with_two_labels_names_the_remedy_that_mends_it(shelf: Shelf, heads: list[PhantomImage]) -> None:
    shelf.put(heads[0].pixels, "a", "train")
    shelf.put(heads[0].pixels, "b", "test")
    assert shelf.findings()["exact-copies-across-splits"]["remedy"] == "drop-conflicts"
    shelf.put(heads[40].pixels, "a", "train")
    shelf.put(heads[40].pixels, "a", "test")
    assert shelf.findings()["exact-copies-across-splits"]["remedy"] == "drop-copies"


def test_the_remedies_named_mend_all_that_was_found(shelf: Shelf, heads: list[PhantomImage]) -> None:
    a, b, c, d = (heads[number].pixels for number in (0, 40, 80, 120))
    for pixels, name, split, group in (
        (a, "a", "train", ""), (a, "a", "test", ""), (b, "a", "train", ""), (jpeg(b, 75), "a", "test", ""),
        (c, "a", "train", ""), (c, "b", "test", ""), (d, "a", "train", "P1"), (heads[200].pixels, "a", "test", "P1"),
        (np.zeros((64, 64), np.uint8), "b", "train", ""),
    ):  # fmt: skip
        shelf.put(pixels, name, split, group)
    measured = measure(shelf.manifest, shelf.folder)
    findings = [finding for finding in audit(measured, shelf.folder) if finding["remedy"]]
    assert {finding["name"] for finding in findings} == {
        "exact-copies-across-classes",
        "exact-copies-across-splits",
        "near-copies-across-splits",
        "group-across-splits",
        "near-blank",
    }
    mended = audit(apply(measured, [finding["remedy"] for finding in findings]), shelf.folder)
    assert not blocking(mended)
    assert not any(finding["remedy"] for finding in mended)


def test_nothing_crosses_splits_before_there_are_any(shelf: Shelf, heads: list[PhantomImage]) -> None:
    shelf.put(heads[0].pixels, group="P1")
    shelf.put(heads[0].pixels, group="P1")
    shelf.put(heads[40].pixels, group="P1")
    assert not blocking(shelf.findings().values())


def test_patients_in_several_splits(shelf: Shelf, heads: list[PhantomImage]) -> None:
    for number, (group, split) in enumerate((("P1", "train"), ("P1", "test"), ("P2", "train"), ("P2", "train"))):
        shelf.put(heads[number * 30].pixels, split=split, group=group)
    found = shelf.findings()["group-across-splits"]
    assert (found["severity"], found["remedy"], found["count"]) == ("leak", "join-groups", 1)
    assert found["examples"] == [["00000.png", "00001.png"]]


def test_excluded_rows_are_not_audited(shelf: Shelf, heads: list[PhantomImage]) -> None:
    shelf.put(heads[0].pixels, "a", "train")
    shelf.put(heads[0].pixels, "b", "test", excluded="drop-conflicts")
    assert not blocking(shelf.findings().values())


def test_blank_images_are_blank_and_no_copies_of_each_other(shelf: Shelf, heads: list[PhantomImage]) -> None:
    rng = np.random.default_rng(0)
    blank = {shelf.put(rng.integers(level, level + 5, (64, 64), dtype=np.uint8)) for level in (0, 100, 250)}
    shelf.put(heads[0].pixels)
    found = shelf.findings()
    assert {path for (path,) in found["near-blank"]["examples"]} == blank
    assert not any("copies" in name for name in found)


def test_tiny_and_unequal_classes(shelf: Shelf, heads: list[PhantomImage]) -> None:
    for number in range(80):
        shelf.put(heads[number * 4].pixels, "rare" if number < 5 else "common")
    findings = shelf.findings()
    assert "rare" in findings["tiny-classes"]["sentence"]
    assert "15.0 times" in findings["imbalance"]["sentence"]
    assert "93.8%" in findings["class-counts"]["sentence"]


def test_a_mix_of_modes_that_gives_the_class_away_is_a_warning(shelf: Shelf, heads: list[PhantomImage]) -> None:
    for number in range(40):
        shelf.put(
            heads[number * 8].pixels, "ab"[number % 2], mode=("L", "RGB")[number % 2], width=(64, 80)[number // 20]
        )
    findings = shelf.findings()
    assert findings["mixed-modes"]["severity"] == "warning"
    assert findings["mixed-sizes"]["severity"] == "info"
    assert "64x64 (20)" in findings["mixed-sizes"]["sentence"]
    assert "mixed-bit-depths" not in findings


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([f"P{number // 3:03d}_slice{number % 3}.png" for number in range(30)], True),
        ([f"scans/patient{number // 3}-{number % 3}.png" for number in range(30)], True),
        ([f"ISIC_{number:07d}.jpg" for number in range(30)], False),
        ([f"{number:03d}.png" for number in range(30)], False),
        ([f"set1_{number}.png" for number in range(30)], False),
    ],
)
def test_file_names_that_look_like_patients(
    shelf: Shelf, heads: list[PhantomImage], names: list[str], found: bool
) -> None:
    for number, name in enumerate(names):
        shelf.put(heads[number * 4].pixels, source=name)
    assert ("patients-in-names" in shelf.findings()) is found
    for row in shelf.rows:
        row["group"] = "known"
    assert "patients-in-names" not in shelf.findings()


def test_colour_images_are_measured_like_grey_ones(shelf: Shelf) -> None:
    rng = np.random.default_rng(1)
    pictures = [rng.integers(0, 256, (8, 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1) for _ in range(3)]
    for pixels in pictures:
        shelf.put(pixels, mode="RGB")
    shelf.put(jpeg(pictures[1], 90), mode="RGB")
    measured = measure(shelf.manifest, shelf.folder)
    assert measured["near"].tolist() == ["", "near-001", "", "near-001"]


def test_an_empty_manifest_has_no_findings(shelf: Shelf, heads: list[PhantomImage]) -> None:
    shelf.put(heads[0].pixels)
    assert audit(shelf.manifest.iloc[:0], shelf.folder) == []
