"""Sweeps made up at the level of softmax scores, without any training, in worlds whose truth is known.

Of every arm, share, seed and test image there is a softmax; from there on everything is computed as of a real sweep:
the metric, the patients' influences on it, the comparisons, the verdict. `Sweep.trials` and `Sweep.test_images` are
the tables that a real one leaves; `Sweep.parts` is the same without the detour over tables, for thousands of sweeps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.special import softmax
from scipy.stats import norm, t

from engine.sweep.comparisons import compare
from engine.sweep.influence import influence
from engine.sweep.metric_table import Parts
from engine.sweep.metrics import metric_of, metrics
from engine.sweep.verdict import Verdict, judge
from engine.sweep.verdict_words import Question

RATIOS = (0.25, 0.5, 0.75, 1.0)
CELLS = (
    ("real", 0.0),
    *(("real+duplicates", ratio) for ratio in RATIOS),
    *(("real+synthetic", ratio) for ratio in RATIOS),
)
POPULATION = 3000
"""Images on which the effect of a world is set to what it says; seeds are taken at their quantiles."""
RAREST = 600
"""Of them, images of the rarest class at least."""
POPULATION_SEEDS = 41


@dataclass(frozen=True, kw_only=True)
class World:
    """What luck there is, and what is true.

    A logit of the right class is above the others by a margin: a normal sum of the image's difficulty, alike for all
    arms; of what the images of an arm do to it with every seed (`lasting`, the luck of the test set); of a training's
    luck with it (`fleeting`); and of a training's luck with all images (`of_seed`, and as much again shared by the
    arms of a seed). All are in units of the margin. On the null every arm has the same metric in expectation.
    """

    metric: str = "accuracy"
    seeds: int = 8
    patients: int = 100
    images: int = 1
    """Of each patient."""
    shares: tuple[int, ...] = (1, 1)
    """Of the classes among the patients, the positive one last; as many as there are classes."""
    right: tuple[float, ...] = (0.85,)
    """Share of a class that a classifier gets right; one for all, or one each."""
    difficulty: float = 1.5
    lasting: float = 0.5
    fleeting: float = 0.7
    of_seed: float = 0.1
    of_threshold: float = 0.0
    """A training's luck with the logit of the last class: it trades sensitivity for specificity."""
    alike: float = 0.96
    """Part of the difficulty's and the lasting luck's variance that the images of a patient share."""
    same_seed_luck: float = 0.0
    """Part of `of_seed`'s variance that the shares of an arm have in common."""
    same_lasting: float = 0.7
    """Part of `lasting`'s variance that the shares of an arm have in common: they hold the same images."""
    uneven: float = 1.0
    """Times `of_seed` in the synthetic arm: more synthetic images make trainings less alike, or more."""
    tails: float = 0.0
    """Degrees of freedom of Student's t of a training's luck with all images; 0: a normal."""
    broken: float = 0.0
    """Share of trainings that end in a classifier which names one class for all."""
    duplicates: float = 0.0
    """What duplicated reals add to the metric."""
    effect: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    """What synthetic images add to the metric, at each of `RATIOS`."""

    @property
    def null(self) -> bool:
        """Whether synthetic images are as good as the real ones alone at every share."""
        return not any(self.effect)

    def labels(self) -> np.ndarray:
        """Classes `[N]`, patient by patient, in numbers that follow the shares: a stratified split."""
        bounds = np.round(np.cumsum((0, *self.shares)) / sum(self.shares) * self.patients).astype(int)
        return np.repeat(np.repeat(np.arange(len(self.shares)), np.diff(bounds)), self.images)

    def clusters(self) -> np.ndarray:
        return np.repeat(np.arange(self.patients), self.images)


@dataclass(frozen=True)
class Sweep:
    """A sweep of a world: its scores, and what the program makes of them."""

    world: World
    scores: np.ndarray
    """Softmax `[cells, S, N, classes]`, in the order of `CELLS`."""
    labels: np.ndarray
    clusters: np.ndarray
    values: np.ndarray = field(init=False)
    """The metric `[cells, S]`."""
    parts: Parts = field(init=False)

    def __post_init__(self) -> None:
        positive = len(self.world.shares) - 1
        if self.world.metric == "accuracy":
            values, moved = self._accuracy()
        else:
            of_units = np.array(
                [[influence(self.world.metric, self.labels, one, positive) for one in cell] for cell in self.scores]
            )
            values = np.array(
                [[metric_of(self.world.metric, self.labels, one, positive) for one in cell] for cell in self.scores]
            )
            moved = of_units.reshape(*of_units.shape[:2], self.world.patients, self.world.images).sum(3)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "parts", {cell: dict(enumerate(moved[at])) for at, cell in enumerate(CELLS)})

    def _accuracy(self) -> tuple[np.ndarray, np.ndarray]:
        right = (self.scores.argmax(3) == self.labels).astype(float)
        values = right.mean(2)
        moved = (right - values[..., None]) / right.shape[2]
        return values, moved.reshape(*values.shape, self.world.patients, self.world.images).sum(3)

    @property
    def table(self) -> pd.DataFrame:
        """`arm, ratio, seed` and the metric, as `compare` takes it."""
        rows = [
            (arm, ratio, seed, value)
            for (arm, ratio), cell in zip(CELLS, self.values, strict=True)
            for seed, value in enumerate(cell)
        ]
        return pd.DataFrame(rows, columns=["arm", "ratio", "seed", self.world.metric])

    @property
    def classes(self) -> list[str]:
        return [f"class {number}" for number in range(len(self.world.shares))]

    @property
    def test_images(self) -> pd.DataFrame:
        """As `test_images.parquet` of a sweep: each patient is known."""
        return pd.DataFrame(
            {
                "path": [f"{number}.png" for number in range(len(self.labels))],
                "class": [self.classes[label] for label in self.labels],
                "group": [f"patient:{number:05d}" for number in self.clusters],
                "fold": 0,
            }
        )

    @property
    def trials(self) -> pd.DataFrame:
        """As `trials.parquet` of a sweep."""
        positive = len(self.world.shares) - 1
        rows = [
            {
                "arm": arm,
                "ratio": ratio,
                "seed": seed,
                "fold": 0,
                **metrics(self.labels, one, positive),
                "scores": one.ravel(),
            }
            for (arm, ratio), cell in zip(CELLS, self.scores, strict=True)
            for seed, one in enumerate(cell)
        ]
        return pd.DataFrame(rows)


def simulate(number: int, world: World) -> Sweep:
    """The sweep of this number in a world."""
    rng = np.random.default_rng(number)
    labels, clusters = world.labels(), world.clusters()
    n, classes, seeds, cells = len(labels), len(world.shares), world.seeds, len(CELLS)
    half = np.sqrt(0.5)  # a margin is a difference of two logits

    def of_images(*shape: int) -> np.ndarray:
        """`[*shape, N, classes]`, partly shared by a patient's images."""
        if world.images == 1:
            return half * rng.standard_normal((*shape, n, classes))
        patient = np.repeat(rng.standard_normal((*shape, world.patients, classes)), world.images, axis=-2)
        own = rng.standard_normal((*shape, n, classes))
        return half * (np.sqrt(world.alike) * patient + np.sqrt(1 - world.alike) * own)

    common = of_images(3)[ARM_OF_CELL]
    lasting = world.lasting * (
        np.sqrt(world.same_lasting) * common + np.sqrt(1 - world.same_lasting) * of_images(cells)
    )
    logits = (world.difficulty * of_images() + lasting)[:, None]
    logits = logits + world.fleeting * half * rng.standard_normal((cells, seeds, n, classes))
    luck = _luck_of_seeds(rng, world)
    logits[..., -1] += world.of_threshold * rng.standard_normal((cells, seeds))[..., None]
    margins = _margins(world)[:, None, :] + luck[..., None]  # [cells, S, classes]
    logits += margins[..., labels][..., None] * np.eye(classes)[labels]
    if world.broken:
        whole = rng.random((cells, seeds)) < world.broken
        logits[whole] = 0.01 * rng.standard_normal((int(whole.sum()), n, classes)) + np.eye(classes)[0]
    return Sweep(world, softmax(logits, axis=3).astype(np.float32), labels, clusters)


ARM_OF_CELL = [("real", "real+duplicates", "real+synthetic").index(arm) for arm, _ in CELLS]


def _luck_of_seeds(rng: np.random.Generator, world: World) -> np.ndarray:
    """Added to all margins of a training, `[cells, S]`."""

    def drawn(*shape: int) -> np.ndarray:
        if not world.tails:
            return rng.standard_normal(shape)
        return rng.standard_t(world.tails, shape) / np.sqrt(world.tails / (world.tails - 2))

    own = np.sqrt(world.same_seed_luck) * drawn(3, world.seeds)[ARM_OF_CELL]
    own = own + np.sqrt(1 - world.same_seed_luck) * drawn(len(CELLS), world.seeds)
    times = np.array([world.uneven if arm == "real+synthetic" else 1.0 for arm, _ in CELLS])
    return world.of_seed * (rng.standard_normal(world.seeds) + times[:, None] * own)


@lru_cache(maxsize=256)
def _margins(world: World) -> np.ndarray:
    """The mean margin of each cell and class, `[cells, classes]`, that gives the metric which the world says."""
    planted = np.array(
        [
            world.duplicates
            if arm == "real+duplicates"
            else world.effect[RATIOS.index(ratio)]
            if arm == "real+synthetic"
            else 0.0
            for arm, ratio in CELLS
        ]
    )
    rights = world.right * len(world.shares) if len(world.right) == 1 else world.right
    usual = np.array([_margin_of(world, right) for right in rights])
    found = np.repeat(usual[None], len(CELLS), axis=0)
    solved: dict[tuple[float, float], np.ndarray] = {}
    for row, (arm, _) in enumerate(CELLS):
        times = world.uneven if arm == "real+synthetic" else 1.0
        if not planted[row] and times == 1.0:
            continue
        if (planted[row], times) not in solved:
            wanted = _population_metric(world, usual, 1.0) + planted[row]
            low, high = -6.0, 12.0
            for _ in range(24):
                middle = (low + high) / 2
                below = _population_metric(world, usual + middle, times) < wanted
                low, high = (middle, high) if below else (low, middle)
            solved[planted[row], times] = usual + high
        found[row] = solved[planted[row], times]
    return found


def _spread(world: World, times: float = 1.0) -> tuple[float, float]:
    """Standard deviations of a margin: over the images, and over the trainings."""
    return (
        float(np.sqrt(world.difficulty**2 + world.lasting**2 + world.fleeting**2)),
        float(world.of_seed * np.sqrt(1 + times**2)),
    )


def _margin_of(world: World, right: float) -> float:
    """The mean margin at which so many images are right, against each of the other classes."""
    of_images, of_seeds = _spread(world)
    spread, others = np.sqrt(of_images**2 + of_seeds**2 + world.of_threshold**2), len(world.shares) - 1
    if others == 1:
        return float(spread * norm.ppf(right))
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    low, high = 0.0, 12.0
    for _ in range(50):
        middle = (low + high) / 2
        share = (weights * norm.cdf(nodes + np.sqrt(2) * middle / spread) ** others).sum() / weights.sum()
        low, high = (middle, high) if share < right else (low, middle)
    return high


def _population_metric(world: World, margins: np.ndarray, times: float) -> float:
    """The expected metric of a training, over the quantiles of its luck, on many images of the classes' shares."""
    draws, luck, labels = _population(world.shares, world.tails)
    of_images, of_seeds = _spread(world, times)
    if len(world.shares) == 2 and world.metric in SHARES_OF_RIGHT:
        right = norm.cdf((margins[:, None] + of_seeds * luck) / np.hypot(of_images, world.of_threshold)).mean(1)
        return float(right @ SHARES_OF_RIGHT[world.metric](np.array(world.shares) / sum(world.shares)))
    own, classes = np.eye(len(world.shares))[labels], len(world.shares)
    found = []
    for one in luck:
        logits = of_images * draws + (margins[labels] + of_seeds * one)[:, None] * own
        found.append(metric_of(world.metric, labels, softmax(logits, axis=1), classes - 1))
    return float(np.mean(found))


SHARES_OF_RIGHT = {
    "accuracy": lambda shares: shares,
    "balanced_accuracy": lambda _: np.array([0.5, 0.5]),
    "sensitivity": lambda _: np.array([0.0, 1.0]),
}
"""Metrics that are weighted means of the shares of the classes that are named right."""


@lru_cache(maxsize=16)
def _population(shares: tuple[int, ...], tails: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    counts = np.round(max(POPULATION / sum(shares), RAREST / min(shares)) * np.array(shares)).astype(int)
    labels = np.repeat(np.arange(len(shares)), counts)
    places = (np.arange(POPULATION_SEEDS) + 0.5) / POPULATION_SEEDS
    luck = norm.ppf(places) if not tails else t.ppf(places, tails) / np.sqrt(tails / (tails - 2))
    draws = np.concatenate([_balanced(np.random.default_rng(label), n, len(shares)) for label, n in enumerate(counts)])
    return draws, luck, labels


def _balanced(rng: np.random.Generator, n: int, classes: int) -> np.ndarray:
    """Normal logits `[n, classes]` of variance a half; of two classes the margins are quantiles, not draws."""
    if classes > 2:
        return np.sqrt(0.5) * rng.standard_normal((n, classes))
    margin = rng.permutation(norm.ppf((np.arange(n) + 0.5) / n))
    return np.stack((margin / 2, -margin / 2), axis=1)


def compared(sweep: Sweep, question: Question | None = None) -> tuple[list, list]:
    """The comparisons with the baseline and with the control."""
    question = question or Question(metric=sweep.world.metric)
    table = sweep.table
    to_real, to_control = (
        compare(table, question.arm, against, sweep.world.metric, sweep.parts)
        for against in (question.baseline, str(question.control))
    )
    return to_real, to_control


def verdict_of(sweep: Sweep, question: Question | None = None) -> Verdict:
    question = question or Question(metric=sweep.world.metric)
    return judge(question, *compared(sweep, question))
