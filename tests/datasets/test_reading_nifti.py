"""NIfTI: orientation, values, shapes, damage; and how often a volume is read."""

from __future__ import annotations

import gzip
import itertools
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np
import pytest

from engine.datasets.reading.folders.class_folders import other_files
from engine.datasets.reading.items import BadPicture
from engine.datasets.reading.pictures import nifti
from engine.datasets.reading.pictures.files import FilePicture
from engine.datasets.reading.recent import Recent
from engine.datasets.reading.tree import FolderTree
from tests.datasets.volumes import MAX, by_hand, picture, pixels, save, volume


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
def test_the_same_slices_however_the_voxels_are_stored(tmp_path: Path, axis: str):
    """All 48 ways of storing one volume (order and direction of axes) give the same pictures."""
    ras = volume()
    frame = {"axial": 3, "coronal": 5, "sagittal": 1}[axis]
    expected = by_hand(ras, axis, frame)
    for number, (order, flips) in enumerate(
        itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3))
    ):
        stored, affine = np.transpose(ras, order), np.zeros((4, 4))
        affine[3, 3] = 1
        for position, (canonical, flip) in enumerate(zip(order, flips, strict=True)):
            stored = np.flip(stored, position) if flip < 0 else stored
            affine[canonical, position] = flip
            affine[canonical, 3] = 0 if flip > 0 else ras.shape[canonical] - 1
        path = save(tmp_path / f"{number}.nii", np.ascontiguousarray(stored), affine)
        assert picture(path, axis=axis).facts(MAX).frames == {"axial": 5, "coronal": 7, "sagittal": 6}[axis]
        assert np.array_equal(pixels(path, frame, axis=axis), expected), (order, flips)


def test_left_is_right_and_front_is_up(tmp_path: Path):
    """NIfTI's x grows to the patient's right, y to the front; this file stores x the other way round (LAS)."""
    voxels = np.zeros((8, 8, 3), np.int16)
    affine = np.diag([-1.0, 1, 1, 1])
    assert nib.aff2axcodes(affine) == ("L", "A", "S")
    voxels[0, 4, 1] = 50  # the patient's right
    voxels[4, 7, 1] = 90  # the front
    seen = pixels(save(tmp_path / "las.nii.gz", voxels, affine), 1)
    assert np.argwhere(seen == 50)[0][1] == 0
    assert np.argwhere(seen == 90)[0][0] == 0


def test_slope_intercept_floats_and_padding(tmp_path: Path):
    stored = nib.Nifti1Image(volume(), np.eye(4))
    stored.header.set_slope_inter(2.5, -1024)
    raw = stored.to_bytes()
    (tmp_path / "scaled.nii").write_bytes(raw)
    header = nib.Nifti1Header.from_fileobj((tmp_path / "scaled.nii").open("rb"))
    header["scl_slope"], header["scl_inter"] = 2.5, -1024
    (tmp_path / "scaled.nii").write_bytes(header.binaryblock + raw[348:])
    held = np.frombuffer(raw[352:], "<i2").reshape(6, 7, 5, order="F")
    expected = by_hand(held, "axial", 2) * np.float32(2.5) - 1024
    assert np.allclose(pixels(tmp_path / "scaled.nii", 2), expected)

    real = volume().astype(np.float64) / 7
    real[0, 0, 0] = np.nan
    seen = pixels(save(tmp_path / "real.nii", real))
    assert seen.dtype == np.float32
    assert np.isnan(seen[-1, -1])
    assert np.isnan(seen).sum() == 1


def test_depth_windows_and_colour(tmp_path: Path):
    path = save(tmp_path / "ct.nii.gz", volume())
    plain, shown = picture(path).facts(MAX), picture(path, window=(40, 81)).facts(MAX)
    assert (plain.deep, shown.deep, plain.bits, plain.mode, plain.width, plain.height) == (
        True,
        False,
        16,
        "int16",
        6,
        7,
    )
    assert picture(path, window=(40, 81)).decode(MAX).window == (-0.5, 79.5)

    small = volume().astype(np.uint8)
    path = save(tmp_path / "small.nii", small)
    assert not picture(path).facts(MAX).deep
    assert pixels(path, 2).dtype == np.uint8

    rgb = np.random.default_rng(0).integers(0, 256, (4, 5, 3, 3), dtype=np.uint8)
    packed = np.ascontiguousarray(rgb).view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
    path = save(tmp_path / "rgb.nii", packed)
    assert picture(path).facts(MAX).mode == "RGB"
    assert np.array_equal(pixels(path, 1), rgb[::-1, ::-1, 1].transpose(1, 0, 2))


def test_flat_voxels_become_square_pixels(tmp_path: Path):
    """Slices of 4 mm with pixels of 1 mm: a cut along them is stretched to as many rows as it is millimetres high."""
    ras = np.zeros((8, 9, 5), np.float32)
    ras[:, :, 3:] = 100
    ras[0] = np.nan
    path = save(tmp_path / "flat.nii.gz", ras, np.diag([1.0, 1, 4, 1]))
    facts = picture(path, axis="coronal").facts(MAX)
    assert (facts.width, facts.height, facts.frames) == (8, 20, 9)
    seen = pixels(path, 4, axis="coronal")
    assert seen.shape == (20, 8)
    assert np.isnan(seen[:, -1]).all()  # the patient's left-most column, on the right of the picture
    assert not np.isnan(seen[:, :-1]).any()
    assert (seen[:6, :-1] == 100).all()
    assert (seen[-10:, :-1] == 0).all()
    assert picture(path).facts(MAX).width == 8  # axial pixels are square already


def test_what_is_no_plain_volume(tmp_path: Path):
    series = volume(shape=(6, 7, 5, 3))
    path = save(tmp_path / "series.nii.gz", series)
    facts = picture(path).facts(MAX)
    assert facts.frames == 5
    assert "first is used" in facts.remarks[0]
    assert np.array_equal(pixels(path, 2), by_hand(series[..., 0], "axial", 2))

    single = save(tmp_path / "single.nii", volume(shape=(6, 7)))
    assert picture(single, axis="coronal").facts(MAX).frames == 1
    assert np.array_equal(pixels(single, axis="coronal"), by_hand(volume(shape=(6, 7))[..., None], "axial", 0))

    unplaced = nib.Nifti1Image(volume(), None)
    nib.save(unplaced, tmp_path / "unplaced.nii")
    assert any("sides may be swapped" in remark for remark in picture(tmp_path / "unplaced.nii").facts(MAX).remarks)

    nib.save(nib.Nifti2Image(volume(), np.eye(4)), tmp_path / "two.nii")
    assert np.array_equal(pixels(tmp_path / "two.nii", 4), by_hand(volume(), "axial", 4))
    big = nib.Nifti1Image(volume().astype(">i2"), np.eye(4), nib.Nifti1Header(endianness=">"))
    nib.save(big, tmp_path / "big.nii")
    assert np.array_equal(pixels(tmp_path / "big.nii", 4), by_hand(volume(), "axial", 4))


def test_a_header_beside_its_voxels(tmp_path: Path):
    nib.save(nib.Nifti1Pair(volume(), np.eye(4)), tmp_path / "pair.img")
    assert np.array_equal(pixels(tmp_path / "pair.img", 4), by_hand(volume(), "axial", 4))
    assert other_files(["pair.img", "pair.hdr"], {"pair.img"}) == []
    assert other_files(["lone.hdr"], set()) != []
    (tmp_path / "pair.hdr").write_bytes((tmp_path / "pair.hdr").read_bytes()[:344] + bytes(4))
    with pytest.raises(BadPicture, match=r"Analyze 7\.5"):
        pixels(tmp_path / "pair.img")
    (tmp_path / "pair.hdr").unlink()
    with pytest.raises(BadPicture, match="is not an image"):
        pixels(tmp_path / "pair.img")


def bytes_of(**fields: Any) -> bytes:
    """An uncompressed NIfTI file with fields of the header overwritten."""
    raw = nib.Nifti1Image(volume(), np.eye(4)).to_bytes()
    header = nib.Nifti1Header(raw[:348], check=False)
    for name, value in fields.items():
        header[name] = value
    return header.binaryblock + raw[348:]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"no volume at all" * 99, "is not a NIfTI volume"),
        (gzip.compress(bytes_of())[:200], "truncated or damaged"),
        (gzip.compress(bytes_of())[:-1] + b"!", "truncated or damaged"),
        (bytes_of()[:500], "is truncated (holds 148 of the 420 bytes"),
        (gzip.compress(bytes_of(dim=[3, 30000, 30000, 30000, 1, 1, 1, 1])), "decompression bomb"),
        (gzip.compress(bytes_of(vox_offset=1e13)), "decompression bomb"),
        (bytes_of(dim=[3, -5, 7, 5, 1, 1, 1, 1]), "has the shape [-5, 7, 5]"),
        (bytes_of(dim=[1, 210, 1, 1, 1, 1, 1, 1]), "has the shape [210]"),
        (bytes_of(dim=[5, 6, 7, 5, 1, 3, 1, 1]), "has the shape [6, 7, 5, 1, 3]"),
        (bytes_of(datatype=32, bitpix=64), "has voxels of type complex64"),
        (bytes_of(datatype=77), "is damaged in its header"),
        (bytes_of(srow_x=[0, 1, 0, 0], sform_code=1), "two axes"),
    ],
)
def test_damaged_volumes_are_told(tmp_path: Path, content: bytes, reason: str):
    (tmp_path / "bad.nii.gz").write_bytes(content)
    with pytest.raises(BadPicture) as caught:
        pixels(tmp_path / "bad.nii.gz")
    assert reason in str(caught.value)


def test_too_many_pixels_in_a_slice(tmp_path: Path):
    with pytest.raises(BadPicture, match="max_pixels"):
        picture(save(tmp_path / "a.nii.gz", volume())).facts(41)


class CountingTree(FolderTree):
    """Counts how often each file is opened."""

    def __init__(self, path: Path):
        super().__init__(path)
        self.opened: Counter[str] = Counter()

    def open(self, name: str) -> BinaryIO:
        self.opened[name] += 1
        return super().open(name)


def test_slice_after_slice_reads_a_volume_once(tmp_path: Path):
    for name in "ab":
        save(tmp_path / f"{name}.nii.gz", volume())
    tree = CountingTree(tmp_path)
    for name in ("a.nii.gz", "b.nii.gz"):
        for frame in range(5):
            FilePicture(tree, name).of_frame(frame).decode(MAX)
    assert tree.opened == {"a.nii.gz": 2, "b.nii.gz": 2}  # the header, then the voxels


def test_what_is_kept_is_bounded():
    kept = Recent(kept_bytes=100)
    loads: list[str] = []

    def get(key: str, size: int) -> str:
        return kept.get(key, lambda: loads.append(key) or key, lambda _: size)

    for key in "abab":
        get(key, 40)
    assert loads == ["a", "b"]
    get("c", 40)  # drops a, the one used longest ago
    assert kept.bytes == 80
    get("b", 40)
    get("a", 40)
    assert loads == ["a", "b", "c", "a"]
    get("large", 1000)
    assert kept.bytes == 1000  # alone
    get("a", 40)
    assert kept.bytes == 40


def test_threads_share_one_read():
    kept, loads, start = Recent(), [], threading.Barrier(8)

    def get(_: int) -> str:
        start.wait()
        return kept.get("a", lambda: loads.append(1) or time.sleep(0.01) or "volume", len)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(get, range(8))) == ["volume"] * 8
    assert len(loads) == 1


def test_a_failed_read_is_not_kept():
    kept = Recent()
    with pytest.raises(BadPicture):
        kept.get("a", lambda: (_ for _ in ()).throw(BadPicture("is damaged")), lambda _: 1)
    assert kept.get("a", lambda: 5, lambda _: 1) == 5


def test_a_volume_larger_than_memory_allows_is_refused_by_its_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = save(tmp_path / "a.nii.gz", volume())
    monkeypatch.setattr(nifti, "MAX_BYTES", 419)
    with pytest.raises(BadPicture, match="decompression bomb"):
        picture(path).facts(MAX)
