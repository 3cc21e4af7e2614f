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

LEVEL = 0.025
"""One-sided p of DCR and C_T together up to which the split is said to show in the pool."""

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
            "dcr_share": nearer_share(pool.rows, trained, classes),
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
    return SwapTest({key: Permuted.of(np.array(of)) for key, of in values.items()}, float(p))


def nearer_share(rows: np.ndarray, trained: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Chance [N] that the nearest of the real images is a trained one, were there equally many of both in each class.

    `rows` [N, r] of the real images, the nearest first. The larger part of a class is thinned to the size of the
    smaller: an image is kept with that chance, and the expectation over what is kept is exact, without a draw. The mean
    is the DCR share; 0.5 is clean.
    """
    keep = np.ones(len(trained))
    for name in np.unique(classes):
        of_class = classes == name
        seen, out = int((of_class & trained).sum()), int((of_class & ~trained).sum())
        keep[of_class & trained] = min(1.0, out / seen) if seen else 0.0
        keep[of_class & ~trained] = min(1.0, seen / out) if out else 0.0
    chance = keep[rows]
    before = np.cumprod(1 - chance, 1)
    first = chance * np.concatenate((np.ones((len(rows), 1)), before[:, :-1]), 1)
    total = first.sum(1)
    return np.divide((first * trained[rows]).sum(1), total, out=np.full(len(rows), 0.5), where=total > 0)


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
