"""The embedded demo set as a source: its slices are drawn when they are decoded."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from engine.datasets.phantom import PhantomImage, phantom
from engine.datasets.phantom_anatomy import SIZE
from engine.datasets.reading.items import Decoded, Facts, Item, Reading, checked_pixels


@dataclass(frozen=True)
class PhantomPicture:
    """A slice of the phantom."""

    image: PhantomImage

    def facts(self, max_pixels: int) -> Facts:
        checked_pixels(SIZE, SIZE, max_pixels)
        return Facts(SIZE, SIZE, "L", 8)

    def decode(self, max_pixels: int) -> Decoded:
        self.facts(max_pixels)
        return Decoded(self.image.pixels)

    def of_frame(self, frame: int) -> PhantomPicture:
        """The slice itself, which is one frame."""
        return self


def read_phantom(seed: int) -> Reading:
    """The embedded demo set."""
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:  # whether there is a bleed takes some computing
        items = list(pool.map(_item, phantom(seed)))
    return Reading(layout="phantom", items=items)


def _item(image: PhantomImage) -> Item:
    return Item(
        source=image.name,
        label=image.class_name,
        picture=PhantomPicture(image),
        group=image.group,
        meta={f"meta_{name}": str(value) for name, value in image.metadata.items()},
    )
