"""Preview of a remedy, in numbers, from the manifest alone."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from engine.datasets import remedies
from engine.datasets.dataset import Dataset
from engine.datasets.finalize import as_given
from engine.datasets.image_stats import measured
from engine.datasets.manifest import usable
from engine.datasets.split_units import numbers


@dataclass(frozen=True)
class Effect:
    """Images by class and independent units (patients, or images without one), before and after."""

    images: dict[str, tuple[int, int]]
    units: tuple[int, int]
    moved: int
    """Images that change from one split of the source to another."""

    @property
    def left_out(self) -> int:
        """How many more images are left out than before."""
        return sum(before - after for before, after in self.images.values())


def effect_of(dataset: Dataset, remedy: str) -> Effect:
    """The effect of `remedy` on top of those applied before it (or its past effect, if it was applied)."""
    applied = [name for name in dataset.info.config["remedies"] if name != remedy]
    given = measured(as_given(dataset.manifest), dataset.path)
    before, after = (_kept(given, names) for names in (applied, [*applied, remedy]))
    counts = [rows["class"].value_counts() for rows in (before, after)]
    return Effect(
        images={name: (int(counts[0].get(name, 0)), int(counts[1].get(name, 0))) for name in sorted(counts[0].index)},
        units=(int(numbers(before).nunique()), int(numbers(after).nunique())),
        moved=int((before["split"].reindex(after.index) != after["split"]).sum()),
    )


def _kept(given: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    return usable(remedies.apply(given, names))
