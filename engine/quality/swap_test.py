"""DCR, C_T, AuthPct and copy ratio of a pool with whole patients swapped between training and held-out part.

All ask whether the pool lies nearer to training images than it should. A smooth pool lies nearer to any real image than
a real one does, and a held-out part of a few alike images lies far or near as a whole; neither is memory. Swapping
patients tells them apart from it: they stay, whichever patients are called trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.quality.memorisation import authentic, copying_z
from engine.quality.nearest import Neighbours
from engine.quality.patient_swaps import Permuted, Units, ranks_low

REACH = 64
"""Nearest real images looked at for each image."""

MOST = 5000
"""Synthetic images taken, drawn at random from a larger pool: more would not outweigh the luck of the patients."""

LEVEL = 0.0125
"""One-sided p of DCR and C_T together up to which the split is said to show in the pool: half of what the attack takes,
so that all accusations of a clean pool together stay at about 5 %."""

MEASURES = ("authpct", "dcr_share", "copy_ratio", "c_t")


@dataclass(frozen=True)
class SwapTest:
    """The measures over all images ('') and by class, and what DCR and C_T over all images say together."""

    measures: Mapping[tuple[str, str], Permuted]
    """By measure and class."""
    p: float
    """Of the more telling of the two, corrected for their number (min-p, Westfall and Young 1993); nan where the
    patients are too few to be swapped."""

    @property
    def shows(self) -> bool:
        """Whether the pool lies nearer to its training images than to others that could have been."""
        return self.p <= LEVEL


def swap_test(
    pool: Neighbours,
    reals: Neighbours,
    pool_classes: np.ndarray,
    classes: np.ndarray,
    units: Units,
    k: int,
    seed: int = 0,
) -> SwapTest:
    """`pool` [N, r] and `reals` [M, r]: the nearest of M real images to the pool's and to the real ones themselves.

    `classes` [M] and `units` are of the real images; `k`: neighbours of the copy ratio. All measures are those of
    `memorisation`, taken among the r nearest.
    """
    if len(pool_classes) > MOST:
        some = np.sort(np.random.default_rng(seed).permutation(len(pool_classes))[:MOST])
        pool, pool_classes = Neighbours(pool.distances[some], pool.rows[some]), pool_classes[some]
    names = [str(name) for name in np.unique(pool_classes)]
    parts = {"": np.ones(len(pool_classes), bool)}
    parts |= {name: pool_classes == name for name in names} if len(names) > 1 else {}
    values: dict[tuple[str, str], list[float]] = {(measure, name): [] for name in parts for measure in MEASURES}
    for trained in units.choices(seed) if units.enough() else units.trained[units.of_image][None]:
        own, _ = first_of(reals, trained)
        near, rows = first_of(pool, trained)
        per_image = {
            "authpct": authentic(near, rows, own),
            "dcr_share": nearer_share(pool.rows, trained, units),
            "copy_ratio": ratio_among(pool, trained, units, k),
        }
        for name, mask in parts.items():
            for measure, of in per_image.items():
                values[measure, name].append(float((np.median if measure == "copy_ratio" else np.mean)(of[mask])))
            out = ~trained & (classes == name) if name else ~trained
            values["c_t", name].append(copying_z(near[mask], own[out]) if out.any() else np.nan)
    if not units.enough():
        return SwapTest({key: Permuted.alone(of[0]) for key, of in values.items()}, np.nan)
    p_nearer, p_z = ranks_low(-np.array(values["dcr_share", ""])), ranks_low(np.array(values["c_t", ""]))
    p = ranks_low(np.minimum(p_nearer, p_z))[0]
    known = {"dcr_share": 0.5}
    return SwapTest({key: Permuted.of(np.array(of), known.get(key[0])) for key, of in values.items()}, float(p))


def nearer_share(rows: np.ndarray, trained: np.ndarray, units: Units) -> np.ndarray:
    """Chance [N] that the nearest of the real images is a trained one, were there equally many patients in both parts.

    `rows` [N, r] of the real images, the nearest first; `trained` [M]. Of the larger part of a class as many patients
    are taken as the smaller has: a few patients with many images lie nowhere near as often as many patients do. The
    expectation over who is taken is exact, without a draw. The mean is the DCR share; over swaps it averages 0.5.
    """
    seen = np.zeros(len(units.trained), bool)
    seen[units.of_image[trained]] = True
    found = units.of_image[rows]
    first = first_of_each(found)
    chance = np.zeros(rows.shape)  # that a patient is taken, where none before it was
    for name in np.unique(units.classes):
        of_class = units.classes == name
        sides = [of_class & seen, of_class & ~seen]
        taken = min(int(side.sum()) for side in sides)
        for side in sides:
            here = side[found] & first
            left = side.sum() - np.cumsum(here, 1) + here
            chance += here * (taken / np.maximum(1, left)).clip(max=1)
    before = np.cumprod(1 - chance, 1)
    nearest = chance * np.concatenate((np.ones((len(rows), 1)), before[:, :-1]), 1)
    total = nearest.sum(1)
    return np.divide((nearest * seen[found]).sum(1), total, out=np.full(len(rows), 0.5), where=total > 0)


def first_of_each(found: np.ndarray) -> np.ndarray:
    """Which of the patients [N, r] of a row did not come before in it: bool [N, r]."""
    order = found.argsort(1, kind="stable")
    first = np.diff(np.take_along_axis(found, order, 1), axis=1, prepend=-1) != 0
    out = np.empty_like(first)
    np.put_along_axis(out, order, first, 1)
    return out


def first_of(found: Neighbours, trained: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance and row [N] of the nearest trained image among the neighbours; of the last of them where none is."""
    seen = trained[found.rows]
    place = np.where(seen.any(1), seen.argmax(1), seen.shape[1] - 1)
    at = np.arange(len(place))
    return found.distances[at, place], found.rows[at, place]


def ratio_among(found: Neighbours, trained: np.ndarray, units: Units, k: int) -> np.ndarray:
    """Copy ratio [N] with at most the k next trained images of other patients than the nearest."""
    distance, nearest = first_of(found, trained)
    behind = trained[found.rows] & (units.of_image[found.rows] != units.of_image[nearest][:, None])
    behind &= np.cumsum(behind, 1) <= k
    count = behind.sum(1)
    mean = np.divide((found.distances * behind).sum(1), count, out=np.zeros(len(count)), where=count > 0)
    return np.divide(distance, mean, out=np.ones(len(count)), where=mean > 0)
