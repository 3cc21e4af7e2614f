"""TIFF files that Pillow cannot read or would bring to 8 bits, through tifffile.

Every number type, bit depth, byte order, BigTIFF, planar and tiled samples, and the compressions of imagecodecs. Grey
may have alpha; of colour, samples beyond red, green, blue and alpha are left out, and a remark says so. Several
samples of which none is said to be colour, such as those of a multi-spectral camera, are no picture.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
import tifffile
from PIL import Image
from tifffile import PHOTOMETRIC

from engine.datasets.preprocess import plain_array, turned
from engine.datasets.reading.items import BadPicture, Decoded, Facts, checked_pixels, first_line

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what cannot be read is said in one sentence instead

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
EXTRA_SAMPLES = "have samples of a pixel beyond grey or colour, which are left out"
NO_DATA = 42113
_COLOURS = {
    PHOTOMETRIC.MINISWHITE: 1,
    PHOTOMETRIC.MINISBLACK: 1,
    PHOTOMETRIC.PALETTE: 1,
    PHOTOMETRIC.RGB: 3,
    PHOTOMETRIC.YCBCR: 3,
    PHOTOMETRIC.SEPARATED: 4,
}
_ALPHA = (1, 2)
_PREMULTIPLIED = 1


class DamagedTiff(BadPicture):
    """Not a TIFF that tifffile reads."""


def suits_pillow(image: Image.Image) -> bool:
    """Whether Pillow reads every bit of an opened TIFF: unsigned samples of 8 bits at most."""
    tags = image.tag_v2  # type: ignore[attr-defined]
    return max(tags.get(258, (1,))) <= 8 and set(tags.get(339, (1,))) <= {1}


def has_extra_samples(image: Image.Image) -> bool:
    """Whether an opened TIFF holds samples that are neither grey, colour nor alpha."""
    return any(kind not in _ALPHA for kind in image.tag_v2.get(338, ()))  # type: ignore[attr-defined]


def facts(file: BinaryIO, max_pixels: int, number: int = 0) -> Facts:
    """Of the page of that number in the file, from 0; `pages` tells how many are pictures."""
    with _page(file, max_pixels, number) as page:
        page = page.keyframe
        colours = _colours(page)
        return Facts(
            width=page.imagewidth,
            height=page.imagelength,
            mode=_mode(page, colours),
            bits=page.bitspersample,
            deep=page.dtype not in (np.uint8, bool),
            remarks=(EXTRA_SAMPLES,) if page.samplesperpixel > colours + _has_alpha(page, colours) else (),
        )


def decode(file: BinaryIO, max_pixels: int, number: int = 0) -> Decoded:
    """The page of that number in the file, from 0."""
    with _page(file, max_pixels, number) as page:
        key = page.keyframe
        colours = _colours(key)
        try:
            array = page.asarray(maxworkers=1).reshape(key.shaped)
        except Exception as error:  # decoders raise nearly anything on damaged files
            raise BadPicture(f"is truncated or damaged ({first_line(error)})") from error
        planes, _, _, _, _ = array.shape  # [planes, 1, H, W, samples], planes or samples of 1
        samples = np.moveaxis(array[:, 0, ..., 0], 0, -1) if planes > 1 else array[0, 0]
        full = float(2**key.bitspersample - 1) if key.dtype.kind == "u" else None
        kept = samples[..., : colours + _has_alpha(key, colours)]
        if key.photometric == PHOTOMETRIC.PALETTE:
            kept = np.moveaxis(key.colormap[:, samples[..., 0]], 0, -1)
            full = 65535.0
        elif key.photometric == PHOTOMETRIC.SEPARATED:
            assert full is not None
            kept = (full - kept[..., :3]) * ((full - kept[..., 3:4]) / full)
        if _has_alpha(key, colours) and key.extrasamples[0] == _PREMULTIPLIED:  # as it looks on black already
            kept = kept.copy()
            kept[..., -1] = np.where(kept[..., -1] > 0, 1 if full is None else full, 0)
            full = 1.0 if full is None else full
        pixels = plain_array(kept, full)
        if NO_DATA in key.tags and pixels.dtype != np.uint8:
            pixels = np.where(pixels == key.nodata, np.nan, pixels)
        orientation = key.tags.valueof(274, default=1)
        inverted = key.photometric == PHOTOMETRIC.MINISWHITE
        if inverted and pixels.dtype == np.uint8:
            pixels, inverted = 255 - pixels, False
        return Decoded(turned(pixels, orientation), inverted=inverted)


@contextmanager
def _page(file: BinaryIO, max_pixels: int, number: int) -> Iterator[Any]:
    """A page whose header is within what is accepted."""
    file.seek(0)
    try:
        tif = tifffile.TiffFile(file, _multifile=False)
        page: Any = tif.pages[number]
        key = page.keyframe
        width, height, depth = key.imagewidth, key.imagelength, key.imagedepth
        known = key.dtype is not None
    except Exception as error:  # tifffile raises nearly anything on damaged files
        raise DamagedTiff("is not a readable TIFF, or damaged in its header") from error
    with tif:
        checked_pixels(width, height, max_pixels)
        if depth != 1:
            raise BadPicture(f"holds a volume of {depth} planes in one page; one plane a page is expected")
        if not known:
            raise BadPicture(f"holds samples of {key.bitspersample} bits in no known number type")
        yield page


def _colours(page: Any) -> int:
    """How many of the samples are grey or colour; a `BadPicture` where that is not known."""
    samples, photometric = page.samplesperpixel, page.photometric
    if page.dtype.kind not in "uifb":
        raise BadPicture(f"holds numbers of type {page.dtype}; whole or decimal numbers are expected")
    if photometric in (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE):
        if samples == 1 or (samples == 2 and page.extrasamples and page.extrasamples[0] in _ALPHA):
            return 1
        if samples == 3:
            return 3
        raise BadPicture(f"has {samples} channels, none of which is said to be colour; 1, 3 or 4 (RGBA) are expected")
    colours = _COLOURS.get(photometric)
    if colours is None or samples < colours or samples > 64:
        kind = getattr(photometric, "name", str(photometric))
        raise BadPicture(f"has {samples} channels of the kind {kind}; 1, 3 or 4 of grey or RGB are expected")
    if photometric == PHOTOMETRIC.SEPARATED and page.dtype.kind != "u":
        raise BadPicture(f"is CMYK of type {page.dtype}; unsigned whole numbers are expected")
    return colours


def _has_alpha(page: Any, colours: int) -> bool:
    extra = page.extrasamples
    return colours in (1, 3) and len(extra) > 0 and extra[0] in _ALPHA


def _mode(page: Any, colours: int) -> str:
    """What Pillow would call it."""
    if page.photometric == PHOTOMETRIC.SEPARATED:
        return "CMYK"
    if colours == 3 or page.photometric == PHOTOMETRIC.PALETTE:
        return "RGBA" if _has_alpha(page, colours) else "RGB"
    if _has_alpha(page, colours):
        return "LA"
    if page.dtype.kind == "f":
        return "F"
    return "L" if page.dtype == np.uint8 else "I;16" if page.dtype == np.uint16 else "I"
