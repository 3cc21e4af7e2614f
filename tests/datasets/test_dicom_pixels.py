"""DICOM pixels: windows, units, stored bits, padding, colour, frames, transfer syntaxes; objects without a picture."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from struct import pack

import imagecodecs
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from engine.datasets.reading.dicom import reader as dicom
from engine.datasets.reading.items import BadPicture, NotAnImage
from tests.datasets.dicom_files import compressed, content, decoded, image, item, looked, of_frames, shown, table

RAMP = np.arange(0, 4096, 4, dtype=np.uint16).reshape(32, 32)
SIGNED = (np.arange(1024, dtype=np.int16) * 4 - 2048).reshape(32, 32)
COLOUR = np.random.default_rng(0).integers(0, 256, (36, 32, 3), dtype=np.uint8)
TWELVE = {"BitsStored": 12, "HighBit": 11}
HU = {"RescaleSlope": 2, "RescaleIntercept": -1024}


def grey(values: np.ndarray, black: float, white: float) -> np.ndarray:
    return np.clip((values - black) / (white - black), 0, 1) * 255


# Windows: PS3.3 C.11.2.1.2


@pytest.mark.parametrize(
    ("function", "centre", "width", "ends"),
    [
        (None, 40, 80, (39.5 - 39.5, 39.5 + 39.5)),
        ("LINEAR", 40, 81, (39.5 - 40, 39.5 + 40)),
        ("LINEAR_EXACT", 40, 80, (0, 80)),
        ("LINEAR_EXACT", 0.5, 0.25, (0.375, 0.625)),
        (None, 0.045, 0.09, (0, 0.09)),
        (None, "-600", "1500", (-600.5 - 749.5, -600.5 + 749.5)),
    ],
)
def test_linear_windows(function: str | None, centre: float, width: float, ends: tuple[float, float]):
    attributes = {"VOILUTFunction": function} if function else {}
    file = image(RAMP, **HU, WindowCenter=centre, WindowWidth=width, **attributes)
    result = decoded(file)
    np.testing.assert_array_equal(result.pixels, RAMP * 2.0 - 1024)
    assert result.window == pytest.approx(ends)
    assert not looked(file).deep


def test_width_of_one_is_a_step():
    result = decoded(image(RAMP, WindowCenter=2000.5, WindowWidth=1))
    np.testing.assert_array_equal(shown(result), np.where(RAMP > 2000, 255.0, np.where(RAMP == 2000, 127.5, 0)))


def test_sigmoid():
    file = image(RAMP, **HU, WindowCenter=500, WindowWidth=800, VOILUTFunction="SIGMOID")
    values = RAMP * 2.0 - 1024
    np.testing.assert_allclose(shown(decoded(file)), 255 / (1 + np.exp(-4 * (values - 500) / 800)), atol=1e-3)
    assert not looked(file).deep


def test_window_of_the_config_stands_above_the_files():
    by_table = image(RAMP, VOILUTSequence=table([9] * 8, 0, 8), WindowCenter=1, WindowWidth=2, VOILUTFunction="SIGMOID")
    assert decoded(by_table, window=(1000, 501)).window == (749.5, 1249.5)
    np.testing.assert_array_equal(decoded(by_table, window=(1000, 501)).pixels, RAMP)


def test_first_of_several_windows():
    file = image(RAMP, WindowCenter=["40", "300"], WindowWidth=["81", "2000"])
    assert decoded(file).window == (-0.5, 79.5)
    assert [remark for remark in looked(file).remarks if "several windows" in remark and "window chooses" in remark]


def raw_text(file: pydicom.FileDataset, keyword: str, text: bytes) -> bytes:
    """The file with the text as the value of a DS attribute, as a careless writer left it."""
    tag = pydicom.tag.Tag(keyword)
    setattr(file, keyword, 1)
    whole, start = content(file), pack("<HH", tag.group, tag.elem) + b"DS"
    place = whole.index(start)
    length = int.from_bytes(whole[place + 6 : place + 8], "little")
    text += b" " * (len(text) % 2)
    return whole[: place + 6] + pack("<H", len(text)) + text + whole[place + 8 + length :]


@pytest.mark.parametrize(
    ("text", "ends", "remark"),
    [
        (b"1000,0", (750.0, 1249.0), "decimal comma in WindowCenter"),
        (b"0,125", (-249.875, 249.125), "decimal comma in WindowCenter"),
        (b"40,400", None, "no number"),
        (b"brain", None, "no number"),
        (b"NaN", None, "not finite"),
    ],
)
def test_careless_window_centre(text: bytes, ends: tuple[float, float] | None, remark: str):
    file = raw_text(image(RAMP, WindowWidth=500), "WindowCenter", text)
    assert decoded(file).window == (pytest.approx(ends) if ends else None)
    assert looked(file).deep == (ends is None)
    assert any(remark in said and "Window" in said for said in looked(file).remarks)


@pytest.mark.parametrize("width", [b"0", b"-80", b"inf", b"nan"])
def test_window_without_width_is_no_window(width: bytes):
    file = raw_text(image(RAMP, WindowCenter=40), "WindowWidth", width)
    assert decoded(file).window is None
    assert any("WindowWidth" in said for said in looked(file).remarks)


# Units: PS3.3 C.11.1


@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept"])
@pytest.mark.parametrize("text", [b"abc", b"NaN", b"1,000"])
def test_unreadable_rescaling_is_refused_by_name(keyword: str, text: bytes):
    file = raw_text(image(RAMP, **HU), keyword, text)
    for read in (decoded, looked):
        with pytest.raises(BadPicture, match=keyword):
            read(file)


def test_slope_of_zero_is_refused():
    with pytest.raises(BadPicture, match="RescaleSlope"):
        decoded(image(RAMP, RescaleSlope=0, RescaleIntercept=1))


def test_slope_or_intercept_alone_and_decimal_comma():
    np.testing.assert_array_equal(decoded(image(RAMP, RescaleIntercept=-7)).pixels, RAMP - 7.0)
    np.testing.assert_array_equal(decoded(image(RAMP, RescaleSlope="0.5")).pixels, RAMP / 2)
    np.testing.assert_array_equal(decoded(raw_text(image(RAMP), "RescaleSlope", b"0,5")).pixels, RAMP / 2)
    np.testing.assert_array_equal(decoded(image(RAMP, RescaleSlope="", RescaleIntercept="")).pixels, RAMP)


def test_modality_table():
    entries = np.linspace(0, 60000, 1000).astype(int)
    file = image(RAMP, ModalityLUTSequence=table(entries, 100, 16))
    np.testing.assert_array_equal(decoded(file).pixels, entries[np.clip(RAMP.astype(int) - 100, 0, 999)])
    assert looked(file).deep


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_voi_table(bits: int):
    entries = (np.arange(2000) ** 2 * (2**bits - 1) // 1999**2)[::-1]
    file = image(SIGNED, VOILUTSequence=table(entries, -1000, bits), WindowCenter=0, WindowWidth=9)
    expected = entries[np.clip(SIGNED.astype(int) + 1000, 0, 1999)] / (2**bits - 1) * 255
    np.testing.assert_allclose(shown(decoded(file)), expected, atol=1e-3)
    assert not looked(file).deep
    assert any("VOILUTSequence" in said for said in looked(file).remarks)


def test_voi_table_after_rescaling_with_words_and_an_unsigned_first_value():
    sequence = item(LUTDescriptor=[4, 65536 - 1000, 8])
    sequence[0].add_new(0x00283006, "OW", np.array([0, 85, 170, 255], "<u2").tobytes())
    stored = np.array([[0, 1, 2, 3, 9]], np.uint16)
    result = decoded(image(stored, RescaleSlope=1, RescaleIntercept=-1000, VOILUTSequence=sequence))
    np.testing.assert_allclose(shown(result), [[0, 85, 170, 255, 255]])


def test_table_without_data_is_refused_by_name():
    with pytest.raises(BadPicture, match="ModalityLUTSequence"):
        decoded(image(RAMP, ModalityLUTSequence=item(LUTDescriptor=[4, 0, 8])))


@pytest.mark.parametrize("shared", [True, False])
def test_functional_groups_hold_units_and_window(shared: bool):
    """Enhanced CT and MR, also with one frame; what a frame says goes before what all share."""

    def macros(slope: float, centre: float):
        return item(
            PixelValueTransformationSequence=item(RescaleSlope=slope, RescaleIntercept=-10),
            FrameVOILUTSequence=item(WindowCenter=centre, WindowWidth=11),
        )

    if shared:
        file = image(RAMP, SharedFunctionalGroupsSequence=macros(3, 100), PerFrameFunctionalGroupsSequence=item())
        slopes, centres, frames = [3], [100], [RAMP]
    else:
        frames = [RAMP, RAMP.T.copy()]
        file = of_frames(frames, NumberOfFrames=2, SharedFunctionalGroupsSequence=macros(7, 7))
        file.PerFrameFunctionalGroupsSequence = [macros(2, 50)[0], macros(4, 60)[0]]
        slopes, centres = [2, 4], [50, 60]
    for frame, (slope, centre, stored) in enumerate(zip(slopes, centres, frames, strict=True)):
        result = decoded(file, frame=frame)
        np.testing.assert_array_equal(result.pixels, stored * float(slope) - 10)
        assert result.window == (centre - 0.5 - 5, centre - 0.5 + 5)
        assert not looked(file, frame=frame).deep


# Stored bits and padding


def test_bits_above_those_stored_are_masked():
    """An overlay in the four bits above twelve, unsigned and signed (PS3.5 8.1.1)."""
    overlay = np.where(np.eye(32, dtype=bool), 0xF000, 0).astype(np.uint16)
    np.testing.assert_array_equal(decoded(image(RAMP | overlay, **TWELVE)).pixels, RAMP)
    masked = (SIGNED.view(np.uint16) & 0x0FFF) | (overlay & 0x7000)
    file = image(masked, **TWELVE, PixelRepresentation=1)
    np.testing.assert_array_equal(decoded(file).pixels, SIGNED)


def test_high_bit():
    """Values at the upper end of their words; and values at the lower end although HighBit says otherwise."""
    np.testing.assert_array_equal(decoded(image(RAMP << 4, BitsStored=12, HighBit=15)).pixels, RAMP)
    np.testing.assert_array_equal(decoded(image(RAMP, BitsStored=12, HighBit=15)).pixels, RAMP)
    np.testing.assert_array_equal(decoded(image(SIGNED, BitsStored=12, HighBit=15)).pixels, SIGNED)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_eight_bits_need_no_range(dtype: type):
    stored = np.arange(256, dtype=np.uint8).view(dtype).reshape(16, 16)
    file = image(stored)
    assert not looked(file).deep
    result = decoded(file)
    levels = result.pixels if result.window is None else shown(result)
    np.testing.assert_allclose(levels, stored.astype(int) - np.iinfo(dtype).min, atol=1e-4)


def test_eight_bits_inverted():
    stored = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(decoded(image(stored, PhotometricInterpretation="MONOCHROME1")).pixels, 255 - stored)


def test_one_bit_an_image():
    stored = np.random.default_rng(0).integers(0, 2, (8, 16), dtype=np.uint8)
    packed = np.packbits(stored, bitorder="little").tobytes()
    file = image(stored, BitsAllocated=1, BitsStored=1, HighBit=0, PixelData=packed)
    np.testing.assert_array_equal(shown(decoded(file)), stored * 255)


def test_thirty_two_bits():
    stored = np.array([[0, 3_000_000_000], [1, 2]], np.uint32)
    result = decoded(image(stored, RescaleSlope="1e-6", RescaleIntercept=0))
    np.testing.assert_allclose(result.pixels, stored * 1e-6, rtol=1e-6)


@pytest.mark.parametrize(("keyword", "dtype"), [("FloatPixelData", "<f4"), ("DoubleFloatPixelData", "<f8")])
def test_float_pixel_data(keyword: str, dtype: str):
    values = np.random.default_rng(0).normal(size=(6, 5)).astype(dtype)
    file = image(np.zeros((6, 5), np.uint16), PixelData=None, BitsAllocated=32 if dtype == "<f4" else 64)
    setattr(file, keyword, values.tobytes())
    np.testing.assert_allclose(decoded(file).pixels, values, rtol=1e-6)
    assert looked(file).deep
    setattr(file, keyword.replace("Data", "PaddingValue"), float(values[2, 3]))
    np.testing.assert_array_equal(np.isnan(decoded(file).pixels), values == values[2, 3])


@pytest.mark.parametrize(
    ("stored", "vr", "value", "limit", "padded"),
    [
        (SIGNED, "SS", -2048, None, SIGNED == -2048),
        (SIGNED, "US", 65536 - 2048, None, SIGNED == -2048),
        (SIGNED, "SS", -2048, -2000, SIGNED <= -2000),
        (SIGNED, "SS", -2000, -2048, SIGNED <= -2000),
        (RAMP, "US", 0, None, RAMP == 0),
        (RAMP, "US", 4000, 4095, RAMP >= 4000),
        (RAMP, "US", 2, None, np.zeros_like(RAMP, bool)),
    ],
)
def test_padding_is_not_a_number(stored: np.ndarray, vr: str, value: int, limit: int | None, padded: np.ndarray):
    """Compared as stored, before the rescaling, whatever sign the attribute is written with."""
    file = image(stored, **HU)
    file.add_new(0x00280120, vr, value)
    if limit is not None:
        file.add_new(0x00280121, vr, limit)
    result = decoded(file)
    np.testing.assert_array_equal(np.isnan(result.pixels), padded)
    np.testing.assert_array_equal(result.pixels[~padded], stored[~padded] * 2.0 - 1024)


def test_padding_under_a_table():
    file = image(RAMP, VOILUTSequence=table(range(256), 0, 8))
    file.add_new(0x00280120, "US", 4092)
    np.testing.assert_array_equal(np.isnan(decoded(file).pixels), RAMP == 4092)


# Colour


def test_colour_of_twelve_bits_keeps_its_range():
    stored = (COLOUR.astype(np.uint16) << 4) | 5
    result = decoded(image(stored, **TWELVE))
    assert result.window == (0.0, 4095.0)
    np.testing.assert_array_equal(result.pixels, stored)


def test_planes_apart():
    file = image(COLOUR, PlanarConfiguration=1, PixelData=COLOUR.transpose(2, 0, 1).tobytes())
    np.testing.assert_array_equal(decoded(file).pixels, COLOUR)


@pytest.mark.parametrize(("dtype", "bits"), [(np.uint8, 8), (np.uint16, 12)])
def test_ybr_becomes_rgb(dtype: type, bits: int):
    """PS3.3 C.7.6.3.1.2: Y, CB and CR of known colours, computed from RGB by the standard's own matrix."""
    top, half = 2**bits - 1, 2 ** (bits - 1)
    rgb = (COLOUR / 255 * top).round()
    matrix = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
    ybr = np.clip(np.rint(rgb @ matrix.T + [0, half, half]), 0, top).astype(dtype)
    file = image(ybr, PhotometricInterpretation="YBR_FULL", BitsStored=bits, HighBit=bits - 1)
    assert np.abs(decoded(file).pixels - rgb).max() <= 2


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("stated", [None, "NONSENSE"])
def test_photometric_interpretation_is_deduced(samples: int, stated: str | None):
    stored = COLOUR if samples == 3 else np.ascontiguousarray(COLOUR[..., 0])
    file = image(stored, PhotometricInterpretation=stated)
    np.testing.assert_array_equal(decoded(file).pixels, stored)
    assert any("PhotometricInterpretation" in said for said in looked(file).remarks)


def test_four_samples_are_refused():
    with pytest.raises(BadPicture, match="SamplesPerPixel = 4"):
        decoded(image(COLOUR, SamplesPerPixel=4, PhotometricInterpretation="CMYK"))


@pytest.mark.parametrize(("bits", "form"), [(16, "<u2"), (8, "u1"), (8, "<u2")])
def test_palette(bits: int, form: str):
    """16-bit entries keep their high byte; 8-bit entries stand in bytes, or in words of their own."""
    entries = np.random.default_rng(1).integers(0, 256, (3, 256))
    stored = np.arange(10, 250, dtype=np.uint8).reshape(15, 16)
    file = image(stored, PhotometricInterpretation="PALETTE COLOR")
    for colour, channel in zip(("Red", "Green", "Blue"), entries, strict=True):
        setattr(file, f"{colour}PaletteColorLookupTableDescriptor", [256, 10, bits])
        data = (channel * 257 if bits == 16 else channel).astype(form).tobytes()
        setattr(file, f"{colour}PaletteColorLookupTableData", data)
    np.testing.assert_array_equal(decoded(file).pixels, np.moveaxis(entries[:, stored.astype(int) - 10], 0, -1))


def test_palette_without_a_table_is_refused_by_name():
    stored = np.zeros((4, 4), np.uint8)
    with pytest.raises(BadPicture, match="RedPaletteColorLookupTableDescriptor"):
        decoded(image(stored, PhotometricInterpretation="PALETTE COLOR"))


# Frames

FRAMES = [np.roll(RAMP, number * 50) for number in range(3)]


@pytest.mark.parametrize("stated", [None, 1, 2, 5, 3])
def test_frames_are_counted(stated: int | None):
    file = of_frames(FRAMES, **({} if stated is None else {"NumberOfFrames": stated}))
    assert looked(file).frames == 3
    assert bool(looked(file).remarks) == (stated != 3)
    for number, frame in enumerate(FRAMES):
        np.testing.assert_array_equal(decoded(file, frame=number).pixels, frame)
    with pytest.raises(BadPicture, match="no frame 4"):
        decoded(file, frame=3)


@pytest.mark.parametrize("stated", [None, 3])
def test_compressed_frames_are_counted(stated: int | None):
    codestreams = [imagecodecs.jpegls_encode(frame) for frame in FRAMES]
    attributes = {} if stated is None else {"NumberOfFrames": stated}
    for table_of_offsets in (True, False):
        file = compressed(RAMP, "1.2.840.10008.1.2.4.80", codestreams, **attributes)
        if not table_of_offsets:
            file.PixelData = pydicom.encaps.encapsulate(codestreams, has_bot=False)
        assert looked(file).frames == 3
        for number, frame in enumerate(FRAMES):
            np.testing.assert_array_equal(decoded(file, frame=number).pixels, frame)


def test_trailing_bytes_are_no_frame():
    assert looked(image(RAMP, PixelData=RAMP.tobytes() + bytes(100))).frames == 1


def test_one_frame_of_many_is_read(monkeypatch: pytest.MonkeyPatch):
    """A frame costs what it holds, not what the file holds."""
    whole = content(of_frames(FRAMES * 20, NumberOfFrames=60))
    stream, read = BytesIO(whole), 0

    class Counting(BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            nonlocal read
            got = super().read(size)
            read += len(got)
            return got

    np.testing.assert_array_equal(dicom.decode(Counting(stream.getvalue()), 10**6, None, 58).pixels, FRAMES[1])
    assert read < RAMP.nbytes + 4000 < len(whole) / 20


# Transfer syntaxes

JLS = imagecodecs.jpegls_encode
J2K = partial(imagecodecs.jpeg2k_encode, level=0, codecformat="j2k", reversible=True)
HTJ2K = partial(imagecodecs.htj2k_encode, reversible=True)
JXL = partial(imagecodecs.jpegxl_encode, lossless=True)


def lossless_jpeg(stored: np.ndarray, predictor: int) -> bytes:
    if stored.ndim == 3:
        return imagecodecs.jpeg8_encode(
            stored, lossless=True, predictor=predictor, colorspace="RGB", outcolorspace="RGB"
        )
    bits = 12 if stored.dtype == np.uint16 else 8
    return imagecodecs.jpeg8_encode(stored, lossless=True, predictor=predictor, bitspersample=bits)


@pytest.mark.parametrize(
    ("syntax", "encode"),
    [
        ("1.2.840.10008.1.2.4.57", partial(lossless_jpeg, predictor=6)),
        ("1.2.840.10008.1.2.4.70", partial(lossless_jpeg, predictor=1)),
        ("1.2.840.10008.1.2.4.80", JLS),
        ("1.2.840.10008.1.2.4.81", JLS),
        ("1.2.840.10008.1.2.4.90", J2K),
        ("1.2.840.10008.1.2.4.91", J2K),
        ("1.2.840.10008.1.2.4.201", HTJ2K),
        ("1.2.840.10008.1.2.4.202", HTJ2K),
        ("1.2.840.10008.1.2.4.203", HTJ2K),
        ("1.2.840.10008.1.2.4.110", JXL),
    ],
)
@pytest.mark.parametrize("kind", ["grey 8", "grey 12", "colour"])
def test_lossless_syntaxes_give_back_what_was_stored(syntax: str, encode: Callable[[np.ndarray], bytes], kind: str):
    stored = {"grey 8": np.ascontiguousarray(COLOUR[..., 1]), "grey 12": RAMP, "colour": COLOUR}[kind]
    bits = 12 if kind == "grey 12" else 8
    file = compressed(stored, syntax, [bytes(encode(stored))], BitsStored=bits, HighBit=bits - 1)
    assert looked(file).frames == 1
    np.testing.assert_array_equal(decoded(file).pixels, stored)


@pytest.mark.parametrize(
    ("syntax", "encode"),
    [
        ("1.2.840.10008.1.2.4.57", partial(lossless_jpeg, predictor=1)),
        ("1.2.840.10008.1.2.4.70", partial(lossless_jpeg, predictor=1)),
        ("1.2.840.10008.1.2.4.80", JLS),
        ("1.2.840.10008.1.2.4.90", J2K),
        ("1.2.840.10008.1.2.4.201", HTJ2K),
    ],
)
def test_signed_values_in_compressed_frames(syntax: str, encode: Callable[[np.ndarray], bytes]):
    """The codestreams hold the twelve bits as unsigned; PixelRepresentation says what they mean."""
    bits = SIGNED.view(np.uint16) & 0x0FFF
    file = compressed(bits, syntax, [bytes(encode(bits))], **TWELVE, PixelRepresentation=1, RescaleIntercept=-1)
    np.testing.assert_array_equal(decoded(file).pixels, SIGNED - 1.0)


@pytest.mark.parametrize("stored", [RAMP, SIGNED, COLOUR], ids=["unsigned", "signed", "colour"])
@pytest.mark.parametrize("syntax", [RLELossless, UID("1.2.840.10008.1.2.4.90")], ids=["RLE", "JPEG 2000"])
def test_syntaxes_that_pydicom_writes(stored: np.ndarray, syntax: UID):
    file = image(stored)
    file.compress(syntax, generate_instance_uid=False)
    np.testing.assert_array_equal(decoded(file).pixels, stored)


def test_jpeg_ls_of_seven_bits():
    stored = np.ascontiguousarray(COLOUR[..., 0] >> 1)
    file = compressed(stored, "1.2.840.10008.1.2.4.80", [bytes(JLS(stored))], BitsStored=7, HighBit=6)
    np.testing.assert_allclose(shown(decoded(file)), stored * (255 / 127))


def test_jpeg_of_eight_and_twelve_bits():
    smooth = np.add.outer(np.arange(24) * 100, np.arange(20) * 50).astype(np.uint16)
    codestream = imagecodecs.jpeg8_encode(smooth, level=100, bitspersample=12)
    file = compressed(smooth, "1.2.840.10008.1.2.4.51", [codestream], **TWELVE)
    assert np.abs(decoded(file).pixels - smooth).max() <= 4
    small = (smooth >> 4).astype(np.uint8)
    file = compressed(small, "1.2.840.10008.1.2.4.50", [imagecodecs.jpeg8_encode(small, level=100)])
    assert np.abs(decoded(file).pixels.astype(int) - small).max() <= 2


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
@pytest.mark.parametrize("stored", [RAMP, SIGNED, COLOUR], ids=["unsigned", "signed", "colour"])
def test_uncompressed_syntaxes(syntax: UID, stored: np.ndarray):
    swapped = stored.byteswap() if syntax == ExplicitVRBigEndian else stored
    file = image(stored, PixelData=swapped.tobytes())
    file.file_meta.TransferSyntaxUID = syntax
    if stored.dtype == np.uint8:
        file.PixelData = stored.tobytes()
        file["PixelData"].VR = "OB"  # bytes, which have no order
    np.testing.assert_array_equal(decoded(file).pixels, stored)
    assert looked(file).frames == 1


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, pydicom.uid.ExplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("name", ["IM1.dcm", "IM1"])
def test_without_preamble_and_meta_information(syntax: UID, name: str):
    stored = RAMP.byteswap() if syntax == ExplicitVRBigEndian else RAMP
    bare = BytesIO()
    file = image(RAMP, PixelData=stored.tobytes())
    del file.file_meta
    file.preamble = None
    pydicom.dcmwrite(
        bare,
        file,
        implicit_vr=syntax.is_implicit_VR,
        little_endian=syntax.is_little_endian,
        enforce_file_format=False,
    )
    assert dicom.is_dicom(BytesIO(bare.getvalue()), name)
    np.testing.assert_array_equal(decoded(bare.getvalue()).pixels, RAMP)


def test_another_picture_under_the_name_of_dicom():
    assert not dicom.is_dicom(BytesIO(b"\x89PNG\r\n\x1a\n" + bytes(200)), "a.dcm")
    assert dicom.is_dicom(BytesIO(b"something else" * 20), "a.DCM")
    assert not dicom.is_dicom(BytesIO(b"something else" * 20), "a.bin")


def test_other_files_do_not_look_like_dicom():
    for content_of in (
        b"",
        b"\x89PNG\r\n\x1a\n" + bytes(200),
        b"II*\0" + bytes(200),
        b"hello, world " * 20,
        bytes(300),
    ):
        assert not dicom.looks_like_dicom(content_of)


def test_compressed_pixels_under_a_plain_syntax_are_recognised():
    for syntax, encode in ((".80", JLS), (".90", J2K), (".57", partial(lossless_jpeg, predictor=1))):
        file = compressed(RAMP, f"1.2.840.10008.1.2.4{syntax}", [bytes(encode(RAMP))], **TWELVE)
        whole = content(file)
        true, false = f"1.2.840.10008.1.2.4{syntax}".encode(), b"1.2.840.10008.1.2.1"
        assert whole.count(true) == 1
        np.testing.assert_array_equal(decoded(whole.replace(true, false.ljust(len(true), b"\0"))).pixels, RAMP)


def test_plain_pixels_under_a_compressed_syntax_are_recognised():
    plain = content(image(RAMP))
    place = plain.index(b"1.2.840.10008.1.2.1\0")
    length = pack("<H", 22)
    changed = plain[: place - 2] + length + b"1.2.840.10008.1.2.4.70" + plain[place + 20 :]
    np.testing.assert_array_equal(decoded(changed).pixels, RAMP)


@pytest.mark.parametrize(
    ("syntax", "words"),
    [
        ("1.2.840.10008.1.2.4.103", "holds a video (MPEG-4"),
        ("1.2.840.10008.1.2.4.94", "JPIP Referenced"),
        ("1.2.840.10008.1.2.4.65", "JPEG Lossless, Hierarchical"),
        ("1.3.6.1.4.1.9.9.9", "an unknown syntax (TransferSyntaxUID 1.3.6.1.4.1.9.9.9)"),
    ],
)
def test_syntaxes_that_cannot_be_decoded_are_named(syntax: str, words: str):
    file = content(compressed(RAMP, syntax, [b"\1\2\3\4"]))
    for read in (decoded, looked):
        with pytest.raises(BadPicture) as caught:
            read(file)
        assert words in str(caught.value)
        assert not str(caught.value).endswith(":")


def test_a_frame_of_another_size_is_refused_before_it_is_decoded():
    """A small header may hide a frame of any size."""
    for syntax, encode in ((".80", JLS), (".90", J2K), (".201", HTJ2K), (".70", partial(lossless_jpeg, predictor=1))):
        file = compressed(RAMP, f"1.2.840.10008.1.2.4{syntax}", [bytes(encode(RAMP))], Rows=16)
        with pytest.raises(BadPicture, match="32 rows and 32 columns, unlike Rows and Columns"):
            decoded(file)


def test_many_threads_decode_alike():
    files = [
        content(compressed(RAMP, "1.2.840.10008.1.2.4.70", [lossless_jpeg(RAMP, 1)], **TWELVE)),
        content(compressed(RAMP, "1.2.840.10008.1.2.4.80", [JLS(RAMP)], **TWELVE)),
        content(compressed(RAMP, "1.2.840.10008.1.2.4.90", [bytes(J2K(RAMP))], **TWELVE)),
    ]
    with ThreadPoolExecutor(16) as pool:
        for result in pool.map(decoded, files * 40):
            np.testing.assert_array_equal(result.pixels, RAMP)


# Objects without a picture, and damage


@pytest.mark.parametrize(
    ("uid", "words"),
    [
        ("1.2.840.10008.5.1.4.1.1.88.33", "Comprehensive SR"),
        ("1.2.840.10008.5.1.4.1.1.104.1", "Encapsulated PDF"),
        ("1.2.840.10008.5.1.4.1.1.481.3", "RT Structure Set"),
        ("1.2.840.10008.5.1.4.1.1.481.5", "RT Plan"),
        ("1.2.840.10008.5.1.4.1.1.11.1", "Grayscale Softcopy Presentation State"),
        ("1.2.840.10008.5.1.4.1.1.88.59", "Key Object Selection"),
        ("1.2.840.10008.5.1.4.1.1.9.1.1", "12-lead ECG Waveform"),
        ("1.2.840.10008.1.3.10", "a directory of a disc"),
    ],
)
def test_objects_without_pixels_are_no_images(uid: str, words: str):
    file = image(RAMP, SOPClassUID=uid, PixelData=None, Rows=None, Columns=None)
    with pytest.raises(NotAnImage, match="hold no image") as caught:
        looked(file)
    assert words in str(caught.value)


@pytest.mark.parametrize("uid", ["1.2.840.10008.5.1.4.1.1.481.2", "1.2.840.10008.5.1.4.1.1.66.4"])
def test_doses_and_segmentations_are_no_images_though_they_have_pixels(uid: str):
    with pytest.raises(NotAnImage):
        looked(image(RAMP, SOPClassUID=uid))


def test_an_image_without_its_pixels_is_damaged():
    with pytest.raises(BadPicture, match="no pixel data") as caught:
        looked(image(RAMP, PixelData=None))
    assert not isinstance(caught.value, NotAnImage)


@pytest.mark.parametrize("keyword", ["Rows", "Columns", "BitsAllocated"])
def test_what_nothing_can_replace_is_named(keyword: str):
    with pytest.raises(BadPicture, match=keyword):
        looked(image(RAMP, **{keyword: None}))


def test_missing_bits_stored_are_replaced():
    file = image(RAMP, BitsStored=None, HighBit=None, PixelRepresentation=None)
    np.testing.assert_array_equal(decoded(file).pixels, RAMP)
    assert any("BitsStored" in said for said in looked(file).remarks)


def test_damage_gives_one_sentence(capfd: pytest.CaptureFixture[str]):
    """Cut off or scribbled over anywhere, in any syntax: a picture, or `BadPicture`, and nothing on the terminal."""
    random = np.random.default_rng(0)
    files = [
        content(image(RAMP, **HU, WindowCenter=40, WindowWidth=80)),
        content(compressed(RAMP, "1.2.840.10008.1.2.4.70", [lossless_jpeg(RAMP, 1)], **TWELVE)),
        content(compressed(RAMP, "1.2.840.10008.1.2.4.80", [JLS(RAMP)], **TWELVE)),
        content(compressed(RAMP, "1.2.840.10008.1.2.4.90", [bytes(J2K(RAMP))], **TWELVE)),
    ]
    with pytest.raises(BadPicture, match="cut off"):
        decoded(files[0][:-300])
    refused = 0
    for whole in files:
        for _ in range(40):
            broken = bytearray(whole)
            if random.random() < 0.5:
                broken = broken[: random.integers(len(broken))]
            else:
                for place in random.integers(132, len(broken), 20):
                    broken[place] = random.integers(256)
            for read in (looked, decoded):
                try:
                    read(bytes(broken))
                except BadPicture as error:
                    refused += 1
                    assert "\n" not in str(error) and not str(error).endswith((":", "."))
    assert refused > 40
    assert capfd.readouterr() == ("", "")


# What is said of a picture


def test_remarks_on_burned_in_text_and_localizers():
    said = looked(image(RAMP, BurnedInAnnotation="YES", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])).remarks
    assert any("BurnedInAnnotation" in remark for remark in said)
    assert any("localizers" in remark for remark in said)
    assert not looked(image(RAMP, BurnedInAnnotation="NO", ImageType=["ORIGINAL", "PRIMARY", "AXIAL"])).remarks


def test_position_in_the_series():
    plane = {"ImageOrientationPatient": [1, 0, 0, 0, 0.6, 0.8], "ImagePositionPatient": [5, 10, 20]}
    assert looked(image(RAMP, **plane, SliceLocation=3)).position == pytest.approx(-0.8 * 10 + 0.6 * 20)
    assert looked(image(RAMP, SliceLocation=3, InstanceNumber=9)).position == 3
    assert looked(image(RAMP, InstanceNumber=9)).position == 9
    file = of_frames(FRAMES, NumberOfFrames=3)
    assert [looked(file, frame=number).position for number in range(3)] == [0, 1, 2]
    file.SharedFunctionalGroupsSequence = item(
        PlaneOrientationSequence=item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    )
    file.PerFrameFunctionalGroupsSequence = [
        item(PlanePositionSequence=item(ImagePositionPatient=[0, 0, place]))[0] for place in (30, 10, 20)
    ]
    assert [looked(file, frame=number).position for number in range(3)] == [30, 10, 20]


def test_ids():
    found = looked(image(RAMP, SeriesInstanceUID="1.2.3", StudyInstanceUID="1.2", IssuerOfPatientID="here"))
    assert (found.series, found.study, found.group) == ("1.2.3", "1.2", "P1^^^here")


def test_width_of_one_is_no_step_where_values_are_no_whole_numbers():
    """A standardised uptake value of 0 to 1 in a slope of thousandths."""
    slope = {"RescaleSlope": "0.001", "RescaleIntercept": "0"}
    assert decoded(image(RAMP, **slope, WindowCenter="0.5", WindowWidth="1")).window == pytest.approx((0, 1))
    assert decoded(image(RAMP, **slope), window=(0.5, 1)).window == pytest.approx((0, 1))
    assert decoded(image(RAMP, **slope, WindowCenter="4", WindowWidth="8")).window == pytest.approx((0, 7))


def test_look_up_table_that_fills_few_of_the_bits_it_claims():
    entries = np.arange(4096) // 16
    file = image(RAMP, VOILUTSequence=table(entries, 0, 16))
    np.testing.assert_allclose(shown(decoded(file)), entries[np.clip(RAMP, 0, 4095)], atol=1e-3)
    assert any("VOILUTSequence" in remark for remark in looked(file).remarks)
    dark = image(RAMP, VOILUTSequence=table(entries, 0, 9))
    assert shown(decoded(dark)).max() < 128
    assert looked(dark).remarks == ()


def test_colour_of_12_bits_in_16_takes_the_range_of_the_set():
    colour = np.random.default_rng(0).integers(0, 4096, (6, 8, 3), np.uint16)
    for bits, window in ((16, None), (12, (0.0, 4095.0))):
        file = image(colour, BitsStored=bits, HighBit=bits - 1)
        assert looked(file).deep == (window is None)
        assert decoded(file).window == window
        np.testing.assert_array_equal(decoded(file).pixels, colour)


@pytest.mark.parametrize("transformed", [True, False])
def test_jpeg_2000_of_rgb_under_another_name(transformed: bool):
    colour = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    ybr = np.asarray(Image.fromarray(colour).convert("YCbCr"))
    stored = colour if transformed else ybr
    codestream = imagecodecs.jpeg2k_encode(stored, level=0, codecformat="j2k", mct=transformed)
    file = compressed(stored, "1.2.840.10008.1.2.4.90", [codestream], PhotometricInterpretation="YBR_FULL")
    np.testing.assert_allclose(decoded(file).pixels, colour, atol=0 if transformed else 3)


def test_more_bytes_than_a_frame_are_told():
    assert any("sheared" in remark for remark in looked(image(RAMP, Columns=RAMP.shape[1] - 1)).remarks)
    assert looked(image(RAMP)).remarks == ()
