"""Pages of TIFF files and frames of animations: what counts as one, and how it looks."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from engine.datasets.reading.items import BadPicture
from engine.datasets.reading.pictures.files import FilePicture
from engine.datasets.reading.recent import RecentTree
from engine.datasets.reading.tree import FolderTree, ZipTree
from tests.datasets.volumes import MAX, picture, pixels


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
