"""Volumes and files of several frames: which are taken, what they are called, and whose they are."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.configs import ImportConfig
from engine.datasets.dataset_info import DatasetInfo
from engine.datasets.frames import cut, expand
from engine.datasets.header_groups import groups_of
from engine.datasets.importing import import_dataset
from engine.datasets.looking import look, named
from engine.datasets.previewing import preview
from engine.datasets.reading.items import Decoded, Facts, Item
from engine.datasets.reading.pictures.files import FilePicture, is_picture, stem
from engine.datasets.reading.questions import Question
from engine.datasets.reading.source import open_source
from engine.datasets.reading.tree import FolderTree
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.progress import never, silent
from tests.datasets.volumes import MAX, save, volume

Config = Callable[..., ImportConfig]
Refused = Callable[..., str]


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
    groups = groups_of(found.items, found.facts, ImportConfig.build({"name": "set", "source": "there"})).names(b"salt")
    in_series = {group for item, group in zip(found.items, groups, strict=True) if item in kept}
    assert len(in_series) == 1 and in_series != {""}
    assert {group for item, group in zip(found.items, groups, strict=True) if item not in kept} == {""}
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
