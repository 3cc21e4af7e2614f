"""Items that every reader yields: a label, and a picture that is decoded on demand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from engine.store.errors import ErsatzError


@dataclass(frozen=True)
class Facts:
    """The header of a picture, read before any pixel is decoded."""

    width: int
    height: int
    mode: str
    """Pillow mode, or photometric interpretation of a DICOM file."""
    bits: int
    """Bits per sample in the file."""
    deep: bool = False
    """More than 8 bits of grey, without a window of its own: brought to 8 bits by one range for the whole data set."""
    group: str = ""
    """Patient id, if the file holds one."""
    frames: int = 1
    """Frames in the file, of which the first is used."""


@dataclass(frozen=True)
class Decoded:
    """Pixels of one source picture, upright and without alpha."""

    pixels: np.ndarray
    """uint8 `[H, W]` or `[H, W, 3]`, or float32 `[H, W]` or `[H, W, 3]` in the file's own units."""
    window: tuple[float, float] | None = None
    """Values shown as black and as white, if the file or the config says so."""
    inverted: bool = False
    """Low values are white (MONOCHROME1)."""


class Picture(Protocol):
    """One source picture. Both methods raise `BadPicture`."""

    def facts(self, max_pixels: int) -> Facts: ...

    def decode(self, max_pixels: int) -> Decoded: ...


class BadPicture(Exception):
    """One picture cannot be used; the message completes the sentence `<file> ...`."""


@dataclass(frozen=True)
class Item:
    """One labelled picture of a source."""

    source: str
    """Name relative to the source, unique in it."""
    label: str
    """Class as found in the source."""
    picture: Picture
    split: str = ""
    """train, valid, test, or '' when the source has no splits."""
    group: str = ""
    """Patient or other group; '' if unknown."""
    meta: dict[str, str] = field(default_factory=dict)
    """Further columns of the CSV."""


@dataclass(frozen=True)
class Reading:
    """All items of a source, and how it was understood."""

    layout: str
    """How the source was read, for people."""
    items: list[Item]
    label_names: dict[str, str] = field(default_factory=dict)
    """Names that the source itself gives to its labels (MedMNIST)."""
    closed_labels: bool = False
    """Labels outside `ImportConfig.class_names` are errors when those are given (a CSV's labels, not folder names)."""
    notes: list[str] = field(default_factory=list)
    """Sentences on what was left out or decided."""


def checked_pixels(width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture that is too large, by its header alone."""
    if width < 1 or height < 1:
        raise BadPicture(f"has no pixels ({width}x{height})")
    if width * height > max_pixels:
        raise BadPicture(
            f"has {width}x{height} pixels, more than max_pixels = {max_pixels} allows "
            "(a decompression bomb? raise max_pixels if you trust it)"
        )


def bad_pictures(problems: dict[str, str], total: int) -> ErsatzError:
    """One sentence for all pictures that cannot be used: the first few, and how many there are."""
    first = "; ".join(f"{source} {reason}" for source, reason in list(problems.items())[:3])
    more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
    return ErsatzError(
        f"{len(problems)} of {total} images cannot be used: {first}{more}. "
        "Only readable images are expected; repair or remove these files and import again, or leave them out with "
        "skip_unreadable."
    )
