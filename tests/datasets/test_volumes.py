"""Volumes, multi-page TIFF and animations: which frames are taken, how they look, and whose they are."""

from __future__ import annotations

import gzip
import itertools
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np
import pytest
import tifffile
from PIL import Image

from engine.configs import ImportConfig
from engine.datasets.dataset_info import DatasetInfo
from engine.datasets.frames import cut, expand
from engine.datasets.importing import import_dataset, look, named
from engine.datasets.previewing import preview
from engine.datasets.reading import nifti
from engine.datasets.reading.folder import other_files
from engine.datasets.reading.items import BadPicture, Decoded, Facts, Item
from engine.datasets.reading.pictures import FilePicture, is_picture, stem
from engine.datasets.reading.questions import Question
from engine.datasets.reading.recent import Recent, RecentTree
from engine.datasets.reading.source import open_source
from engine.datasets.reading.tree import FolderTree, ZipTree
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.progress import never, silent

Config = Callable[..., ImportConfig]
Refused = Callable[..., str]
MAX = 10**6


def volume(seed: int = 0, shape: Sequence[int] = (6, 7, 5)) -> np.ndarray:
    """Random int16 `[x left to right, y back to front, z foot to head]`."""
    return np.random.default_rng(seed).integers(-1000, 1000, shape).astype(np.int16)


def save(path: Path, voxels: np.ndarray, affine: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(voxels, np.eye(4) if affine is None else affine), path)
    return path


def picture(path: Path, **settings: Any) -> FilePicture:
    return FilePicture(FolderTree(path.parent), path.name, **settings)


def pixels(path: Path, frame: int = 0, **settings: Any) -> np.ndarray:
    return picture(path, **settings).of_frame(frame).decode(MAX).pixels


def by_hand(ras: np.ndarray, axis: str, frame: int) -> np.ndarray:
    """The slice as a radiologist sees it, pixel by pixel: the patient's right, or the front, on the left."""
    last = [length - 1 for length in ras.shape]
    width, height = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}[axis]
    seen = np.empty((ras.shape[height], ras.shape[width]), np.float32)
    for row, column in np.ndindex(seen.shape):
        at = {
            "axial": (last[0] - column, last[1] - row, frame),
            "coronal": (last[0] - column, frame, last[2] - row),
            "sagittal": (frame, last[1] - column, last[2] - row),
        }[axis]
        seen[row, column] = ras[at]
    return seen


@pytest.fixture
def patients(tmp_path: Path, blobs) -> Callable[..., Path]:
    """Two classes of volumes of four slices, unlike each other, one `.nii.gz` a patient."""

    def make(count: int = 5, slices: int = 4, ending: str = ".nii.gz") -> Path:
        for number in range(2 * count):
            stack = np.stack([blobs(number * 50 + z).astype(np.int16) * 4 for z in range(slices)], axis=2)
            save(tmp_path / "ct" / "ab"[number % 2] / f"p{number}{ending}", stack)
        return tmp_path / "ct"

    return make


@pytest.fixture
def taken(home: Home, config: Config) -> Callable[..., tuple[dict[str, list[int]], str]]:
    """Frames that are taken by file, from 1, and the notes, of a source as an import looks at it."""

    def look_at(source: Path, **settings: Any) -> tuple[dict[str, list[int]], str]:
        chosen = config(source, **settings)
        with open_source(chosen, home.cache) as reading:
            naming, _, problems = look(named(reading, chosen), chosen, silent, never)
        assert not problems
        frames: dict[str, list[int]] = {}
        for item in naming.items:
            file, _, frame = item.source.partition("#frame-")
            frames.setdefault(file, []).append(int(frame))
        return frames, " ".join(naming.notes)

    return look_at


def notes(info: DatasetInfo) -> str:
    return " ".join(info.provenance.notes)


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


def test_frames_in_a_zip_unpack_their_file_once(tmp_path: Path, blobs, monkeypatch: pytest.MonkeyPatch):
    frames = [Image.fromarray(blobs(seed)) for seed in range(6)]
    frames[0].save(tmp_path / "a.tiff", save_all=True, append_images=frames[1:])
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "a.tiff", "a.tiff")
    tree = ZipTree(tmp_path / "a.zip")
    reads = []
    unpack = ZipTree.open
    monkeypatch.setattr(ZipTree, "open", lambda self, name: reads.append(name) or unpack(self, name))
    for frame in range(6):
        seen = FilePicture(tree, "a.tiff").of_frame(frame).decode(MAX).pixels
        assert np.array_equal(seen, blobs(frame))
    assert reads == ["a.tiff"]
    assert isinstance(FilePicture(tree, "a.tiff").of_frame(2).tree, RecentTree)


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


def test_several_frames_are_asked_about(home: Home, patients, config: Config, make_tree):
    source = patients()
    with pytest.raises(Question) as caught:
        import_dataset(home, config(source))
    question = caught.value
    assert "10 of 10 files hold several frames, pages or slices, 40 in all" in question.found
    assert [option.settings["frames"] for option in question.options] == ["first", "middle", "all"]
    assert "40 pictures" in question.options[2].text
    with pytest.raises(Question):
        preview(config(source), home)
    import_dataset(home, config(make_tree({"a": 5, "b": 5}), name="plain"))  # where nothing is open, nothing is asked


def test_every_is_suggested_for_long_stacks(patients, config: Config, home: Home):
    with pytest.raises(Question) as caught:
        preview(config(patients(count=2, slices=60)), home)
    last = caught.value.options[-1]
    assert last.settings == {"frames": "all", "every": 4}
    assert "60 pictures" in last.text
    assert "--frames all --every 4" in str(caught.value)
    assert (
        sum(
            sum(counts.values())
            for counts in preview(config(patients(count=2, slices=60), **last.settings), home).counts.values()
        )
        == 60
    )


def test_one_patient_a_volume(home: Home, patients, config: Config):
    dataset = import_dataset(home, config(patients(), frames="all"))
    manifest = dataset.manifest
    assert len(manifest) == 40
    assert manifest["source"].is_unique
    assert {"a/p0.nii.gz#frame-001", "a/p0.nii.gz#frame-004"} <= set(manifest["source"])
    assert set(manifest["group"]) == {f"{'ab'[n % 2]}/p{n}.nii.gz" for n in range(10)}
    assert manifest.groupby("group")["split"].nunique().max() == 1
    assert manifest["split"].nunique() == 3
    assert "10 files hold several frames, pages or slices, 40 in all; all are taken" in notes(dataset.info)
    assert "each counts as a patient of its own" in notes(dataset.info)


def test_the_stored_images_are_the_slices(home: Home, patients, config: Config, blobs):
    """Voxels 4 b in the window from 0 to 1020 are stored as the picture b, here seen from the feet."""
    dataset = import_dataset(home, config(patients(), frames="all", window=(510, 1021), resize="stretch", size=32))
    row = dataset.manifest[dataset.manifest["source"] == "b/p3.nii.gz#frame-002"]
    seen = dataset.pixels(row)[0, ..., 0].astype(float)
    expected = np.asarray(Image.fromarray(blobs(151)[::-1, ::-1].T.copy()).resize((32, 32), Image.Resampling.LANCZOS))
    assert np.abs(seen - expected).mean() < 1


@pytest.mark.parametrize(
    ("settings", "frames"),
    [
        ({"frames": "first"}, [1]),
        ({"frames": "middle"}, [4]),
        ({"frames": "all"}, [1, 2, 3, 4, 5, 6, 7]),
        ({"frames": "all", "every": 3}, [1, 4, 7]),
        ({"frames": "middle", "every": 3}, [4]),
    ],
)
def test_which_frames_are_taken(patients, taken, settings: dict[str, Any], frames: list[int]):
    found, _ = taken(patients(count=2, slices=7), **settings)
    assert list(found.values()) == [frames] * 4


def marked(path: Path, slices: Sequence[int], shape: Sequence[int] = (24, 24, 4)) -> None:
    mask = np.zeros(shape, np.uint8)
    mask[2, 3, list(slices)] = 1
    save(path, mask)


def test_slices_that_a_mask_marks(patients, taken):
    source = patients()
    for number in range(9):
        marked(source / "ab"[number % 2] / f"p{number}_seg.nii.gz", [1, 3] if number else [])
    found, told = taken(source, frames="all", mask_suffix="_seg")
    assert "a/p0.nii.gz" not in found  # nothing of it is marked
    assert found.pop("b/p9.nii.gz") == [1, 2, 3, 4]  # it has no mask
    assert found == {f"{'ab'[number % 2]}/p{number}.nii.gz": [2, 4] for number in range(1, 9)}
    assert "20 slices were left out as the masks (_seg) mark nothing in them" in told
    assert "1 volumes have no mask (such as b/p9.nii.gz)" in told
    assert "Nothing is left of 1 files or series (such as a/p0.nii.gz)" in told


def test_every_counts_the_marked_slices(patients, taken):
    source = patients(count=2, slices=8)
    for number in range(4):
        marked(source / "ab"[number % 2] / f"p{number}_seg.nii.gz", [1, 2, 3, 5], (24, 24, 8))
    found, _ = taken(source, frames="all", every=2, mask_suffix="_seg")
    assert list(found.values()) == [[2, 4]] * 4
    found, _ = taken(source, frames="middle", mask_suffix="_seg")
    assert list(found.values()) == [[4]] * 4


def test_a_mask_of_another_shape(patients, refused: Refused):
    source = patients(count=2)
    marked(source / "a" / "p0_seg.nii.gz", [1], (24, 24, 5))
    refused(
        source,
        "a/p0.nii.gz has the mask p0_seg.nii.gz, which is of another shape (24x24x5)",
        frames="all",
        mask_suffix="_seg",
    )


def test_one_mask_for_all_volumes_of_a_patient(tmp_path: Path, taken):
    """`P_1_seg` is the mask of `P_1_t1` and `P_1_t2`, unless there is a `P_1` of which it is the mask."""
    for number in range(4):
        folder = tmp_path / "mr" / "ab"[number % 2]
        for kind in ("_t1", "_t2"):
            save(folder / f"P_{number}{kind}.nii.gz", volume(number, (24, 24, 4)))
        marked(folder / f"P_{number}_seg.nii.gz", [2])
    save(tmp_path / "mr" / "a" / "P_0.nii.gz", volume(9, (24, 24, 4)))
    found, _ = taken(tmp_path / "mr", frames="all", mask_suffix="_seg")
    own = {"a/P_0.nii.gz": [3], "a/P_0_t1.nii.gz": [1, 2, 3, 4], "a/P_0_t2.nii.gz": [1, 2, 3, 4]}
    assert own.items() <= found.items()
    assert [frames for name, frames in found.items() if name not in own] == [[3]] * 6


def test_masks_of_the_slices_of_a_series(tmp_path: Path):
    """A slice without a mask, where others of its series have one, is not marked; single pictures need no mark."""

    class InFile(FilePicture):
        def facts(self, max_pixels: int) -> Facts:
            return replace(super().facts(max_pixels), series="1.2" if self.name.startswith("IM") else "")

    for name in ("IM0", "IM1", "IM2", "IM3", "single"):
        Image.new("L", (8, 8), 9).save(tmp_path / f"{name}.png")
    for name, value in (("IM0", 0), ("IM2", 255), ("IM3", 1), ("single", 0)):
        Image.new("L", (8, 8), value).save(tmp_path / f"{name}_mask.png")
    tree = FolderTree(tmp_path)
    items = [Item(name, "a", InFile(tree, name)) for name in tree.names]
    config = ImportConfig.build({"name": "set", "source": "there", "mask_suffix": "_mask"})
    images, told = cut(items, config)
    assert told == ["4 files are masks (_mask) and no images."]
    found = expand(images, [item.picture.facts(MAX) for item in images], {"a": "a"}, config, silent, never)
    assert [item.source for item in found.items] == ["IM2.png", "IM3.png", "single.png"]


def test_settings_without_effect_are_told(make_tree, home: Home, config: Config, patients):
    plain = preview(config(make_tree({"a": 4, "b": 4}), every=3), home)
    assert "every = 3 changes nothing" in " ".join(plain.notes)
    volumes = preview(config(patients(), frames="all", mask_suffix="_sge"), home)
    assert "10 volumes have no mask" in " ".join(volumes.notes)
    with pytest.raises(ErsatzError, match="the lower value and then the upper one"):
        config("there", slice_values=(300, -100))


def test_slices_by_their_values(tmp_path: Path, blobs, taken, refused: Refused):
    """At least 1 % of the pixels: 6 of 576 are enough, 5 are not."""
    for number in range(4):
        stack = np.full((24, 24, 3), -1000, np.int16) + blobs(number)[..., None]
        stack[0, :5, 0] = stack[0, :6, 1] = 40
        save(tmp_path / "ct" / "ab"[number % 2] / f"p{number}.nii.gz", stack)
    found, told = taken(tmp_path / "ct", frames="all", slice_values=(0, 80))
    assert list(found.values()) == [[2]] * 4
    assert "8 slices were left out as fewer than 1% of their pixels lie between 0 and 80" in told
    refused(tmp_path / "ct", "no slice is left", "'a'", frames="all", slice_values=(500, 600))


class Slice:
    """A picture in a file of its own, of a series."""

    def __init__(self, series: str, position: float, group: str = "", frames: int = 1):
        self.known = Facts(
            4, 4, "MONOCHROME2", 16, deep=True, frames=frames, series=series, position=position, group=group
        )

    def facts(self, max_pixels: int) -> Facts:
        return self.known

    def decode(self, max_pixels: int) -> Decoded:
        return Decoded(np.full((4, 4), self.known.position, np.float32))

    def of_frame(self, frame: int) -> Slice:
        return self


def expanded(pictures: dict[str, Slice], **settings: Any):
    items = [Item(name, "a", picture) for name, picture in pictures.items()]
    config = ImportConfig.build({"name": "set", "source": "there", **settings})
    return expand(items, [picture.known for picture in pictures.values()], {"a": "a"}, config, silent, never)


def test_every_nth_of_a_series_by_position():
    order = np.random.default_rng(0).permutation(10)
    series = {f"IM{number}": Slice("1.2.3", position) for number, position in enumerate(order)}
    others = {"x": Slice("", 0), "y": Slice("4.5", 0), "z": Slice("", 0)}
    found = expanded({**series, **others}, every=4)
    kept = [item for item in found.items if item.source.startswith("IM")]
    assert {series[item.source].known.position for item in kept} == {0, 4, 8}
    assert [item.source for item in found.items if not item.source.startswith("IM")] == ["x", "y", "z"]
    assert {item.group for item in kept} == {"series 1"}
    assert {item.group for item in found.items} == {"series 1", ""}
    assert "3 of 10 slices" in " ".join(found.notes)


def test_a_patient_known_goes_before_file_and_series():
    named = {"a": Slice("1.2", 0, "P1"), "b": Slice("1.2", 1, "P1"), "c": Slice("", 0, "P2", frames=3)}
    found = expanded(named, frames="all")
    assert {item.group for item in found.items} == {""}  # the facts of each name the patient
    assert [facts.group for facts in found.facts] == ["P1", "P1", "P2", "P2", "P2"]
    assert not any("patient" in note for note in found.notes)


def test_all_frames_are_as_many_as_the_files_hold():
    rng = np.random.default_rng(3)
    for _ in range(5):
        frames = [*rng.integers(1, 40, rng.integers(1, 8)), 1001]
        pictures = {f"f{number}": Slice("", 0, frames=int(count)) for number, count in enumerate(frames)}
        found = expanded(pictures, frames="all")
        assert len(found.items) == len(found.facts) == sum(frames)
        assert len({item.source for item in found.items}) == sum(frames)
        assert sorted(item.source for item in found.items) == [item.source for item in found.items]  # padded alike
        every = int(rng.integers(2, 9))
        assert len(expanded(pictures, frames="all", every=every).items) == sum(-(-int(n) // every) for n in frames)


def test_pages_of_a_tiff(tmp_path: Path, blobs):
    pages = [blobs(seed) for seed in range(4)]
    with tifffile.TiffWriter(tmp_path / "a.tiff") as file:
        file.write(pages[0], metadata=None, subifds=1)
        file.write(pages[0][::2, ::2].copy(), metadata=None, subfiletype=1)
        for page in pages[1:]:
            file.write(page, metadata=None)
            file.write(page[:12, :12].copy(), metadata=None, subfiletype=1)
    facts = picture(tmp_path / "a.tiff").facts(MAX)
    assert facts.frames == 4
    assert facts.remarks == ()
    assert all(np.array_equal(pixels(tmp_path / "a.tiff", number), page) for number, page in enumerate(pages))


def test_pages_of_other_sizes_are_no_frames(tmp_path: Path, blobs):
    with tifffile.TiffWriter(tmp_path / "a.tiff") as file:
        for page in (blobs(0), blobs(1, size=12), blobs(2)):
            file.write(page, metadata=None)
    facts = picture(tmp_path / "a.tiff").facts(MAX)
    assert facts.frames == 2
    assert "pages of other sizes" in facts.remarks[0]
    assert np.array_equal(pixels(tmp_path / "a.tiff", 1), blobs(2))
    with tifffile.TiffWriter(tmp_path / "b.tiff") as file:
        for page in (blobs(0, size=12), blobs(1)):
            file.write(page, metadata=None, subfiletype=int(len(page) == 12))
    facts = picture(tmp_path / "b.tiff").facts(MAX)
    assert (facts.frames, facts.width) == (1, 24)
    assert np.array_equal(pixels(tmp_path / "b.tiff"), blobs(1))  # a thumbnail in front is not the picture


@pytest.mark.parametrize("kind", ["ome", "imagej"])
def test_stacks_of_several_channels(tmp_path: Path, blobs, kind: str):
    """Depths are frames; of the channels the first is used."""
    stack = np.stack([np.stack([blobs(10 * z + c) for c in range(2)]) for z in range(5)])
    path = tmp_path / ("a.ome.tiff" if kind == "ome" else "a.tiff")
    tifffile.imwrite(path, stack, imagej=kind == "imagej", metadata={"axes": "ZCYX"}, photometric="minisblack")
    facts = picture(path).facts(MAX)
    assert facts.frames == 5
    assert "several channels" in facts.remarks[0]
    assert all(np.array_equal(pixels(path, z), stack[z, 0]) for z in range(5))


def test_a_stack_of_nothing_but_channels(tmp_path: Path, blobs):
    """Slices are often saved so by accident; which to take is then asked."""
    stack = np.stack([blobs(c) for c in range(5)])
    tifffile.imwrite(tmp_path / "a.ome.tif", stack, metadata={"axes": "CYX"}, photometric="minisblack")
    facts = picture(tmp_path / "a.ome.tif").facts(MAX)
    assert facts.frames == 5
    assert "single channels" in facts.remarks[0]
    assert np.array_equal(pixels(tmp_path / "a.ome.tif", 4), blobs(4))


def test_a_stack_under_one_directory(tmp_path: Path, blobs):
    stack = np.stack([blobs(z) for z in range(5)])
    tifffile.imwrite(tmp_path / "a.tiff", stack, imagej=True, truncate=True)
    tifffile.imwrite(tmp_path / "b.tiff", stack, truncate=True, photometric="minisblack")
    for name in ("a.tiff", "b.tiff"):
        with pytest.raises(BadPicture, match="holds 5 pages under the directory of one"):
            picture(tmp_path / name).facts(MAX)


@pytest.mark.parametrize("ending", ["gif", "webp", "png", "tiff"])
def test_frames_of_animations(tmp_path: Path, blobs, ending: str):
    frames = [Image.fromarray(blobs(seed) // 2 + 60) for seed in range(5)]
    path = tmp_path / f"a.{ending}"
    extra = {"lossless": True} if ending == "webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], **extra)
    assert picture(path).facts(MAX).frames == 5
    tree = FolderTree(tmp_path)
    for number in (3, 0, 4, 1, 2):
        seen = FilePicture(tree, path.name).of_frame(number).decode(MAX).pixels
        assert np.array_equal(seen, np.asarray(frames[number])), number


def test_the_second_picture_of_a_jpeg_is_no_frame(tmp_path: Path, blobs):
    one, other = (Image.fromarray(blobs(seed)) for seed in range(2))
    one.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[other])
    assert Image.open(tmp_path / "a.jpg").n_frames == 2
    assert picture(tmp_path / "a.jpg").facts(MAX).frames == 1


def test_names_of_volumes(home: Home, patients, config: Config):
    assert all(map(is_picture, ("a.nii", "A.NII.GZ", "a.b.nii.gz", "x.img")))
    assert not any(map(is_picture, ("a.gz", "a.tar.gz", "nii", "a.json")))
    assert [stem(name) for name in ("f/a.nii.gz", "a.b.nii", "a.png", "a")] == ["a", "a.b", "a", "a"]
    source = patients()
    rows = [f"p{number},{'xy'[number % 2]}" for number in range(10)]
    (source / "labels.csv").write_text("id,label\n" + "\n".join(rows))
    dataset = import_dataset(home, config(source, layout="csv", frames="middle"))
    assert set(dataset.manifest["class"]) == {"x", "y"}


def test_volumes_in_a_zip(home: Home, patients, config: Config, tmp_path: Path):
    source = patients()
    with zipfile.ZipFile(tmp_path / "ct.zip", "w") as archive:
        for path in sorted(source.rglob("*.nii.gz")):
            archive.write(path, path.relative_to(source))
    packed = import_dataset(home, config(tmp_path / "ct.zip", frames="all"))
    plain = import_dataset(home, config(source, frames="all", name="plain"))
    assert list(packed.manifest["sha256"]) == list(plain.manifest["sha256"])


def test_a_damaged_volume_stops_the_import_or_is_left_out(home: Home, patients, config: Config, refused: Refused):
    source = patients()
    whole = (source / "a" / "p0.nii.gz").read_bytes()
    (source / "a" / "p0.nii.gz").write_bytes(whole[: len(whole) // 2])
    refused(source, "a/p0.nii.gz#frame-001 is truncated or damaged", frames="all")
    dataset = import_dataset(home, config(source, frames="all", skip_unreadable=True))
    assert len(dataset.manifest) == 36


def test_a_volume_larger_than_memory_allows_is_refused_by_its_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = save(tmp_path / "a.nii.gz", volume())
    monkeypatch.setattr(nifti, "MAX_BYTES", 419)
    with pytest.raises(BadPicture, match="decompression bomb"):
        picture(path).facts(MAX)
