"""Measures of memorisation, as functions of distances between features: does a generator repeat its training images?

Each is read beside what held-out real images give, which no generator saw. They are screens: a clean one is no proof
of privacy, and what a feature extractor does not see, none of them finds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import mannwhitneyu, norm

from engine.quality.nearest import nearest
from engine.store.errors import ErsatzError
from engine.store.progress import Report, ShouldStop, never, silent

DRAWS = 10
"""Subsets of the training images drawn to compare with a holdout of the same size."""

Z = float(norm.ppf(0.975))


@dataclass(frozen=True)
class Share:
    """A share between 0 and 1 with its 95 % interval."""

    value: float
    low: float
    high: float


def share(of: np.ndarray, n: float | None = None) -> Share:
    """Mean of numbers [N] between 0 and 1 with Wilson's interval; `n`: how many independent ones they are worth."""
    n = len(of) if n is None else n
    value = float(np.mean(of))
    centre = (value + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * np.sqrt(value * (1 - value) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
    return Share(value, max(0.0, min(value, centre - half)), min(1.0, max(value, centre + half)))


def authentic(distances: np.ndarray, neighbours: np.ndarray, own_distances: np.ndarray) -> np.ndarray:
    """Which images are no nearer to a training image than that one is to another: bool [N] (arXiv 2102.08921).

    `distances` [N] to the nearest training image, which is row `neighbours` [N]; `own_distances` [M] of every training
    image to its nearest other one, copies among them left out before. AuthPct is the share of these images. Clean ones
    do not have 100 %: two images that are each other's nearest are found in any set. Held-out reals show what to expect
    (0.5 to 0.8 for head CTs, chest films and skin photographs).
    """
    return distances >= own_distances[neighbours]


def copying_z(distances: np.ndarray, held_out: np.ndarray) -> float:
    """C_T (arXiv 2004.05675): z of the Mann-Whitney statistic of distances to the nearest training image.

    `distances` [N] of synthetic images against those [M] of held-out reals, in one cell, ties counted half. About 0,
    within +-2, where both lie equally near; far below 0 means copying, far above 0 that the generator misses the data.
    It grows with the numbers of images.
    """
    n, m = len(distances), len(held_out)
    u = mannwhitneyu(distances, held_out, method="asymptotic").statistic  # pairs in which the synthetic one is farther
    return float((u - n * m / 2) / np.sqrt(n * m * (n + m + 1) / 12))


def nearer_to_train(
    images: np.ndarray,
    train: np.ndarray,
    holdout: np.ndarray,
    train_classes: np.ndarray,
    holdout_classes: np.ndarray,
    seed: int = 0,
    device: torch.device | None = None,
    draws: int = DRAWS,
    report: Report = silent,
    should_stop: ShouldStop = never,
) -> tuple[np.ndarray, float]:
    """Whether each image [N, D] is nearer to a subset of the training images than to the holdout: [draws, N].

    1 if nearer, 0 if not, 0.5 at equal distance. Each draw takes as many images of each class from `train` [M, D] as
    from `holdout` [H, D], but at most half of the training images of a class (and then fewer of the holdout), so that
    draws differ. Also returns the share of the training images that a draw takes. Several images of one patient make
    the holdout vary more than the draws do.
    """
    random = np.random.default_rng(seed)
    parts = []
    for name in np.unique(holdout_classes):
        ours, theirs = np.flatnonzero(train_classes == name), np.flatnonzero(holdout_classes == name)
        parts.append((ours, theirs, min(len(theirs), len(ours) // 2)))
    if not any(part[2] for part in parts):
        raise ErsatzError(
            "No class has two training images and a validation image, and it cannot be told to which of them synthetic "
            "images are nearer. Take a larger data set or another split."
        )
    nearer = np.empty((draws, len(images)))
    for draw in range(draws):
        ours, theirs = (
            np.concatenate([random.choice(part[side], part[2], replace=False) for part in parts]) for side in (0, 1)
        )
        stage = f"pool among held-out images, {draw + 1} of {draws}"
        near, far = (
            nearest(images, base, 1, False, device, report, should_stop, stage).distances[:, 0]
            for base in (train[ours], holdout[theirs])
        )
        nearer[draw] = (near < far) + 0.5 * (near == far)
    return nearer, sum(part[2] for part in parts) / len(train)


def nearer_share(nearer: np.ndarray, drawn: float) -> Share:
    """The DCR share: how many images are nearer to the training images than to as many held-out ones; 0.5 is clean.

    `nearer` [draws, N] and `drawn` (below 1) from `nearer_to_train`. The interval is binomial with the number of
    images reduced for the luck of the two sets: that of the training subset shows between the draws (less because they
    are drawn from finitely many), and the holdout, which cannot be drawn again, adds as much.
    """
    draws, n = nearer.shape
    value = nearer.mean()
    binomial = value * (1 - value) / n
    of_sets = nearer.mean(1).var(ddof=1) / (1 - drawn)
    worth = n if binomial == 0 else n * binomial / (binomial + of_sets * (1 + 1 / draws))
    return share(nearer.mean(0), worth)


def copy_ratio(distances: np.ndarray) -> np.ndarray:
    """Distance to the nearest training image over the mean distance to the next k, for distances [N, 1 + k] ascending.

    Far below 1 where an image has one training image of its own; 1 where it is equal to more than k of them.
    """
    mean = distances[:, 1:].mean(1)
    return np.divide(distances[:, 0], mean, out=np.ones(len(distances)), where=mean > 0)
