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
from engine.datasets.reading.pictures.files import FilePicture, is_header
from engine.datasets.reading.pictures.nifti import Axis
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
    axis: Axis = "axial"
    """Direction in which volumes are cut into slices."""
    first: bool = False
    """Of files with several frames or slices the first, and not the middle one, is what the generator has seen."""


def preparation(home: Home, dataset: str, size: int, mode: str) -> Preparation:
    """As the data set that the generator was trained on was imported; the usual way where that is not known."""
    try:
        info = Dataset.open(home, dataset).info if dataset else None
        how, config = (info.provenance.preprocessing, info.config) if info else ({}, {})
    except ErsatzError:  # deleted since; the generator does without
        how, config = {}, {}
    depth, window = how.get("depth"), how.get("window")
    return Preparation(
        size=size,
        mode=mode,
        resize=how.get("resize", "pad"),
        levels=(depth["black"], depth["white"]) if depth else None,
        window=(window[0], window[1]) if window else None,
        axis=config.get("axis", "axial"),
        first=config.get("frames") == "first",
    )


def read_target(path: Path, how: Preparation) -> np.ndarray:
    """uint8 `[size, size, C]` of any picture file that an import reads; an `ErsatzError` when it is none.

    Of a file with several frames or slices, one is taken as `how` says; it is not the outermost unless that is meant,
    which of a volume is mostly empty.
    """
    try:
        picture = FilePicture(_OneFile(path, _beside(path)), path.name, how.window, axis=how.axis)
        frames = picture.facts(MAX_PIXELS).frames
        decoded = picture.of_frame(0 if how.first else frames // 2).decode(MAX_PIXELS)
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


def _beside(path: Path) -> list[str]:
    """The file, and the header of a volume that lies beside its voxels."""
    return [path.name, *(other.name for other in path.parent.glob("*") if is_header(other.name, [path.name]))]


@dataclass(eq=False)  # what is read of a tree is kept by the tree itself
class _OneFile:
    """A single file as a tree, so that the readers of imports take it."""

    path: Path
    names: list[str]

    def open(self, name: str) -> BinaryIO:
        path = self.path.with_name(name)
        if not path.is_file():
            raise BadPicture("cannot be opened (there is no such file)")
        try:
            return path.open("rb")
        except OSError as error:
            raise BadPicture(f"cannot be opened ({error.strerror})") from error

    def close(self) -> None:
        """Nothing is held open."""
