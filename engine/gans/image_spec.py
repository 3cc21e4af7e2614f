"""The images that a generator makes: size, channels, classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.store.errors import ErsatzError


@dataclass(frozen=True)
class ImageSpec:
    """`size` x `size` pixels, 1 or 3 channels; `classes` is 0 for an unconditional generator."""

    size: int
    channels: int
    classes: int = 0

    def require_size(self, gan: str, sizes: Sequence[int]) -> None:
        """Raise `ErsatzError` unless the GAN can make this size."""
        if self.size not in sizes:
            raise ErsatzError(
                f"The data set's images are {self.size} px wide; {gan} can make {', '.join(map(str, sizes))} px. "
                "Import the data set again with one of these sizes."
            )
