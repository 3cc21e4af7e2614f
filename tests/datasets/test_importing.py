"""Whole imports: what is stored, what is refused, and that a refusal leaves nothing behind."""

from __future__ import annotations

import errno
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.configs import ImportConfig
from engine.datasets import importing
from engine.datasets.dataset import Dataset
from engine.datasets.importing import import_dataset
from engine.datasets.watched import ImportStopped
from engine.store import versioned
from engine.store.errors import ErsatzError
from engine.store.hashing import sha256_pixels
from engine.store.home import Home
from engine.store.progress import Progress

Make = Callable[..., Path]
Config = Callable[..., ImportConfig]
Refused = Callable[..., str]


@pytest.fixture
def source(make_tree: Make) -> Path:
    return make_tree({"a": 8, "b": 8})


def png_header(width: int, height: int) -> bytes:
    """A PNG that says how large it is and then holds one row of zeros."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(width + 1)))
        + chunk(b"IEND", b"")
    )


def test_manifest_tells_sources_and_stored_images(home: Home, source: Path, config: Config):
    dataset = import_dataset(home, config(source))
    manifest = dataset.manifest
    assert list(manifest.columns[:12]) == [
        "path", "class", "split", "group", "sha256", "phash", "width", "height", "mode", "bits", "source", "excluded",
    ]  # fmt: skip
    first = manifest.iloc[0]
    assert first["path"] == "images/a/00000.png"
    assert (first["width"], first["height"], first["mode"], first["bits"]) == (24, 24, "L", 8)
    with Image.open(dataset.path / first["path"]) as image:
        assert (image.size, image.mode) == ((16, 16), "L")
        assert sha256_pixels(np.asarray(image)) == first["sha256"]
    assert len(first["phash"]) == 16
    assert set(manifest["split"]) == {"train", "valid", "test"}
    assert json.loads((dataset.path / "dataset.json").read_text())["config"]["source"] == str(source)


def test_same_import_gives_the_same_fingerprint(home: Home, source: Path, config: Config):
    one, two = (import_dataset(home, config(source, name=name)) for name in ("one", "two"))
    other = import_dataset(home, config(source, name="other", seed=1))
    assert one.fingerprint == two.fingerprint != other.fingerprint


def test_mixed_sizes_and_modes_are_accepted_and_recorded(home: Home, source: Path, config: Config, blobs):
    Image.fromarray(blobs(100, size=30)).convert("RGBA").save(source / "a" / "rgba.png")
    Image.fromarray(blobs(101, size=36)).convert("P").save(source / "a" / "palette.gif")
    Image.fromarray(blobs(102, channels=3)).convert("CMYK").save(source / "b" / "cmyk.jpg")
    Image.fromarray(blobs(103) > 128).save(source / "b" / "bits.bmp")
    dataset = import_dataset(home, config(source))
    manifest = dataset.manifest.set_index("source")
    assert manifest.loc["a/rgba.png", ["width", "mode"]].tolist() == [30, "RGBA"]
    assert manifest.loc["b/cmyk.jpg", "mode"] == "CMYK"
    assert manifest.loc["b/bits.bmp", ["mode", "bits"]].tolist() == ["1", 1]
    assert dataset.info.provenance.modes["L"] == 16
    assert dataset.mode == "RGB"  # the CMYK picture has colour, so all are stored in RGB
    assert dataset.info.provenance.colour_images == 1
    pixels = dataset.pixels(dataset.manifest)
    assert pixels.shape == (20, 16, 16, 3)
    assert [sha256_pixels(image) for image in pixels] == list(dataset.manifest["sha256"])


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_mode_auto_stores_what_asking_for_its_mode_stores(home: Home, source: Path, config: Config, blobs, mode: str):
    colour = (
        blobs(100, channels=3)
        if mode == "RGB"
        else np.repeat(blobs(100)[..., None], 3, axis=2) + np.array([0, 1, 0], np.uint8)
    )
    Image.fromarray(colour.astype(np.uint8)).save(source / "a" / "colour.png")
    auto = import_dataset(home, config(source))
    asked = import_dataset(home, config(source, name="asked", mode=mode))
    assert auto.mode == mode
    assert list(auto.manifest["sha256"]) == list(asked.manifest["sha256"])


def test_16_bit_and_float_images_share_one_recorded_range(home: Home, tmp_path: Path, config: Config, blobs):
    for number in range(12):
        path = tmp_path / "deep" / "ab"[number % 2] / str(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        values = blobs(number).astype(np.float32) * 4000 / 255  # 12 bits used of 16
        if number % 2:
            Image.fromarray(values).save(path.with_suffix(".tiff"))
        else:
            Image.fromarray(values.astype(np.uint16)).save(path.with_suffix(".png"))
    dataset = import_dataset(home, config(tmp_path / "deep", size=32, resize="stretch"))
    assert dataset.info.provenance.preprocessing["depth"] == {"black": 0.0, "white": 4095.0}
    assert sorted(dataset.manifest["bits"].unique()) == [16, 32]
    brightest = dataset.pixels(dataset.manifest).max()
    assert 245 <= brightest <= 255


def test_exif_and_several_frames(home: Home, source: Path, config: Config, blobs):
    frames = [Image.fromarray(blobs(200)), Image.fromarray(blobs(201))]
    frames[0].save(source / "a" / "stack.tiff", save_all=True, append_images=frames[1:])
    dataset = import_dataset(home, config(source, frames="first"))
    assert "1 files hold several frames, pages or slices, 2 in all; the first of each is taken" in " ".join(
        dataset.info.provenance.notes
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty (0 bytes)"),
        (b"GIF? no, this is text" * 10, "is not an image"),
        (png_header(30000, 30000), "decompression bomb"),
        (png_header(9000, 9000), "more than max_pixels = 64000000"),
        (png_header(0, 5), "damaged"),
        (png_header(40, 40).replace(b"IDATx", b"IDAT?"), "is truncated or damaged"),
    ],
)
def test_bad_picture_is_refused(source: Path, refused: Refused, content: bytes, reason: str):
    (source / "b" / "bad.png").write_bytes(content)
    refused(source, "1 of 17 images", "b/bad.png", reason, "repair or remove")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tiff", ".bmp", ".gif", ".webp"])
def test_truncated_picture_is_refused(source: Path, refused: Refused, suffix: str):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = source / "a" / f"cut{suffix}"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused(source, "1 of 17 images", f"a/cut{suffix}")


def test_many_bad_pictures_are_counted_and_the_first_named(source: Path, refused: Refused):
    for number in range(5):
        (source / "a" / f"bad{number}.png").write_bytes(b"")
    sentence = refused(source, "5 of 21 images", "a/bad0.png", "and 2 more")
    assert "bad4" not in sentence


def test_postscript_is_never_run(source: Path, refused: Refused):
    (source / "a" / "script.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nquit\n")
    refused(source, "a/script.png is not an image")


def test_name_taken_and_bad_names_are_refused(home: Home, source: Path, config: Config):
    first = import_dataset(home, config(source))
    with pytest.raises(ErsatzError, match="There is a data set set already"):
        import_dataset(home, config(source))
    assert Dataset.open(home, "set").fingerprint == first.fingerprint
    for name in ("../up", "", ".hidden", "a/b"):
        with pytest.raises(ErsatzError, match="cannot be the name of a data set"):
            import_dataset(home, config(source, name=name))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_leaves_nothing(home, source, config, monkeypatch, left_behind, number: int):
    saved = Image.Image.save
    calls = []

    def save(self: Image.Image, *args: object, **kwargs: object) -> None:
        calls.append(args)
        if len(calls) > 5:
            raise OSError(number, "No space left on device")
        saved(self, *args, **kwargs)

    monkeypatch.setattr(Image.Image, "save", save)
    with pytest.raises(ErsatzError, match=r"is full.*Free some space"):
        import_dataset(home, config(source))
    assert left_behind(home) == []


def test_full_disk_at_the_last_file_leaves_nothing(home, source, config, monkeypatch, left_behind):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(versioned, "write_json", full)
    with pytest.raises(ErsatzError, match="is full"):
        import_dataset(home, config(source))
    assert left_behind(home) == []


def test_any_bug_leaves_nothing(home, source, config, monkeypatch, left_behind):
    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(importing, "settle", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        import_dataset(home, config(source))
    assert left_behind(home) == []


def test_stop_is_honoured_in_every_stage(home: Home, source: Path, config: Config, left_behind):
    for stage in ("look at files", "import"):
        seen: list[Progress] = []
        with pytest.raises(ImportStopped, match="nothing was written"):
            import_dataset(
                home, config(source), seen.append, lambda seen=seen, stage=stage: seen and seen[-1].stage == stage
            )
        assert left_behind(home) == []


def test_progress_counts_images(home: Home, source: Path, config: Config):
    seen: list[Progress] = []
    import_dataset(home, config(source), seen.append)
    last = {progress.stage: progress for progress in seen}
    assert last["import"] == Progress("import", 16, 16, "images")
    searched = ["look at pictures", "look for near copies"]
    assert list(last) == ["look at files", "import", *searched, "audit and split"]


def test_leak_leaves_the_split_open_and_says_why(home: Home, make_tree: Make, config: Config):
    source = make_tree({"train/a": 8, "train/b": 8, "test/a": 3, "test/b": 3})
    (source / "test" / "a" / "copy.png").write_bytes((source / "train" / "a" / "000.png").read_bytes())
    dataset = import_dataset(home, config(source))
    assert not dataset.frozen
    assert "different splits" in dataset.info.not_frozen
    assert "drop-copies" in dataset.info.not_frozen
    with pytest.raises(ErsatzError, match=r"not frozen.*different splits"):
        dataset.require_frozen()


def test_remedies_of_the_config_mend_before_the_freeze(home: Home, make_tree: Make, config: Config):
    source = make_tree({"train/a": 8, "train/b": 8, "test/a": 3, "test/b": 3})
    (source / "test" / "a" / "copy.png").write_bytes((source / "train" / "a" / "000.png").read_bytes())
    dataset = import_dataset(home, config(source, remedies=["drop-copies"]))
    assert dataset.frozen
    assert dataset.manifest["excluded"].value_counts().to_dict() == {"": 22, "drop-copies": 1}
    assert dataset.info.audit.found[0]["name"] == "exact-copies-across-splits"
    assert len(dataset.rows()) == 22


def test_freeze_false_leaves_the_split_open(home: Home, source: Path, config: Config):
    dataset = import_dataset(home, config(source, freeze=False))
    assert not dataset.frozen
    assert dataset.info.not_frozen


@pytest.mark.slow
def test_phantom(home: Home):
    dataset = import_dataset(home, ImportConfig(name="phantom", layout="phantom", size=64, mode="L"))
    assert dataset.is_phantom
    assert "no real patients" in dataset.label
    assert dataset.classes == ["bleed", "normal"]
    assert len(dataset.manifest) >= 240
    assert (dataset.manifest["group"] != "").all()


def test_unusable_files_are_left_out_where_that_is_asked_for(
    home: Home, config: Callable[..., ImportConfig], make_tree: Callable[..., Path]
) -> None:
    source = make_tree({"a": 8, "b": 8})
    (source / "b" / "empty.png").touch()
    (source / "b" / "cut.png").write_bytes((source / "b" / "000.png").read_bytes()[:-40])
    dataset = import_dataset(home, config(source, skip_unreadable=True))
    assert len(dataset.manifest) == 16
    assert dataset.pixels(dataset.manifest).shape == (16, 16, 16, 1)
    assert dataset.info.provenance.left_out.keys() == {"b/cut.png", "b/empty.png"}
    assert any("2 files cannot be used and were left out" in note for note in dataset.info.provenance.notes)
    for path in source.glob("*/*.png"):
        path.write_bytes(b"")
    with pytest.raises(ErsatzError, match="18 of 18 images cannot be used"):
        import_dataset(home, config(source, name="other", skip_unreadable=True))
