"""Masks beside volumes: `<name><suffix>` with any ending, in the folder of the volume, marks what is of interest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np

from engine.datasets.reading.items import BadPicture, Facts
from engine.datasets.reading.pictures.files import FilePicture, is_picture, stem
from engine.datasets.reading.recent import recent
from engine.datasets.reading.tree import Tree


@dataclass(frozen=True)
class Masks:
    """Masks by the suffix of their names; '' stands for none."""

    suffix: str

    def is_mask(self, name: str) -> bool:
        """Whether a file is a mask, which is never an image."""
        return bool(self.suffix) and stem(name).casefold().endswith(self.suffix.casefold())

    def marked(self, picture: FilePicture, facts: Facts, max_pixels: int) -> list[bool] | None:
        """Whether the mask of a file marks any pixel in each of its frames; None if it has no mask.

        A `BadPicture` if the mask cannot be read or is of another shape.
        """
        name = self.of(picture.tree, picture.name)
        if not name:
            return None
        mask = replace(picture, name=name, window=None)
        try:
            found = mask.facts(max_pixels)
            shapes = [(fact.width, fact.height, fact.frames) for fact in (facts, found)]
            if shapes[0] != shapes[1]:
                one, other = ("x".join(map(str, shape)) for shape in shapes)
                raise BadPicture(
                    f"is of another shape ({other}) than the image ({one}: width, height, slices), where the same is "
                    "expected"
                )
            return [_marks(mask.of_frame(frame).decode(max_pixels).pixels) for frame in range(found.frames)]
        except BadPicture as error:
            raise BadPicture(f"has the mask {PurePosixPath(name).name}, which {error}") from error

    def of(self, tree: Tree, name: str) -> str:
        """The mask of a file; '' if there is none.

        `case1_seg.nii.gz` is that of `case1.nii.gz`, and where there is no nearer one that of `case1_t1.nii.gz` too.
        """
        if not self.suffix:
            return ""
        masks, images = recent(tree).get(("masks", self.suffix), lambda: self._by_image(tree))
        own = beginning = _key(name)
        while beginning not in masks and "_" in PurePosixPath(beginning).name:
            beginning = beginning.rpartition("_")[0]
        return masks.get(beginning, "") if beginning == own or beginning not in images else ""

    def _by_image(self, tree: Tree) -> tuple[dict[str, str], set[str]]:
        """Masks by the name of their image without ending, and the names of the images without ending."""
        pictures = [name for name in tree.names if is_picture(name)]
        masks = [name for name in pictures if self.is_mask(name)]
        images = {_key(name) for name in pictures if not self.is_mask(name)}
        return {_key(name)[: -len(self.suffix)]: name for name in masks}, images


def _key(name: str) -> str:
    """Folder and name without ending, whatever the capitals."""
    return f"{PurePosixPath(name).parent.as_posix()}/{stem(name)}".casefold()


def _marks(pixels: np.ndarray) -> bool:
    return bool(np.any(np.nan_to_num(pixels) != 0))
