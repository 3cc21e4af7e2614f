"""What of a stored image is picture: a thumbnail without padding, and a mask without the rim around the content.

Medical images of one kind share their frame: black bars of padding, the round field of a dermatoscope, the air around a
head. Compared with it, any two of them look alike, so only what is inside counts.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import binary_erosion, label

from engine.datasets.watched import UNWATCHED, Watched

SIZE = 64
"""Width and height of the thumbnails of the content."""
WHOLE = 32
"""Width and height of the thumbnails of the whole image, on which the spread of its grey levels is measured."""
DARK = 24
"""Grey levels (of 255) up to which what touches the border is rim, for cameras' black is not quite 0."""
LEVEL_TOLERANCE = 8
"""Grey levels around that of the border within which a side of another colour is padding."""
FLAT = 1
"""Grey levels around its middle within which more than half of padding that is not black lies, compressed or not:
skin, sky and other smooth backgrounds are alike too, but not flat. To cut them would leave copies nothing to compare.
"""
BAR = 0.9
"""Share of a row or column at the level of the border that makes it padding; the rest is a letter or compression."""
RIM = 2
"""Pixels of the thumbnail inside the rim that count as rim: there the content's outline fades into it."""


READ = 256
"""Images that are read together."""

Content = tuple[np.ndarray, np.ndarray, bool, np.ndarray]
"""Of one image: thumbnail `[64, 64]`, mask `[64, 64]`, fine, and the whole image's thumbnail `[32, 32]`."""


@dataclass(frozen=True)
class Contents:
    """Of N images: thumbnails of their content uint8 `[N, 64, 64]`, masks bool `[N, 64, 64]` of what is not rim,
    whether the content has 64 pixels or more each way (`fine` `[N]`), and `spread` `[N]`, the grey levels between the
    1st and 99th percentile of the whole image.
    """

    thumbnails: np.ndarray
    masks: np.ndarray
    fine: np.ndarray
    spread: np.ndarray

    def of(self, rows: np.ndarray) -> Contents:
        """The contents of some of the images (indexes or a mask)."""
        return Contents(self.thumbnails[rows], self.masks[rows], self.fine[rows], self.spread[rows])


def read_contents(paths: pd.Series, folder: Path, watched: Watched = UNWATCHED) -> Contents:
    """The contents of the stored images `folder / path`, in order; reads every image once."""

    def read(path: str) -> Content:
        with Image.open(folder / path) as image:
            return content_of(image.convert("L"))

    found = _empty(len(paths))
    with ThreadPoolExecutor() as pool:  # Pillow decodes outside the interpreter lock
        for start in range(0, len(paths), READ):
            for number, content in enumerate(pool.map(read, paths.iloc[start : start + READ]), start):
                _put(found, number, content)
            watched.at("look at pictures", min(start + READ, len(paths)), len(paths))
    return found


def stacked(contents: list[Content]) -> Contents:
    """What `content_of` gave for each image, as one."""
    found = _empty(len(contents))
    for number, content in enumerate(contents):
        _put(found, number, content)
    return found


def _empty(count: int) -> Contents:
    shape = (count, SIZE, SIZE)
    return Contents(np.zeros(shape, np.uint8), np.zeros(shape, bool), np.zeros(count, bool), np.zeros(count))


def _put(contents: Contents, number: int, content: Content) -> None:
    contents.thumbnails[number], contents.masks[number], contents.fine[number], whole = content
    low, high = np.percentile(whole, (1, 99))
    contents.spread[number] = high - low


def content_of(image: Image.Image) -> Content:
    """The content of a grey picture."""
    whole = np.asarray(image.resize((WHOLE, WHOLE), Image.Resampling.BOX))
    left, top, right, bottom = _without_bars(np.asarray(image))
    # Averaging loses nothing when a picture shrinks; a smaller one has to be interpolated.
    fine = min(right - left, bottom - top) >= SIZE
    how = Image.Resampling.BOX if fine else Image.Resampling.BILINEAR
    thumbnail = np.asarray(image.resize((SIZE, SIZE), how, box=(left, top, right, bottom)))
    return thumbnail, _inside(thumbnail), fine, whole


def _without_bars(pixels: np.ndarray) -> tuple[int, int, int, int]:
    """The box (left, top, right, bottom) of `[H, W]` without the rows and columns of padding on each side."""
    top, bottom = _bars(pixels)
    left, right = _bars(pixels[top:bottom].T)
    return left, top, right, bottom


def _bars(pixels: np.ndarray) -> tuple[int, int]:
    """First row that is no padding, and the one after the last; all of them if none would be left."""
    ends = []
    for side in (pixels, pixels[::-1]):
        level = _middle(side[0])
        alike = np.count_nonzero(_at_level(side[0], level)) >= BAR * side.shape[1]
        if not alike or not _is_flat(side[0], level):  # as on most sides: no padding
            ends.append(0)
            continue
        padding = np.count_nonzero(_at_level(side, level), axis=1) >= BAR * side.shape[1]
        ends.append(len(pixels) if padding.all() else int(np.argmin(padding)))
    first, last = ends[0], len(pixels) - ends[1]
    return (first, last) if last - first >= len(pixels) // 8 else (0, len(pixels))


def _middle(values: np.ndarray) -> int:
    """The median, without what NumPy's costs for so few."""
    return int(np.sort(values)[len(values) // 2])


def _at_level(pixels: np.ndarray, level: int) -> np.ndarray:
    if level <= DARK:
        return pixels <= DARK
    return (pixels >= max(0, level - LEVEL_TOLERANCE)) & (pixels <= min(255, level + LEVEL_TOLERANCE))


def _is_flat(pixels: np.ndarray, level: int) -> bool:
    """Whether pixels at the level of a border are padding: dark, or nearly all of one value."""
    if level <= DARK:
        return True
    return bool(2 * np.count_nonzero(np.abs(pixels.astype(np.int16) - level) <= FLAT) > pixels.size)


def _inside(thumbnail: np.ndarray) -> np.ndarray:
    """Mask of what is not rim: the dark that touches the border, or whatever most of the border is alike."""
    edge = np.concatenate([thumbnail[0], thumbnail[-1], thumbnail[:, 0], thumbnail[:, -1]])
    rim = thumbnail <= DARK
    level = _middle(edge)
    if level > DARK and _at_level(edge, level).mean() > 0.75 and _is_flat(edge, level):
        rim |= _at_level(thumbnail, level)
    if not rim.any():
        return np.ones(thumbnail.shape, bool)
    parts, _ = label(rim)
    is_inside = np.ones(parts.max() + 1, bool)
    for side in (parts[0], parts[-1], parts[:, 0], parts[:, -1]):
        is_inside[side] = False
    is_inside[0] = True  # what is no part: not dark
    return binary_erosion(is_inside[parts], iterations=RIM, border_value=1)
