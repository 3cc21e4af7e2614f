"""Picture files of any supported format and arrays, as `Picture`s."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import BinaryIO

import numpy as np
from PIL import Image, PngImagePlugin

from engine.datasets.preprocess import DEEP_MODES, plain_array, plain_pixels
from engine.datasets.reading.dicom import reader as dicom
from engine.datasets.reading.items import BadPicture, Decoded, Facts, checked_pixels, first_line
from engine.datasets.reading.pictures import nifti, pages, tiff
from engine.datasets.reading.pictures.deep import deep_header
from engine.datasets.reading.recent import RecentTree, recent
from engine.datasets.reading.tree import Tree, ZipTree

FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "DIB", "GIF", "WEBP", "PPM", "JPEG2000", "AVIF")
"""Formats tried, whatever the file's ending; none of them starts another program, as EPS would."""

_ENDINGS = (
    "png apng jpg jpeg jpe jfif tif tiff btf bmp dib gif webp ppm pgm pbm pnm pfm jp2 j2k j2c jpx jpf heic heif hif "
    "avif dcm dicom"
)
PICTURE_ENDINGS = frozenset((*(f".{ending}" for ending in _ENDINGS.split(" ")), *nifti.ENDINGS))

_BITS = {"1": 1, "I": 32, "F": 32}
_HEIF = threading.Lock()

warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # max_pixels is the stricter guard
PngImagePlugin.MAX_TEXT_CHUNK = 2**26  # texts and colour profiles of some MiB are valid; a bomb of them is not
PngImagePlugin.MAX_TEXT_MEMORY = 2**26


def ending(name: str) -> str:
    """The ending of a file's name in small letters, `.nii.gz` as one; '' if there is none."""
    suffixes = PurePosixPath(name.lower()).suffixes
    double = "".join(suffixes[-2:])
    return double if double in PICTURE_ENDINGS else "".join(suffixes[-1:])


def stem(name: str) -> str:
    """The name of a file without folders and ending: `patient1` of `a/patient1.nii.gz`."""
    last = PurePosixPath(name).name
    return last[: len(last) - len(ending(last))]


def is_picture(name: str) -> bool:
    """Whether a file counts as a picture by its ending."""
    return ending(name) in PICTURE_ENDINGS


def is_header(name: str, names: Collection[str]) -> bool:
    """Whether a file is the header of a volume whose voxels lie beside it (`.hdr` and `.img`)."""
    bare = name[: len(name) - len(ending(name))]
    return ending(name) == ".hdr" and any(f"{bare}{voxels}" in names for voxels in (".img", ".IMG", ".img.gz"))


@dataclass(frozen=True)
class FilePicture:
    """A picture in a file of a tree."""

    tree: Tree
    name: str
    window: tuple[float, float] | None = None
    """DICOM window as centre and width, in place of the file's own."""
    frame: int = 0
    """Which of its frames, pages or slices."""
    axis: nifti.Axis = "axial"
    """Direction in which a volume is cut into slices."""

    @property
    def is_volume(self) -> bool:
        """Whether it is of a volume by its ending, even of one with a single slice."""
        return nifti.is_nifti(self.tree, self.name)

    def of_frame(self, frame: int) -> FilePicture:
        tree = self.tree
        if isinstance(tree, ZipTree) and not self.is_volume:  # whose last volumes are kept themselves
            tree = RecentTree(tree)
        return replace(self, tree=tree, frame=frame)

    def facts(self, max_pixels: int) -> Facts:
        if self.is_volume:
            return nifti.facts(self.tree, self.name, max_pixels, self.window, self.axis)
        with self.tree.open(self.name) as file:
            if dicom.is_dicom(file, self.name):
                return dicom.facts(file, max_pixels, self.window, self.frame)
            if header := deep_header(file):
                return header.facts(max_pixels)
            image = _open(file, max_pixels)
            if image is None:
                return _facts_of_tiff(file, max_pixels)
            frames, remarks = _frames(image, file, max_pixels)
            return Facts(
                width=image.width,
                height=image.height,
                mode=image.mode,
                bits=_bits(image, file),
                deep=image.mode in DEEP_MODES,
                frames=frames,
                remarks=(*remarks, *_remarks(image, file)),
            )

    def decode(self, max_pixels: int) -> Decoded:
        if self.is_volume:
            return nifti.decode(self.tree, self.name, max_pixels, self.window, self.axis, self.frame)
        with self.tree.open(self.name) as file:
            if dicom.is_dicom(file, self.name):
                return dicom.decode(file, max_pixels, self.window, self.frame)
            if header := deep_header(file):
                return header.decoded(file, max_pixels)
            image = _open(file, max_pixels)
            if image is None:
                return tiff.decode(file, max_pixels, self._page(file))
            try:
                return Decoded(self._frame_of(image, file, max_pixels))
            except BadPicture:
                raise
            except Exception as error:  # decoders raise nearly anything on damaged files
                if image.format == "TIFF":  # tifffile knows more compressions
                    try:
                        return tiff.decode(file, max_pixels, self._page(file))
                    except BadPicture:
                        pass
                raise BadPicture(f"is truncated or damaged ({first_line(error)})") from error

    def _frame_of(self, image: Image.Image, file: BinaryIO, max_pixels: int) -> np.ndarray:
        """The pixels of the wanted frame or page."""
        if image.format == "TIFF":
            if pages.may_hold_pages(image):
                image.seek(self._page(file))
        elif self.frame and pages.fits(image):
            frames = recent(self.tree).get(
                ("animation", self.name),
                lambda: pages.animation(image, max_pixels),
                lambda frames: sum(frame.nbytes for frame in frames),
            )
            return frames[self.frame]
        elif self.frame:
            image.seek(self.frame)
        checked_pixels(image.width, image.height, max_pixels)
        return plain_pixels(image)

    def _page(self, file: BinaryIO) -> int:
        """The number in the file of the wanted page of a TIFF, from 0, as Pillow and tifffile count."""
        found = recent(self.tree).get(("pages", self.name), lambda: pages.tiff_pages(file))
        if self.frame >= len(found.numbers):
            raise BadPicture(f"has {len(found.numbers)} pages; there is no page {self.frame + 1}")
        return found.numbers[self.frame]


@dataclass(frozen=True)
class ArrayPicture:
    """A picture in memory: `[H, W]` or `[H, W, C]`, C of 1, 3 or 4, of any number type."""

    array: np.ndarray

    def of_frame(self, frame: int) -> ArrayPicture:
        """The array itself, which is one frame."""
        return self

    def facts(self, max_pixels: int) -> Facts:
        height, width = self.array.shape[:2]
        checked_pixels(width, height, max_pixels)
        channels = self.array.shape[2] if self.array.ndim == 3 else 1
        mode = {1: "L", 3: "RGB", 4: "RGBA"}.get(channels)
        if mode is None:
            raise BadPicture(f"has {channels} channels; 1, 3 or 4 are expected")
        if self.array.dtype.kind not in "buif":
            raise BadPicture(f"holds {self.array.dtype}; whole or decimal numbers are expected")
        bits = 1 if self.array.dtype == bool else 8 * self.array.dtype.itemsize
        return Facts(width, height, mode, bits, deep=self.array.dtype not in (bool, np.uint8))

    def decode(self, max_pixels: int) -> Decoded:
        self.facts(max_pixels)
        try:
            return Decoded(plain_array(self.array))
        except (ValueError, TypeError) as error:
            raise BadPicture(f"is not an image ({error})") from error


def _open(file: BinaryIO, max_pixels: int) -> Image.Image | None:
    """The header of a picture file, within the size allowed; pixels are not decoded yet. None for a TIFF that Pillow
    does not read whole, with the file at its start."""
    start = file.read(26)
    file.seek(0)
    if not start:
        raise BadPicture("is empty (0 bytes)")
    formats: tuple[str, ...] = FORMATS
    if start[4:8] == b"ftyp":
        _register_heif()
        formats = ("AVIF", "HEIF")
    try:
        image = Image.open(file, formats=formats)
    except Image.DecompressionBombError as error:
        raise BadPicture(f"is larger than any image accepted (a decompression bomb? {first_line(error)})") from error
    except Exception as error:  # decoders raise nearly anything on damaged files
        file.seek(0)
        if start.startswith(tiff.MAGIC) and _is_sound_tiff(file, max_pixels):
            return None
        if isinstance(error, Image.UnidentifiedImageError):
            raise BadPicture("is not an image, or damaged in its first bytes") from error
        raise BadPicture(f"is damaged in its header ({first_line(error)})") from error
    checked_pixels(image.width, image.height, max_pixels)
    if image.format == "PNG" and start[24] in (2, 4) and image.mode == "L" and "transparency" in image.info:
        image.info["transparency"] *= 255 // (2 ** start[24] - 1)  # Pillow scales the pixels of few bits, but not this
    if image.format == "HEIF" and image.mode in DEEP_MODES:  # pi-heif 1.4 crashes where header and picture disagree
        raise BadPicture(
            f"is a grey HEIC of {image.info.get('bit_depth')} bits, which cannot be read safely; grey of 8 bits or "
            "colour is expected, so save it as a 16-bit PNG"
        )
    if image.format == "TIFF" and not tiff.suits_pillow(image):
        file.seek(0)
        return None
    return image


def _facts_of_tiff(file: BinaryIO, max_pixels: int) -> Facts:
    """Of a TIFF that Pillow does not read whole."""
    found = pages.tiff_pages(file)
    facts = tiff.facts(file, max_pixels, found.numbers[0])
    return replace(facts, frames=len(found.numbers), remarks=(*facts.remarks, *found.remarks))


def _frames(image: Image.Image, file: BinaryIO, max_pixels: int) -> tuple[int, tuple[str, ...]]:
    """How many frames, pages or slices are pictures of their own, and what must be said of the others.

    Leaves a TIFF at its first page that counts.
    """
    if image.format != "TIFF":
        return pages.count(image), ()
    if not pages.may_hold_pages(image):
        return 1, ()
    found = pages.tiff_pages(file)
    image.seek(found.numbers[0])  # a thumbnail may stand before the picture
    checked_pixels(image.width, image.height, max_pixels)
    return len(found.numbers), found.remarks


def _is_sound_tiff(file: BinaryIO, max_pixels: int) -> bool:
    """Whether the header is that of a TIFF; a `BadPicture` says what else is wrong with one. File at its start."""
    try:
        tiff.facts(file, max_pixels)
    except tiff.DamagedTiff:
        return False
    finally:
        file.seek(0)
    return True


def _register_heif() -> None:
    """Teach Pillow HEIC, on the first such file only: the library behind it takes its time to load."""
    with _HEIF:
        if "HEIF" not in Image.OPEN:
            import pi_heif

            # the images of an import are decoded side by side already
            pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)


def _bits(image: Image.Image, file: BinaryIO) -> int:
    """Bits per sample in the file."""
    if image.format == "HEIF":
        return int(image.info.get("bit_depth") or 8)
    if image.format == "AVIF":
        return _avif_bits(file)
    return _BITS.get(image.mode, 16 if "16" in image.mode else 8)


def _avif_bits(file: BinaryIO) -> int:
    """From the configuration of its codec (AV1-ISOBMFF, 2.3.3)."""
    at = file.tell()
    file.seek(0)
    content = file.read(2**16)
    file.seek(at)
    where = content.find(b"av1C")
    if where < 0 or where + 7 > len(content) or not content[where + 6] & 0x40:
        return 8
    return 12 if content[where + 6] & 0x20 else 10


def _remarks(image: Image.Image, file: BinaryIO) -> tuple[str, ...]:
    if image.format in ("HEIF", "AVIF") and (bits := _bits(image, file)) > 8:
        return (f"are {image.format.replace('HEIF', 'HEIC')} of {bits} bits, of which the highest 8 are used",)
    if image.format == "TIFF" and tiff.has_extra_samples(image):
        return (tiff.EXTRA_SAMPLES,)
    return ()
