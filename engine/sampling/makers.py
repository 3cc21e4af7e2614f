"""Which generator made which image of a pool, where a class has several that differ by the seed of their training.

A sweep then takes the images of each repetition from one of them, in turn, so that the luck of training a generator
is in its results as a factor of its own (`engine/sweep/comparisons.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from engine.sampling.exported import GeneratorInfo
from engine.sampling.pool_info import PoolInfo
from engine.store.errors import ErsatzError

MAY_DIFFER = frozenset({"seed", "device", "gpus", "cuda_graphs", "precision", "snapshot_ticks", "grid", "class_name"})
"""Settings of a training that do not make another kind of generator."""


@dataclass(frozen=True)
class Makers:
    """Of each image of a pool, which of its class's generators made it, `[N]`, and how many each class has."""

    of: np.ndarray
    count: int

    def turn(self, seed: int, first_seed: int) -> int:
        """Whose turn it is in the repetition with this seed."""
        return (seed - first_seed) % self.count


def generators_a_class(info: PoolInfo) -> int:
    """How many generators each class has; where images were not sampled here, or pools were mixed, none takes turns."""
    if info.origin is not None:
        return 1
    return min((len(runs) for runs in _generators_of(info).values()), default=1) or 1


def makers_of(rows: pd.DataFrame, info: PoolInfo) -> Makers:
    """Of rows of the pool's manifest."""
    count = generators_a_class(info)
    if count == 1:
        return Makers(np.zeros(len(rows), np.int64), 1)
    place = {(name, run): number for name, runs in _generators_of(info).items() for number, run in enumerate(runs)}
    of = [place[name, run] for name, run in zip(rows["class"], rows["generator"], strict=True)]
    return Makers(np.array(of, np.int64), count)


def _generators_of(info: PoolInfo) -> dict[str, list[str]]:
    """The runs of the generators that make each class, in the pool's order."""
    return {name: [each.run for each in info.generators if name in each.classes] for name in info.classes}


def require_alike(
    infos: Sequence[GeneratorInfo], trainings: Sequence[Mapping[str, Any]], wanted: Sequence[str]
) -> None:
    """Raise `ErsatzError` unless several generators of a class are a sample of what one training gives: equally many
    of each class, none twice, and trained alike but for the seed (`trainings` are their configs)."""
    of_class = {name: [place for place, info in enumerate(infos) if name in info.classes] for name in wanted}
    fewest, most = (choose(of_class, key=lambda name: len(of_class[name])) for choose in (min, max))
    if 0 < len(of_class[fewest]) < len(of_class[most]):  # a class without any is told by who makes the pool
        raise ErsatzError(
            f"{len(of_class[most])} generators make the class {most}, and {len(of_class[fewest])} {fewest}; equally "
            "many of each are expected, one or several that differ by the seed of their training. Leave some out, or "
            "add some."
        )
    for name, places in of_class.items():
        if not places:
            continue  # as above
        runs = " and ".join(infos[place].run for place in places)
        if len({infos[place].sha256 for place in places}) < len(places):
            raise ErsatzError(
                f"The generators of the class {name} ({runs}) are not different ones; several of a class are trained "
                "with a seed each. Leave one of them out, or train another with another seed."
            )
        first = trainings[places[0]]
        for place in places[1:]:
            other = trainings[place]
            apart = sorted(
                key for key in (first.keys() | other.keys()) - MAY_DIFFER if first.get(key) != other.get(key)
            )
            if apart:
                values = f"{first.get(apart[0])} and {other.get(apart[0])}"
                raise ErsatzError(
                    f"The generators of the class {name} ({runs}) were trained with different settings "
                    f"({apart[0]}: {values}); several of a class differ by their seed alone, so that they tell how far "
                    "its luck goes. Choose such ones, or make a pool of each."
                )
