"""How many synthetic images of each class the sweeps of a journey need, known before a generator is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.store.errors import ErsatzError
from engine.sweep.arms import extra_count, extra_counts, is_synthetic, ratios_of, require_enough

MARGIN = 0.25
"""Share of images more than the sweeps need, since copies of training images leave the pool before."""


def images_per_class(sweeps: Sequence[SweepConfig], dataset: Dataset, wanted: int = 0) -> int:
    """The number that was `wanted`, or with 0 what the neediest class of the neediest sweep takes, and `MARGIN` more.

    Raises `ErsatzError` when a sweep would add nothing, or when what is wanted is too few for it.
    """
    counts = {name: len(dataset.rows("train", name)) for name in dataset.classes}
    need = max((_need(config, counts, dataset) for config in sweeps), default=1)
    if wanted and wanted < need:
        raise ErsatzError(
            f"The pool is to have {wanted} images of each class, but the sweeps need {need} for their highest ratio. "
            "Raise pool.images_per_class (or leave it out), or leave out the high ratios."
        )
    number = wanted or max(1, math.ceil(need * (1 + MARGIN)))
    for config in sweeps:
        require_enough(config, counts, dict.fromkeys(counts, number))
    return number


def _need(config: SweepConfig, counts: dict[str, int], dataset: Dataset) -> int:
    """Images of the class that needs most."""
    arms = [arm for arm in config.arms if is_synthetic(arm)]
    chosen = [name in (config.extra_classes or dataset.classes) for name in counts]
    per_class = np.array(list(counts.values()))
    need = max(
        (extra_counts(arm, ratios_of(arm, config)[-1], per_class, config)[chosen].max() for arm in arms), default=0
    )
    if "synthetic-in-test" not in config.flaws:
        return int(need)
    # These take images of their own, as many as the real test images times the highest ratio.
    return int(need) + max(extra_count(len(dataset.rows("test", name)), max(config.ratios)) for name in counts)
