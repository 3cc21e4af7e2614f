"""The one way from any picture to a stored image."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from engine.datasets.preprocess import TURNS, colour_of, in_mode, plain_array, plain_pixels, squared, to_stored, turned


def test_alpha_is_composited_on_black_in_every_mode_that_has_it():
    grey = np.full((4, 4), 200, np.uint8)
    alpha = np.full((4, 4), 128, np.uint8)
    expected = round(200 * 128 / 255)
    la = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)])
    rgba = Image.merge("RGBA", [Image.fromarray(grey)] * 3 + [Image.fromarray(alpha)])
    for image in (la, rgba):
        pixels = plain_pixels(image)
        assert pixels.shape == (4, 4)
        assert np.abs(pixels.astype(int) - expected).max() <= 1


def test_transparent_palette_colour_becomes_black():
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((1, 0), 1)
    file = io.BytesIO()
    image.save(file, "PNG", transparency=1)
    pixels = plain_pixels(Image.open(file))
    assert pixels.tolist() == [[[255, 0, 0], [0, 0, 0]]]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "LA", "La", "RGBa"])
def test_every_mode_becomes_8_bit_grey_or_rgb(mode: str):
    grey = np.tile(np.array([0, 255], np.uint8), (4, 2))
    image = Image.fromarray(grey)
    if mode == "LAB":
        image = Image.merge("LAB", [image, Image.new("L", (4, 4), 128), Image.new("L", (4, 4), 128)])
    elif mode in ("La", "RGBa"):
        image = image.convert("LA" if mode == "La" else "RGBA").convert(mode)
    else:
        image = image.convert(mode)
    stored = to_stored(plain_pixels(image), 4, "L", "stretch")
    assert stored.dtype == np.uint8
    assert np.abs(stored.astype(int) - grey).max() <= 2


def test_rgb_with_equal_channels_is_grey_and_stays_the_same_in_both_modes():
    grey = np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8)
    rgb = Image.fromarray(np.repeat(grey[..., None], 3, axis=2))
    assert plain_pixels(rgb).ndim == 2
    assert np.array_equal(to_stored(plain_pixels(rgb), 16, "L"), grey)
    assert np.array_equal(to_stored(plain_pixels(rgb), 16, "RGB"), np.repeat(grey[..., None], 3, axis=2))


def test_grey_by_way_of_rgb_equals_grey_at_once():
    """`auto` stores RGB first and decides afterwards; the result must be that of asking for L."""
    colour = np.random.default_rng(1).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    assert np.array_equal(in_mode(to_stored(colour, 16, "auto"), "L"), to_stored(colour, 16, "L"))


def test_exif_orientation_is_applied():
    pixels = np.zeros((8, 4), np.uint8)
    pixels[0] = 255  # a bright top edge, stored lying on its side
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to show
    Image.fromarray(pixels).save(file, "PNG", exif=exif)
    upright = plain_pixels(Image.open(file))
    assert upright.shape == (4, 8)
    assert upright[:, -1].min() == 255
    assert upright[:, :-1].max() == 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_arrays_are_turned_as_pillow_turns_images(orientation: int):
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    image = Image.fromarray(pixels)
    expected = image.transpose(TURNS[orientation]) if orientation > 1 else image
    assert np.array_equal(turned(pixels, orientation), np.asarray(expected))
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    image.save(file, "PNG", exif=exif)
    assert np.array_equal(np.asarray(ImageOps.exif_transpose(Image.open(file))), turned(pixels, orientation))


def test_damaged_exif_and_colour_profile_do_no_harm():
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", exif=b"Exif\0\0MM\0*\xff\xff\xff", icc_profile=b"no profile")
    assert np.array_equal(plain_pixels(Image.open(file)), pixels)


def test_16_bit_grey_keeps_its_order_and_scale():
    values = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    stored = to_stored(plain_pixels(Image.fromarray(values)), 8, "L", "stretch", levels=(0, 65535))
    assert np.array_equal(stored, np.rint(values / 257).astype(np.uint8))


@pytest.mark.parametrize(("inverted", "expected"), [(False, [[0, 128], [0, 255]]), (True, [[255, 128], [0, 0]])])
def test_float_with_not_a_number_and_infinity(inverted: bool, expected: list[list[int]]):
    """Not-a-number is padding, and black whatever is white."""
    values = np.array([[0, 0.5], [np.nan, np.inf]], np.float32)
    assert to_stored(values, 2, "L", "stretch", levels=(0, 1), inverted=inverted).tolist() == expected


def test_inverted_is_white_for_low_values():
    values = np.array([[0, 4095]], np.uint16).repeat(2, axis=0)
    assert to_stored(plain_array(values), 2, "L", "stretch", levels=(0, 4095), inverted=True).tolist() == [[255, 0]] * 2


def test_pad_crop_stretch():
    wide = np.zeros((10, 30), np.uint8)
    wide[:, 10:20] = 255  # the central third
    padded, cropped, stretched = (squared(wide, 30, resize) for resize in ("pad", "crop", "stretch"))
    assert np.array_equal(padded[10:20], wide)
    assert padded[:10].max() == padded[20:].max() == 0
    assert cropped.min() == 255
    assert np.array_equal(stretched, np.repeat(stretched[:1], 30, axis=0))
    assert stretched[0, 0] == 0
    assert stretched[0, 15] == 255


def test_very_thin_image_keeps_at_least_one_pixel():
    assert squared(np.full((1, 5000), 255, np.uint8), 16, "pad").max() == 255


def test_shrinking_is_antialiased():
    """Stripes of one pixel must become even grey, not stripes or black."""
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    small = squared(stripes, 16, "stretch")
    assert np.abs(small[:, 2:-2].astype(int) - 127).max() <= 3


def test_float_colour_is_resized_like_8_bit_colour():
    colour = np.random.default_rng(2).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    exact = squared(colour.astype(np.float32), 8, "pad").astype(int)
    assert np.abs(exact - squared(colour, 8, "pad")).max() <= 1


def test_colour_needs_more_than_compression_noise():
    grey = np.full((8, 8, 3), 100, np.uint8)
    assert colour_of(grey) == colour_of(grey[..., 0]) == "none"
    noisy = grey.copy()
    noisy[0, 0] = (100, 104, 97)
    assert colour_of(noisy) == "none"
    noisy[0, 0] = (100, 100, 160)
    assert colour_of(noisy) == "marks"


def test_a_tint_is_told_from_colour():
    """Blueish films of grey images have one colour for each grey; tissue has many."""
    grey = np.random.default_rng(0).integers(20, 220, (64, 64, 1))
    tinted = (grey * np.array([0.7, 0.9, 1.1])).astype(np.uint8)
    assert colour_of(tinted) == "tint"
    assert colour_of((grey * np.array([1.0, 0.3, 0.3])).astype(np.uint8)) == "full", "one strong colour is no tint"
    assert colour_of(np.where(grey % 3 == 0, tinted[..., ::-1], tinted)) == "full"
    assert colour_of(np.random.default_rng(1).integers(0, 256, (512, 512, 3), dtype=np.uint8)) == "full"


def test_16_bit_colour_of_equal_channels_is_grey_and_alpha_is_composited():
    grey = np.random.default_rng(0).integers(0, 4096, (8, 8), dtype=np.uint16)
    assert plain_array(np.repeat(grey[..., None], 3, axis=2)).shape == (8, 8)
    alpha = np.full((8, 8), 65535, np.uint16)
    alpha[0] = 0
    alpha[1] = 32768
    pixels = plain_array(np.dstack([grey, grey, grey, alpha]))
    assert np.isnan(pixels[0]).all(), "what cannot be seen has no value"
    assert np.allclose(pixels[1], grey[1] / 2, rtol=1e-4)
    assert np.array_equal(pixels[2:], grey[2:])
    assert np.array_equal(plain_array(np.dstack([grey, alpha])), pixels, equal_nan=True)
