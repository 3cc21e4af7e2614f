"""Worlds that are as the smallest difference assumes, and whether it is found in them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import cast

import numpy as np
from scipy import stats

from engine.sweep import expected_luck as assumed
from engine.sweep.comparisons import Comparison
from engine.sweep.expected_luck import Design
from engine.sweep.foresight import accuracy_of, luck_of
from engine.sweep.metrics import metric_of
from engine.sweep.power import Detectable, Pilot, detectable
from engine.sweep.summary_model import SweepSummary
from tests.sweep.simulated_worlds import RATIOS, World, compared, simulate, verdict_of

PROMISED: dict[str, tuple[World, float]] = {
    "accuracy, 100 images": (World(), 0.85),
    "accuracy, 600 images": (World(patients=600), 0.85),
    "accuracy of 94 %, 200 images": (World(patients=200), 0.94),
    "accuracy, 20 patients of 11 images": (World(patients=20, images=11), 0.85),
    "accuracy of 75 %, 20 patients of 11 images": (World(patients=20, images=11), 0.75),
    "accuracy, 60 patients of 4 images": (World(patients=60, images=4), 0.85),
    "accuracy, 3 classes, 150 images": (World(patients=150, shares=(1, 1, 1)), 0.85),
    "balanced accuracy, 10:1, 330 images": (World(patients=330, shares=(10, 1), metric="balanced_accuracy"), 0.85),
    "sensitivity, 4:1, 400 images": (World(patients=400, shares=(4, 1), metric="sensitivity"), 0.85),
    "AUROC, 200 images": (World(patients=200, metric="auroc"), 0.85),
    "average precision, 4:1, 400 images": (World(patients=400, shares=(4, 1), metric="average_precision"), 0.85),
    "macro F1, 3 classes, 200 images": (World(patients=200, shares=(1, 1, 1), metric="macro_f1"), 0.85),
}
"""Settings and the expected accuracy; the luck is set to what is assumed at that accuracy."""
AT = 0.5
"""The share at which synthetic images help."""


def design_of_world(world: World) -> Design:
    labels, clusters = world.labels().tolist(), world.clusters().tolist()
    return Design(tuple(labels), tuple(clusters), len(world.shares), len(world.shares) - 1)


def detectable_in(world: World, accuracy: float, pilot: Pilot | None = None) -> Detectable:
    return detectable(design_of_world(world), world.metric, world.seeds, len(RATIOS), accuracy, pilot)


def found_in(world: World, accuracy: float, difference: float, number: int) -> bool:
    """Whether the sweep of this number finds that synthetic images help, where they add so much at one share."""
    return verdict_of(simulate(number, as_assumed(world, accuracy, difference))).verdict == "helps"


@lru_cache(maxsize=64)
def as_assumed(world: World, accuracy: float, difference: float = 0.0) -> World:
    """With the luck that the smallest difference assumes, and so much added at one share."""
    others = len(world.shares) - 1
    boundary = 1 - (1 - accuracy) / others
    parted = assumed.disagreement_at(accuracy) / others
    seeds, arms = (_alike(share, boundary) for share in ((1 - assumed.LASTING) * parted, parted))
    slope = _slope(accuracy, others)
    return replace(
        world,
        right=(accuracy,),
        difficulty=math.sqrt(arms),
        lasting=math.sqrt(seeds - arms),
        fleeting=math.sqrt(1 - seeds),
        of_seed=assumed.SEED_SPREAD / slope / math.sqrt(2),
        same_lasting=0.5,
        alike=assumed.ALIKE,
        effect=tuple(difference if ratio == AT else 0.0 for ratio in RATIOS),
    )


def _alike(disagreement: float, accuracy: float) -> float:
    """Correlation of two normals that disagree so often about being above 0, by the bivariate normal itself."""
    quantile = stats.norm.ppf(accuracy)
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        both = stats.multivariate_normal.cdf([quantile, quantile], cov=[[1, middle], [middle, 1]], allow_singular=True)
        low, high = (middle, high) if 2 * (accuracy - both) > disagreement else (low, middle)
    return high


def _slope(accuracy: float, others: int) -> float:
    """How much the accuracy rises with the margin, against so many other classes, whose differences have variance 1."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)

    def right(margin: float) -> float:
        above = stats.norm.cdf(nodes + math.sqrt(2) * margin) ** others
        return float((weights * above).sum() / weights.sum())

    margins = np.linspace(-2, 8, 4001)
    at = float(margins[np.searchsorted([right(margin) for margin in margins], accuracy)])
    return (right(at + 0.01) - right(at - 0.01)) / 0.02


def pilot_of(world: World, accuracy: float, number: int, design: Design) -> Pilot:
    """What one earlier sweep of the world, without any effect, tells of the luck."""
    sweep = simulate(number, as_assumed(world, accuracy))
    positive = len(world.shares) - 1
    balanced = float(np.mean([metric_of("balanced_accuracy", sweep.labels, one, positive) for one in sweep.scores[0]]))
    summary = Told(
        comparisons=[each for family in compared(sweep) for each in family if not each.is_mean],
        averages=[each for family in compared(sweep) for each in family if each.is_mean],
        cells=[Means("real", {"balanced_accuracy": balanced})],
    )
    luck = luck_of(cast(SweepSummary, summary), world.metric, design.patients)
    assert luck is not None
    return Pilot(name="pilot", luck=luck, accuracy=accuracy_of(cast(SweepSummary, summary)))


@dataclass(frozen=True)
class Means:
    """Of `summary_model.Cell`, what a pilot reads."""

    arm: str
    means: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Told:
    """Of `SweepSummary`, what a pilot reads."""

    comparisons: list[Comparison]
    averages: list[Comparison]
    cells: list[Means]
    primary_arm: str = "real+synthetic"
