"""The worlds in which the verdict is tried, by name: `benchmarks/error_rates.py` tries all, the tests a few."""

from __future__ import annotations

from dataclasses import replace

from tests.sweep.simulated_worlds import RATIOS, World

RARE = World(shares=(10, 1), patients=220)
"""Ten to one: 200 patients of one class, 20 of the other."""

NULL: dict[str, World] = {
    "all noises": World(),
    "luck of the test set": World(lasting=1.5),
    "luck of the seeds": World(patients=300, lasting=0.05, of_seed=0.3),
    "seeds agree": World(patients=300, lasting=1.0, of_seed=0.02, fleeting=0.2),
    "seeds alike at all shares": World(of_seed=0.3, same_seed_luck=0.9),
    "6 seeds": World(seeds=6),
    "20 seeds": World(seeds=20, patients=200),
    "synthetic seeds vary 3 times as much": World(patients=300, uneven=3.0),
    "synthetic seeds vary by 9 points": World(patients=300, of_seed=0.2, uneven=3.0),
    "heavy-tailed seeds": World(patients=300, of_seed=0.3, tails=3.0),
    "1 training of 50 breaks": World(patients=200, broken=0.02),
    "22 images": World(patients=22, lasting=1.0),
    "600 images": World(patients=600),
    "60 patients of 4 images": World(patients=60, images=4, lasting=1.0),
    "20 patients of 11 images": World(patients=20, images=11, lasting=1.0, alike=0.5),
    "94 % accuracy": World(patients=200, right=(0.94,)),
    "99 % accuracy": World(patients=200, right=(0.99,)),
    "nothing differs": World(lasting=0.0, fleeting=0.0, of_seed=0.0),
    "3 classes": World(shares=(1, 1, 1), patients=150),
    "macro F1, 3 classes of 6:3:1": World(shares=(6, 3, 1), patients=200, metric="macro_f1"),
    "AUROC": World(metric="auroc"),
    "AUROC, 20 patients of 11 images": World(metric="auroc", patients=20, images=11, lasting=1.0, alike=0.5),
    "10:1, balanced accuracy": replace(RARE, metric="balanced_accuracy"),
    "10:1, sensitivity, thresholds vary": replace(RARE, metric="sensitivity", of_threshold=0.5),
    "10:1, AUROC": replace(RARE, metric="auroc"),
    "10:1, average precision": replace(RARE, metric="average_precision"),
    "66 images of 10:1, balanced accuracy": replace(RARE, metric="balanced_accuracy", patients=66),
}
"""Worlds in which all arms are equally good."""

ALL = (1.0,) * len(RATIOS)


def everywhere(gain: float) -> tuple[float, ...]:
    return tuple(gain * one for one in ALL)


PLANTED: dict[str, World] = {
    "duplicates at -3 points, 300 patients": World(patients=300, duplicates=-0.03),
    "+5 points at all shares, 100 patients": World(effect=everywhere(0.05)),
    "+2 points at all shares, 300 patients": World(patients=300, effect=everywhere(0.02)),
    "+5 points at one share, 300 patients": World(patients=300, effect=(0.0, 0.05, 0.0, 0.0)),
    "+5 points at all shares, 20 seeds": World(seeds=20, effect=everywhere(0.05)),
    "+10 points, 20 patients of 11 images": World(
        patients=20, images=11, lasting=0.5, alike=0.5, effect=everywhere(0.1)
    ),
    "+0.04 of AUROC": World(metric="auroc", effect=everywhere(0.04)),
    "10:1, +10 points of balanced accuracy": replace(RARE, metric="balanced_accuracy", effect=everywhere(0.1)),
    "-5 points at all shares, 300 patients": World(patients=300, effect=everywhere(-0.05)),
}
"""Worlds in which something is there."""
