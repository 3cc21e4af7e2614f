"""Items that every reader yields: a label, and a picture that is decoded on demand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from engine.datasets.reading.questions import Option
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
    """More than 8 bits, without a window of its own: brought to 8 bits by one range for the whole data set."""
    group: str = ""
    """Patient id, if the file holds one."""
    frames: int = 1
    """Frames, pages or slices in the file, each of which can be a picture of its own."""
    series: str = ""
    """Of a slice in a file of its own: the volume it belongs to (DICOM's SeriesInstanceUID)."""
    position: float = 0.0
    """Where the slice lies in its series, along its normal; only the order counts."""
    study: str = ""
    """The examination that the picture is of (DICOM's StudyInstanceUID)."""
    window: tuple[float, float] | None = None
    """Values shown as black and as white, if the file itself says so."""
    remarks: tuple[str, ...] = ()
    """What must be said of the picture, each completing the sentence `<so many> images ...`, such as `hold several
    windows, of which the first is used`. The same remark of many pictures is said once, with their number."""


@dataclass(frozen=True)
class Decoded:
    """Pixels of one source picture, upright and without alpha."""

    pixels: np.ndarray
    """uint8 `[H, W]` or `[H, W, 3]`, or float32 `[H, W]` or `[H, W, 3]` in the file's own units.

    Not-a-number is padding: it takes no part in any range and is stored black.
    """
    window: tuple[float, float] | None = None
    """Values shown as black and as white, if the file or the config says so."""
    inverted: bool = False
    """Low values are white (MONOCHROME1)."""


class Picture(Protocol):
    """One source picture. Both methods raise `BadPicture`."""

    def facts(self, max_pixels: int) -> Facts: ...

    def decode(self, max_pixels: int) -> Decoded: ...

    def of_frame(self, frame: int) -> Picture:
        """The picture of one of its frames, counted from 0."""
        ...


class BadPicture(Exception):
    """One picture cannot be used; the message completes the sentence `<file> ...`."""


class NotAnImage(BadPicture):
    """A sound file that holds no image, such as a DICOM report: left out and counted, never a reason to stop.

    The message completes the sentence `<so many> files ...`, such as `hold no image (DICOM structured reports)`.
    """


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
    group_guessed: bool = False
    """The group is the name of a folder that looks like one of a patient; what the file itself says goes before it."""


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
    offers: tuple[Option, ...] = ()
    """Other settings that the source suggests, such as a column that looks like one of patients."""


def checked_pixels(width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture that is too large, by its header alone."""
    if width < 1 or height < 1:
        raise BadPicture(f"has no pixels ({width}x{height})")
    if width * height > max_pixels:
        raise BadPicture(
            f"has {width}x{height} pixels, more than max_pixels = {max_pixels} allows "
            "(a decompression bomb? raise max_pixels if you trust it)"
        )


def first_line(error: Exception) -> str:
    """What an error says in one line, without a full stop at its end; its kind where it says nothing."""
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__


def bad_pictures(problems: dict[str, str], total: int) -> ErsatzError:
    """One sentence for all pictures that cannot be used: the first few, and how many there are."""
    first = "; ".join(f"{source} {reason}" for source, reason in list(problems.items())[:3])
    more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
    return ErsatzError(
        f"{len(problems)} of {total} images cannot be used: {first}{more}. "
        "Only readable images are expected; repair or remove these files and import again, or leave them out with "
        "skip_unreadable."
    )
