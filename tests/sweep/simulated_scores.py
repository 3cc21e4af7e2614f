"""Softmax scores of one arm made up without any training, with a population whose metrics are known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.special import expit

from engine.sweep.metrics import metrics

CLASSES = ["normal", "ill"]
POSITIVE = 1


@dataclass(frozen=True, kw_only=True)
class World:
    """A classifier's logit of the positive class is a sum of normal draws about plus or minus `strength`."""

    patients: int = 100
    images: int = 1
    """Images of each patient, who share the difficulty."""
    prevalence: float = 0.5
    strength: float = 2.0
    seeds: int = 8
    of_patient: float = 1.5
    """Spread of the difficulty, alike for every seed."""
    of_seed: float = 0.2
    """Spread of a seed's luck with all images: of its offset, and of its strength."""
    fleeting: float = 0.7
    """Spread of a training's luck with an image."""
    sharpness: float = 1.5
    """What the logits are multiplied by; above 1 the classifier is surer than it may be."""


def scores_of(world: World, rng: np.random.Generator, patients: int, luck: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels `[N]` and scores `[S, N, 2]` of so many patients, each one's images of one class, in S seeds whose luck
    `[2, S]` (of offset and strength, standard normal) is given."""
    n_ill = max(1, round(patients * world.prevalence))
    ill = np.repeat(np.arange(patients) < n_ill, world.images)
    difficulty = world.of_patient * np.repeat(rng.normal(size=patients), world.images)
    offset, strength = world.of_seed * luck[:, :, None]
    logit = (world.strength + strength) * np.where(ill, 1, -1) + offset + difficulty
    logit = logit + world.fleeting * rng.normal(size=(luck.shape[1], len(ill)))
    positive = expit(world.sharpness * logit)
    return ill.astype(int), np.stack((1 - positive, positive), axis=2)


def sweep_of(world: World, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The trials of the arm real, and their test images."""
    rng = np.random.default_rng(seed)
    labels, scores = scores_of(world, rng, world.patients, rng.normal(size=(2, world.seeds)))
    patient = np.repeat(np.arange(world.patients), world.images)
    test_images = pd.DataFrame(
        {
            "path": [f"{place}.png" for place in range(len(labels))],
            "class": [CLASSES[label] for label in labels],
            "group": [f"P{number}" for number in patient],
            "fold": 0,
        }
    )
    rows = [{"arm": "real", "ratio": 0.0, "seed": s, "fold": 0, "scores": of.ravel()} for s, of in enumerate(scores)]
    return pd.DataFrame(rows), test_images


@lru_cache(maxsize=32)
def population(world: World, nodes: int = 9, patients: int = 20_000) -> dict[str, float]:
    """What every metric is on average over seeds (by Gauss-Hermite quadrature), each on patients without end."""
    places, weights = np.polynomial.hermite_e.hermegauss(nodes)
    both, total = np.multiply.outer(weights, weights).ravel(), weights.sum() ** 2
    rng, found = np.random.default_rng(12345), []
    for offset, strength in zip(np.repeat(places, nodes), np.tile(places, nodes), strict=True):
        labels, scores = scores_of(world, rng, patients, np.array([[offset], [strength]]))
        found.append(metrics(labels, scores[0], POSITIVE))
    return {name: float(np.dot(both, [each[name] for each in found]) / total) for name in found[0]}
