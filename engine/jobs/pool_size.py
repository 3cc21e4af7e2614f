"""Which classes, and how many images of each, the sweeps of a pipeline need, known before a generator is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.sampling.pools import wanted_classes
from engine.store.errors import ErsatzError
from engine.sweep.arms import extra_count, extra_counts, is_synthetic, ratios_of, require_enough

MARGIN = 0.25
"""Share of images more than the sweeps need, since copies of training images leave the pool before."""


def needed_classes(sweeps: Sequence[SweepConfig], dataset: Dataset) -> tuple[str, ...]:
    """The classes of which the sweeps read synthetic images, for `only_classes` of a pool; () when that is all or none.

    A top-up reads one class or a few, and the others may be by far the larger part of the data set.
    """
    needs = [_needs(config, dataset) for config in sweeps]
    found = tuple(name for name in dataset.classes if any(need[name] for need in needs))
    return () if len(found) == len(dataset.classes) else found


def images_per_class(
    sweeps: Sequence[SweepConfig], dataset: Dataset, wanted: int = 0, only_classes: Sequence[str] = ()
) -> int:
    """The number that was `wanted`, or with 0 what the neediest class of the neediest sweep takes, and `MARGIN` more.

    Raises `ErsatzError` when a sweep would add nothing, or when what is wanted is too few for it, be it images or
    `only_classes` (() for all).
    """
    sampled = wanted_classes(only_classes, dataset)
    need = max((max(_needs(config, dataset).values()) for config in sweeps), default=1)
    if wanted and wanted < need:
        raise ErsatzError(
            f"The pool is to have {wanted} images of each class, but the sweeps need {need} for their highest ratio. "
            "Raise pool.images_per_class (or leave it out), or leave out the high ratios."
        )
    counts = _training_counts(dataset)
    number = wanted or max(1, math.ceil(need * (1 + MARGIN)))
    for config in sweeps:
        require_enough(config, counts, dict.fromkeys(sampled, number))
    return number


def _needs(config: SweepConfig, dataset: Dataset) -> dict[str, int]:
    """Synthetic images of each class that a sweep reads at its highest ratio."""
    counts = _training_counts(dataset)
    per_class = np.array(list(counts.values()))
    arms = [arm for arm in config.arms if is_synthetic(arm)]
    by_arm = [0 * per_class, *(extra_counts(arm, ratios_of(arm, config)[-1], per_class, config) for arm in arms)]
    needs = dict(zip(counts, np.max(by_arm, axis=0).tolist(), strict=True))
    if "synthetic-in-test" in config.flaws:
        # These take images of their own, as many as the real test images times the highest ratio.
        for name in needs:
            needs[name] += extra_count(len(dataset.rows("test", name)), max(config.ratios))
    return {name: need if name in (config.extra_classes or needs) else 0 for name, need in needs.items()}


def _training_counts(dataset: Dataset) -> dict[str, int]:
    return {name: len(dataset.rows("train", name)) for name in dataset.classes}
