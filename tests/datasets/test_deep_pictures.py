"""Picture files of every depth: all levels arrive, as the decoder of their format gives them."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from engine.configs import ImportConfig
from engine.datasets import previewing
from engine.datasets.importing import import_dataset
from engine.datasets.previewing import preview
from engine.datasets.reading.items import BadPicture, Decoded, Facts
from engine.datasets.reading.pictures.files import ArrayPicture, FilePicture
from engine.datasets.reading.tree import FolderTree
from engine.store.home import Home
from tests.datasets.heic import heic

Config = Callable[..., ImportConfig]
Refused = Callable[..., str]
MAX = 10_000


def noise(high: int, *shape: int, seed: int = 0, dtype: Any = np.uint16) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, high + 1, shape).astype(dtype)


def read(tmp_path: Path, name: str, content: bytes) -> tuple[Facts, Decoded]:
    (tmp_path / name).write_bytes(content)
    picture = FilePicture(FolderTree(tmp_path), name)
    return picture.facts(MAX), picture.decode(MAX)


def tiff(array: np.ndarray, **how: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, array, **how)
    return file.getvalue()


@pytest.mark.parametrize(
    "dtype", ["uint16", "int16", "uint32", "int32", "uint64", "float16", "float32", "float64", "int8"]
)
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"byteorder": ">"},
        {"bigtiff": True},
        {"compression": "lzw", "predictor": True},
        {"compression": "deflate", "tile": (16, 16)},
        {"compression": "zstd"},
    ],
)
def test_grey_tiff_of_every_type(tmp_path: Path, dtype: str, how: dict[str, Any]) -> None:
    kind = np.dtype(dtype)
    low, high = (-100, 120) if kind == np.int8 else (0, 2000) if kind.kind == "u" else (-1000, 1000)
    array = np.random.default_rng(0).integers(low, high, (24, 30)).astype(kind)
    if kind.itemsize > 3 and kind.kind == "u":
        array += 2**31
    if how.get("predictor") and (kind.itemsize == 8 or kind == np.float16):
        how = {"compression": "lzw"}
    facts, decoded = read(tmp_path, "a.tif", tiff(array, photometric="minisblack", **how))
    assert (facts.width, facts.height, facts.bits, facts.deep) == (30, 24, kind.itemsize * 8, True)
    assert np.array_equal(decoded.pixels, array.astype(np.float64))


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("dtype", ["uint16", "float32", "uint8"])
def test_colour_tiff(tmp_path: Path, planar: str, dtype: str) -> None:
    array = noise(4095 if dtype != "uint8" else 255, 20, 30, 3, dtype=dtype)
    stored = np.moveaxis(array, 2, 0) if planar == "separate" else array
    facts, decoded = read(tmp_path, "a.tif", tiff(stored, photometric="rgb", planarconfig=planar))
    assert (facts.mode, facts.deep) == ("RGB", dtype != "uint8")
    assert np.array_equal(decoded.pixels, array)


def test_jpeg_compressed_and_other_8_bit_tiff_as_tifffile_reads_them(tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(32), np.arange(32)).astype(np.uint8) * 4
    for number, compression in enumerate(("jpeg", "zstd", "jpeg2000")):
        content = tiff(smooth, photometric="minisblack", compression=compression)
        facts, decoded = read(tmp_path, f"{number}.tif", content)
        assert (facts.bits, facts.deep) == (8, False)
        assert np.array_equal(decoded.pixels, tifffile.imread(io.BytesIO(content)))


def test_white_is_zero(tmp_path: Path) -> None:
    deep, eight = noise(4095, 8, 8), noise(255, 8, 8, dtype=np.uint8)
    _, decoded = read(tmp_path, "a.tif", tiff(deep, photometric="miniswhite"))
    assert decoded.inverted
    assert np.array_equal(decoded.pixels, deep)
    for number, how in enumerate(({}, {"compression": "zstd"})):
        _, decoded = read(tmp_path, f"{number}.tif", tiff(eight, photometric="miniswhite", **how))
        assert np.array_equal(decoded.pixels, 255 - eight)


def test_packed_12_bits_and_orientation_and_no_data(tmp_path: Path) -> None:
    array = noise(4095, 8, 12)
    content = tiff(array, photometric="minisblack", extratags=[(274, "H", 1, 6, True), (42113, "s", 0, "7", True)])
    array.flat[3] = 7
    content = tiff(array, photometric="minisblack", extratags=[(274, "H", 1, 6, True), (42113, "s", 0, "7", True)])
    _, decoded = read(tmp_path, "a.tif", content)
    expected = np.rot90(np.where(array == 7, np.nan, array.astype(float)), -1)
    assert np.array_equal(decoded.pixels, expected, equal_nan=True)
    packed = np.packbits(
        np.unpackbits(array.astype(">u2").view(np.uint8).reshape(8, 12, 2), axis=2)[..., 4:], axis=None
    )
    content = bytearray(tiff(np.frombuffer(packed, np.uint8).reshape(8, 18), photometric="minisblack"))
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        tags = file.pages[0].tags
        for name, value in (("ImageWidth", 12), ("BitsPerSample", 12)):
            struct.pack_into("<H", content, tags[name].valueoffset, value)
    facts, decoded = read(tmp_path, "b.tif", bytes(content))
    assert (facts.width, facts.bits, facts.deep) == (12, 12, True)
    assert np.array_equal(decoded.pixels, array)


def test_samples_beyond_colour(tmp_path: Path) -> None:
    five = noise(4095, 8, 8, 5)
    facts, decoded = read(tmp_path, "rgb.tif", tiff(five, photometric="rgb"))
    assert np.array_equal(decoded.pixels, five[..., :3])
    assert "beyond grey or colour" in facts.remarks[0]
    facts, _ = read(tmp_path, "rgb8.tif", tiff(five.astype(np.uint8), photometric="rgb"))
    assert "beyond grey or colour" in facts.remarks[0]
    for name, array in (("5.tif", five), ("8.tif", five.astype(np.uint8)), ("2.tif", five[..., :2])):
        with pytest.raises(BadPicture, match=f"has {array.shape[2]} channels.*1, 3 or 4"):
            read(tmp_path, name, tiff(array, photometric="minisblack", planarconfig="contig"))
    with pytest.raises(BadPicture, match="complex64; whole or decimal numbers"):
        read(tmp_path, "c.tif", tiff(five[..., 0].astype(np.complex64), photometric="minisblack"))


def test_alpha_of_deep_tiff(tmp_path: Path) -> None:
    array = noise(60000, 8, 8, 4)
    array[..., 3] = 65535
    array[0, 0, 3] = 0
    facts, decoded = read(tmp_path, "a.tif", tiff(array, photometric="rgb", extrasamples=["unassalpha"]))
    assert (facts.mode, facts.remarks) == ("RGBA", ())
    assert np.isnan(decoded.pixels[0, 0]).all()
    assert np.array_equal(decoded.pixels[1:], array[1:, :, :3])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("kind", ["assocalpha", "unassalpha"])
def test_half_transparent_tiff_on_black(tmp_path: Path, dtype: str, kind: str) -> None:
    """Samples with associated alpha were multiplied by it when they were written (TIFF 6.0, ExtraSamples)."""
    full = 1.0 if dtype == "float32" else float(np.iinfo(dtype).max)
    array = (noise(1000, 8, 8, 4) / 1000 * full * 0.4).astype(dtype)
    array[..., 3] = full / 2
    expected = array[..., :3] * (1.0 if kind == "assocalpha" else float(array[0, 0, 3]) / full)
    _, decoded = read(tmp_path, "a.tif", tiff(array, photometric="rgb", extrasamples=[kind], compression="zstd"))
    np.testing.assert_allclose(decoded.pixels, expected, atol=1 if dtype == "uint8" else 0.01)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_16_bit_png(tmp_path: Path, channels: tuple[int, ...]) -> None:
    array = noise(4095, 20, 30, *channels)
    facts, decoded = read(tmp_path, "a.png", bytes(imagecodecs.png_encode(array)))
    assert (facts.width, facts.height, facts.bits, facts.deep) == (30, 20, 16, True)
    assert facts.mode == ("RGB" if channels else "I;16")
    assert np.array_equal(decoded.pixels, array)


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def test_16_bit_png_is_turned_and_has_alpha(tmp_path: Path) -> None:
    array = noise(60000, 6, 8, 2)
    array[..., 1] = 65535
    exif = Image.Exif()
    exif[0x0112] = 8
    plain = bytes(imagecodecs.png_encode(array))
    content = plain[:-12] + chunk(b"eXIf", exif.tobytes()[6:]) + plain[-12:]
    facts, decoded = read(tmp_path, "a.png", content)
    assert facts.mode == "LA"
    assert np.array_equal(decoded.pixels, np.rot90(array[..., 0]))
    with pytest.raises(BadPicture, match="truncated or damaged"):
        read(tmp_path, "cut.png", plain[:-40])


@pytest.mark.parametrize("chunks", [b"zTXt", b"iCCP", b"tEXt"])
def test_png_with_two_megabytes_of_text_or_colour_profile(tmp_path: Path, chunks: bytes) -> None:
    file = io.BytesIO()
    array = noise(255, 8, 8, dtype=np.uint8)
    Image.fromarray(array).save(file, "PNG")
    plain = file.getvalue()
    text = b"a" * 2**21
    content = chunk(chunks, b"name\0" + (text if chunks == b"tEXt" else b"\0" + zlib.compress(text)))
    _, decoded = read(tmp_path, "a.png", plain[:33] + content + plain[33:])
    assert np.array_equal(decoded.pixels, array)
    if chunks == b"zTXt":
        bomb = chunk(chunks, b"name\0\0" + zlib.compress(bytes(2**26 + 1), 1))
        with pytest.raises(BadPicture, match="too large"):
            read(tmp_path, "bomb.png", plain[:33] + bomb + plain[33:])


@pytest.mark.parametrize("shape", [(8, 9), (8, 9, 3)])
@pytest.mark.parametrize("codec", ["jp2", "j2k"])
@pytest.mark.parametrize("bits", [12, 16])
def test_jpeg_2000(tmp_path: Path, shape: tuple[int, ...], codec: str, bits: int) -> None:
    array = noise(2**bits - 1, *shape)
    content = bytes(imagecodecs.jpeg2k_encode(array, level=0, codecformat=codec, bitspersample=bits, reversible=True))
    facts, decoded = read(tmp_path, "a.jp2", content)
    assert (facts.width, facts.height, facts.bits, facts.deep) == (9, 8, bits, True)
    assert np.array_equal(decoded.pixels, array)


@pytest.mark.parametrize("encode", [imagecodecs.ljpeg_encode, lambda a: imagecodecs.jpeg_encode(a, bitspersample=12)])
def test_jpeg_of_more_than_8_bits(tmp_path: Path, encode: Callable[[np.ndarray], bytes]) -> None:
    array = np.add.outer(np.arange(32), np.arange(40)).astype(np.uint16) * 50
    content = bytes(encode(array))
    facts, decoded = read(tmp_path, "a.jpg", content)
    assert (facts.width, facts.height, facts.deep) == (40, 32, True)
    assert np.array_equal(decoded.pixels, imagecodecs.jpeg_decode(content))
    assert np.abs(decoded.pixels - array).mean() < 10


@pytest.mark.parametrize("magic", ["P2", "P3", "P5", "P6"])
def test_pnm_of_more_than_8_bits(tmp_path: Path, magic: str) -> None:
    array = noise(1000, 6, 7, *([3] if magic in ("P3", "P6") else []))
    head = f"{magic}\n# a comment\n7 6\n1000\n".encode()
    body = array.astype(">u2").tobytes() if magic in ("P5", "P6") else " ".join(map(str, array.flat)).encode()
    facts, decoded = read(tmp_path, "a.ppm", head + body)
    assert (facts.width, facts.height, facts.bits, facts.deep) == (7, 6, 10, True)
    assert np.allclose(decoded.pixels, array * 65.535, rtol=1e-6)
    with pytest.raises(BadPicture, match="truncated or damaged"):
        read(tmp_path, "b.ppm", head + body[:-3])


@pytest.mark.parametrize("order", ["<", ">"])
def test_pfm(tmp_path: Path, order: str) -> None:
    for magic, shape in (("Pf", (3, 4)), ("PF", (3, 4, 3))):
        array = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        head = f"{magic}\n4 3\n{'-' if order == '<' else ''}1.0\n".encode()
        facts, decoded = read(tmp_path, "a.pfm", head + np.flipud(array).astype(f"{order}f4").tobytes())
        assert (facts.bits, facts.deep) == (32, True)
        assert np.array_equal(decoded.pixels, array)


def test_heic_and_avif(tmp_path: Path) -> None:
    array = noise(255, 64, 80, dtype=np.uint8)
    facts, decoded = read(tmp_path, "a.heic", heic(array))
    assert (facts.width, facts.height, facts.bits, facts.remarks) == (80, 64, 8, ())
    assert np.array_equal(decoded.pixels, array)
    colour = np.repeat(np.repeat(noise(255, 4, 6, 3, dtype=np.uint8), 8, axis=0), 8, axis=1)
    _, decoded = read(tmp_path, "a.avif", bytes(imagecodecs.avif_encode(colour, level=100)))
    assert np.abs(decoded.pixels.astype(int) - colour).mean() < 4
    ten = bytes(imagecodecs.avif_encode(colour.astype(np.uint16) * 4, level=100, bitspersample=10))
    facts, decoded = read(tmp_path, "b.avif", ten)
    assert facts.bits == 10
    assert facts.remarks == ("are AVIF of 10 bits, of which the highest 8 are used",)
    smooth = np.stack(np.broadcast_arrays(np.arange(64)[:, None] * 3, np.arange(80) * 2, 100), axis=2).astype(np.uint8)
    facts, decoded = read(tmp_path, "b.heic", heic(smooth))
    assert facts.remarks == ()
    assert np.abs(decoded.pixels.astype(int) - smooth).max() < 9
    facts, decoded = read(tmp_path, "c.heic", heic(smooth, bits=10))
    assert (facts.bits, facts.remarks) == (10, ("are HEIC of 10 bits, of which the highest 8 are used",))
    assert np.abs(decoded.pixels.astype(int) - smooth).max() < 9
    with pytest.raises(BadPicture, match="grey HEIC of 10 bits"):
        read(tmp_path, "d.heic", heic(array, bits=10))
    for bad in (b"\0\0\0\x18ftypheic" + bytes(200), heic(array)[:-200]):
        with pytest.raises(BadPicture):
            read(tmp_path, "bad.heic", bad)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int64", "float64", "uint32", "bool", "uint8"])
def test_arrays_of_every_type(dtype: str) -> None:
    array = noise(1 if dtype == "bool" else 120, 6, 7).astype(dtype)
    picture = ArrayPicture(array)
    assert picture.facts(MAX).deep == (dtype not in ("bool", "uint8"))
    assert np.array_equal(picture.decode(MAX).pixels, array.astype(float) * (255 if dtype == "bool" else 1))


def sets(folder: Path, suffix: str, make: Callable[[int], bytes]) -> Path:
    for number in range(12):
        path = folder / "ab"[number % 2] / f"{number:02d}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make(number))
    return folder


def levels(home: Home, config: ImportConfig) -> tuple[int, str]:
    """The fewest different values in a stored image, and the notes."""
    dataset = import_dataset(home, config)
    fewest = min(len(np.unique(pixels)) for pixels in dataset.pixels(dataset.manifest))
    return fewest, " ".join(dataset.info.provenance.notes)


def test_import_of_12_bit_colour_with_a_hot_pixel(home: Home, tmp_path: Path, config: Config) -> None:
    def make(number: int) -> bytes:
        array = noise(4000, 32, 32, 3, seed=number)
        if number == 5:
            array[9, 9] = 65535
        return bytes(imagecodecs.png_encode(array))

    fewest, notes = levels(home, config(sets(tmp_path / "set", ".png", make), size=32, freeze=False))
    assert fewest > 200
    assert "12 of 12 images have more than 8 bits; in all of them 0 becomes black and 4095 white." in notes
    assert "to 65535 in b/05.png" in notes


def test_import_of_padded_ct_by_range_and_by_window(home: Home, tmp_path: Path, config: Config) -> None:
    def make(number: int) -> bytes:
        array = noise(400, 32, 32, seed=number).astype(np.int16) - 150
        array[:6] = -3024
        return tiff(array, photometric="minisblack")

    source = sets(tmp_path / "set", ".tif", make)
    fewest, notes = levels(home, config(source, size=32, freeze=False))
    assert fewest > 200
    assert "-3024 (19 % of the pixels, in 12 images such as a/00.tif)" in notes
    assert re.search(r"-1(50|4\d) becomes black and 250 white", notes)
    by_window = config(source, name="window", size=32, window="brain", freeze=False)
    dataset = import_dataset(home, by_window)
    stored = dataset.pixels(dataset.manifest.iloc[:1])[0, ..., 0]
    original = tifffile.imread(source / "a" / "00.tif").astype(float)
    assert np.array_equal(stored, np.rint(np.clip(original / 80, 0, 1) * 255).astype(np.uint8))
    assert "by the window, 0 becomes black and 80 white" in " ".join(dataset.info.provenance.notes)
    assert dataset.info.provenance.preprocessing["depth"] is None


def test_preview_shows_the_values_and_the_same_range(home: Home, tmp_path: Path, config: Config) -> None:
    source = sets(tmp_path / "set", ".png", lambda n: bytes(imagecodecs.png_encode(noise(1000, 24, 24, seed=n))))
    seen = preview(config(source), home, examples=1)
    assert seen.values is not None
    assert (seen.values.black, seen.values.white, seen.values.images, seen.values.of) == (0, 1023, 12, 12)
    assert sum(seen.values.shares) == pytest.approx(1, abs=1e-3)
    assert "0 becomes black and 1023 white" in seen.text()
    assert seen.as_values()["values"]["white"] == 1023
    stored = import_dataset(home, config(source, freeze=False))
    assert np.array_equal(seen.examples["a"][0], stored.pixels(stored.manifest.iloc[:1])[0, ..., 0])
    by_window = preview(config(source, window="40,80"), home)
    assert by_window.values is not None and by_window.values.window
    assert (by_window.values.black, by_window.values.white) == (0, 80)


def test_colour_of_a_set(home: Home, tmp_path: Path, config: Config, blobs: Callable[..., np.ndarray]) -> None:
    """Letters and a tint in few grey images keep none of them from being grey; full colour in one does."""

    def make(number: int) -> bytes:
        pixels = np.repeat(blobs(number, 48)[..., None], 3, axis=2)
        if number == 0:
            pixels[2:5, 2:9] = (255, 0, 0)
        if number == 1:
            pixels = (pixels * np.array([0.7, 0.9, 1.0])).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).convert("RGBA").save(file, "PNG")
        return file.getvalue()

    source = sets(tmp_path / "set", ".png", make)
    dataset = import_dataset(home, config(source, size=32, freeze=False))
    assert dataset.mode == "L"
    assert dataset.info.provenance.notes[-1] == (
        "Of 12 images, 1 in one tint (such as b/01.png), 1 grey with coloured marks (such as a/00.png); all are "
        "stored in grey."
    )
    Image.fromarray(blobs(50, 48, 3)).save(source / "a" / "colour.png")
    dataset = import_dataset(home, config(source, name="colour", size=32, freeze=False))
    assert dataset.mode == "RGB"
    assert "2 of 13 images show colour" in dataset.info.provenance.notes[-1]


@pytest.mark.parametrize("bits", [2, 4, 16])
def test_transparent_grey_of_every_depth(tmp_path: Path, capfd: pytest.CaptureFixture[str], bits: int) -> None:
    """The colour that tRNS names is padding, at the depth of the file; other chunks are not worth a word."""
    array = noise(3 if bits == 2 else 15, 6, 8)
    rows = array.astype(">u2").view(np.uint8).reshape(6, -1) if bits == 16 else np.zeros((6, bits), np.uint8)
    if bits < 16:
        for column in range(8):
            rows[:, column * bits // 8] |= (array[:, column] << (8 - bits - column * bits % 8)).astype(np.uint8)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 6, bits, 0, 0, 0, 0))
    profile = chunk(b"iCCP", b"name\0\0" + zlib.compress(b"no colour profile"))
    pixels = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows)))
    content = b"\x89PNG\r\n\x1a\n" + header + profile + chunk(b"tRNS", struct.pack(">H", 2)) + pixels
    _, decoded = read(tmp_path, "a.png", content + chunk(b"IEND", b""))
    scale = 1 if bits == 16 else 255 // (2**bits - 1)
    expected = np.where(array == 2, np.nan if bits == 16 else 0, array.astype(float) * scale)
    np.testing.assert_array_equal(decoded.pixels, expected)
    assert capfd.readouterr() == ("", "")


def test_animated_png_of_16_bits_is_told(tmp_path: Path) -> None:
    array = noise(65535, 6, 8)
    plain = bytes(imagecodecs.png_encode(array))
    content = plain[:33] + chunk(b"acTL", struct.pack(">II", 2, 0)) + plain[33:]
    facts, decoded = read(tmp_path, "a.png", content)
    assert np.array_equal(decoded.pixels, array)
    assert any("first frame" in remark for remark in facts.remarks)


def test_preview_of_a_part_says_so(home: Home, tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    source = sets(tmp_path / "set", ".png", lambda n: bytes(imagecodecs.png_encode(noise(1000, 24, 24, seed=n))))
    assert not any("That range is of" in note for note in preview(config(source), home).notes)
    monkeypatch.setattr(previewing, "LOOKED_AT", 5)
    assert any(note.startswith("That range is of 5 of 12 ") for note in preview(config(source), home).notes)
    by_window = preview(config(source, window="40,80"), home)
    assert not any("That range is of" in note for note in by_window.notes)


def test_colour_of_one_class_alone_is_told(home: Home, tmp_path: Path, config: Config, blobs) -> None:
    def make(number: int) -> bytes:
        file = io.BytesIO()
        tint = np.array([1.0, 0.8, 0.6]) if number % 2 else np.ones(3)
        Image.fromarray((blobs(number, 48)[..., None] * tint).astype(np.uint8)).save(file, "PNG")
        return file.getvalue()

    source = sets(tmp_path / "set", ".png", make)
    told = import_dataset(home, config(source, size=32, freeze=False)).info.provenance.notes
    assert any("100 % of the images of b show some, and 0 % of those of a" in note for note in told)
    grey = import_dataset(home, config(source, name="grey", size=32, mode="L", freeze=False)).info.provenance.notes
    assert not any("goes with the classes" in note for note in grey)


def test_a_window_that_leaves_few_levels_is_told(home: Home, tmp_path: Path, config: Config) -> None:
    source = sets(tmp_path / "set", ".png", lambda n: bytes(imagecodecs.png_encode(noise(4000, 24, 24, seed=n))))

    def told(name: str, window: str) -> list[str]:
        notes = import_dataset(home, config(source, name=name, window=window, resize="stretch", size=32, freeze=False))
        return [note for note in notes.info.provenance.notes if "levels of grey" in note]

    assert told("right", "2000,4000") == []
    (note,) = told("wrong", "200000,400000")
    assert "of 12 images (such as a/00.png)" in note
