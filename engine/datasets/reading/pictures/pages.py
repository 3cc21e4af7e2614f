"""Which pages of a TIFF and frames of an animation are pictures of their own, and one of them.

No pictures of their own are: pages that are marked as reduced (pyramids, thumbnails) or as masks, pages of another size
than the first, sub-files, further channels of a stack (OME-TIFF, ImageJ) that has depths or times, and the second
picture of a JPEG (MPO: the other eye, or a preview). Sources: TIFF 6.0, tags 254 and 255; OME-TIFF; ImageJ's
hyperstacks, as tifffile reads them.
"""

from __future__ import annotations

import io
import logging
import re
import struct
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import Image
from tifffile import TiffFile, TiffPage

from engine.datasets.preprocess import plain_pixels
from engine.datasets.reading.items import BadPicture, checked_pixels
from engine.datasets.reading.recent import KEPT_BYTES

NO_FRAMES = frozenset({"MPO"})
"""Formats whose further pictures are no frames."""
REDUCED, MASK = 1, 4
"""Bits of NewSubfileType."""

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it finds amiss is found, or does no harm


MOST_VALUES = 1_000_000
"""Of an entry of a TIFF's directory, where the file has fewer bytes: a large picture has a thousand strips."""
MOST_ENTRIES = 2**16
"""Of a directory; what claims more is no TIFF that anything reads."""


@dataclass(frozen=True)
class Pages:
    """Pages of a TIFF that are pictures of their own."""

    numbers: tuple[int, ...]
    """Their numbers among the pages in the file, in order; from 0."""
    remarks: tuple[str, ...] = ()


def tiff_pages(file: BinaryIO) -> Pages:
    """The pages of a TIFF; leaves the file at its start. What tifffile cannot follow is a file of one page."""
    if _in_a_circle(file):
        raise BadPicture("is damaged (its pages follow each other in a circle)")
    file.seek(0)
    try:
        with TiffFile(file, _multifile=False) as tiff:
            if tiff.is_ome or tiff.is_imagej:
                return _of_stack(tiff)
            return _of_pages(tiff)
    except BadPicture:
        raise
    except Exception:  # damage after the first page is found when a page is decoded
        return Pages((0,))
    finally:
        file.seek(0)


def _in_a_circle(file: BinaryIO) -> bool:
    """Whether the chain of a TIFF's directories leads back to one that it passed: tifffile would follow it for ever."""
    file.seek(0)
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 16:
        return False
    big = head[2:4] in (b"\x2b\x00", b"\x00\x2b")
    counts, offsets, entry = (f"{order}Q", f"{order}Q", 20) if big else (f"{order}H", f"{order}I", 12)
    (offset,) = struct.unpack(offsets, head[8:16] if big else head[4:8])
    length = file.seek(0, io.SEEK_END)
    seen: set[int] = set()
    while offset and offset not in seen:
        seen.add(offset)
        file.seek(offset)
        written = file.read(struct.calcsize(counts))
        if len(written) < struct.calcsize(counts):
            return False
        (entries,) = struct.unpack(counts, written)
        if entries > MOST_ENTRIES:
            return False
        _refuse_endless(file.read(entries * entry), entry, f"{order}HHQ" if big else f"{order}HHI", length)
        following = file.read(struct.calcsize(offsets))
        if len(following) < struct.calcsize(offsets):
            return False
        (offset,) = struct.unpack(offsets, following)
    return offset != 0


def _refuse_endless(entries: bytes, step: int, form: str, length: int) -> None:
    """Raise `BadPicture` for an entry of a directory that claims very many more values than the file has bytes."""
    for start in range(0, len(entries) - step + 1, step):
        _, _, values = struct.unpack(form, entries[start : start + struct.calcsize(form)])
        if values > max(MOST_VALUES, length):
            raise BadPicture(f"is damaged (an entry of its directory claims {values:,} values)")


def count(image: Image.Image) -> int:
    """Frames of any other format."""
    if image.format in NO_FRAMES:
        return 1
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # damage after the first frame is found when that frame is decoded
        return 1


def may_hold_pages(image: Image.Image) -> bool:
    """Whether a TIFF is worth a look at its pages, which costs about a millisecond."""
    description = str(getattr(image, "tag_v2", {}).get(270, ""))
    return count(image) > 1 or "images=" in description or "OME" in description[:1000] or '"shape"' in description


def fits(image: Image.Image) -> bool:
    """Whether all frames of an animation can be kept at once."""
    return count(image) * image.width * image.height * 3 <= KEPT_BYTES


def animation(image: Image.Image, max_pixels: int) -> list[np.ndarray]:
    """All frames of an animation, in order, since each builds on those before it."""
    frames = []
    for number in range(count(image)):
        image.seek(number)
        checked_pixels(image.width, image.height, max_pixels)
        frames.append(plain_pixels(image))
    return frames


def _of_pages(tiff: TiffFile) -> Pages:
    pages = [page for page in tiff.pages if isinstance(page, TiffPage)]
    _described(tiff, len(pages))
    whole = [page for page in pages if not _is_reduced(page)] or pages[:1]
    same = [page for page in whole if page.shape[:2] == whole[0].shape[:2]]
    others = ("are of TIFF files with pages of other sizes besides, which are not used",)
    return Pages(tuple(int(page.index) for page in same), others if len(same) < len(whole) else ())


def _is_reduced(page: TiffPage) -> bool:
    old = page.tags.get(255)
    return bool(int(page.subfiletype) & (REDUCED | MASK)) or (old is not None and old.value == 2)


def _of_stack(tiff: TiffFile) -> Pages:
    """Planes of all depths and times, of several channels the first; where there are only channels, all of these."""
    series = tiff.series[0]
    _described(tiff, len(tiff.pages))
    inside = sum(axis in "YXS" for axis in series.axes)
    lengths, axes = series.shape[: len(series.shape) - inside], series.axes[: len(series.axes) - inside]
    numbers: np.ndarray = np.arange(int(np.prod(lengths, dtype=int))).reshape(lengths)
    channels = axes.find("C")
    remarks = []
    if channels >= 0 and numbers.size == lengths[channels] > 1:  # they may as well be slices that were saved so
        remarks.append("are single channels of stacks with several channels")
    elif channels >= 0 and lengths[channels] > 1:
        numbers = np.take(numbers, 0, axis=channels)
        remarks.append("are of stacks with several channels, of which the first is used")
    if len(tiff.series) > 1:
        remarks.append("are of TIFF files with several stacks, of which the first is used")
    pages = [series.pages[int(number)] for number in numbers.ravel()]
    return Pages(tuple(int(page.index) for page in pages if page is not None), tuple(remarks))


def _described(tiff: TiffFile, pages: int) -> None:
    """Refuse what ImageJ and tifffile write above 4 GiB: a single page that stands for many."""
    described = tiff.pages.first.description or ""
    found = re.search(r"^images=(\d{1,18})", described, re.MULTILINE) if tiff.is_imagej else None
    told = int(found[1]) if found else 1
    if tiff.is_shaped and tiff.shaped_metadata and tiff.series[0].dataoffset is not None and pages == 1:
        told = tiff.series[0].size // max(1, tiff.pages.first.size)
    if pages == 1 and told > 1:
        raise BadPicture(
            f"holds {told} pages under the directory of one, as ImageJ writes very large stacks; a directory for each "
            "page is expected, so save it again as an image sequence or as OME-TIFF"
        )
