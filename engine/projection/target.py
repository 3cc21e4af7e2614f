"""The image to project, brought to the generator's size and mode as the images that it was trained on were."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from engine.configs import ImportConfig
from engine.datasets.dataset import Dataset
from engine.datasets.preprocess import Resize, to_stored
from engine.datasets.reading.items import BadPicture
from engine.datasets.reading.pictures import FilePicture
from engine.datasets.value_range import levels_of, measure, value_range
from engine.store.errors import ErsatzError
from engine.store.home import Home

MAX_PIXELS = int(ImportConfig.model_fields["max_pixels"].default)


@dataclass(frozen=True)
class Preparation:
    """The preprocessing that turns images into the kind a generator makes."""

    size: int
    mode: str
    """L or RGB."""
    resize: Resize = "pad"
    levels: tuple[float, float] | None = None
    """Values of deep images that become 0 and 255; None: by the image's own range."""
    window: tuple[float, float] | None = None
    """Window of deep grey images as centre and width; None: that of the DICOM file."""


def preparation(home: Home, dataset: str, size: int, mode: str) -> Preparation:
    """As the data set that the generator was trained on was imported; the usual way where that is not known."""
    try:
        how = Dataset.open(home, dataset).info.provenance.preprocessing if dataset else {}
    except ErsatzError:  # deleted since; the generator does without
        how = {}
    depth, window = how.get("depth"), how.get("window")
    return Preparation(
        size=size,
        mode=mode,
        resize=how.get("resize", "pad"),
        levels=(depth["black"], depth["white"]) if depth else None,
        window=(window[0], window[1]) if window else None,
    )


def read_target(path: Path, how: Preparation) -> np.ndarray:
    """uint8 `[size, size, C]` of any picture file that an import reads; an `ErsatzError` when it is none."""
    try:
        decoded = FilePicture(_OneFile(path, [path.name]), path.name, how.window).decode(MAX_PIXELS)
    except BadPicture as error:
        raise ErsatzError(
            f"{path} {error}; a readable image (PNG, JPEG, TIFF, DICOM, ...) is expected to be projected. "
            "Choose another file."
        ) from error
    levels = levels_of(decoded, how.window, how.levels or _own_levels(decoded.pixels))
    stored = to_stored(decoded.pixels, how.size, how.mode, how.resize, levels, decoded.inverted)
    return stored.reshape(how.size, how.size, -1)


def _own_levels(pixels: np.ndarray) -> tuple[float, float] | None:
    """By the rule of imports, from the image alone; None for 8 bits, which need none."""
    found = None if pixels.dtype == np.uint8 else value_range([("", measure(pixels))])
    return found.levels if found else None


@dataclass
class _OneFile:
    """A single file as a tree, so that the readers of imports take it."""

    path: Path
    names: list[str]

    def open(self, name: str) -> BinaryIO:
        if not self.path.is_file():
            raise BadPicture("cannot be opened (there is no such file)")
        try:
            return self.path.open("rb")
        except OSError as error:
            raise BadPicture(f"cannot be opened ({error.strerror})") from error

    def close(self) -> None:
        """Nothing is held open."""
