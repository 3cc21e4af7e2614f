"""Which images each trial sees, and in which order: all of it drawn from the trial's seed.

A ratio r is counted per class: r synthetic (or duplicated) images are added for each real training image.
Pairing: one seed fixes initial weights, order, dropout and subsets in every arm. At the same ratio the arms
real+duplicates and real+synthetic hold the same number of extra images of the same classes at the same places of
the same order, so that their difference is the images' alone. Subsets are nested: 25 % in 50 % in 75 % in 100 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np

from engine.configs import SweepConfig
from engine.store.errors import ErsatzError


@dataclass(frozen=True)
class Rule:
    """What an arm adds to the real training images."""

    extra: Literal["none", "duplicates", "synthetic"]
    classical: bool = False


RULES: dict[str, Rule] = {
    "real": Rule("none"),
    "real+classical": Rule("none", classical=True),
    "real+duplicates": Rule("duplicates"),
    "real+synthetic": Rule("synthetic"),
}


@dataclass(frozen=True, order=True)
class Trial:
    """One training of the classifier; the cell (arm, ratio) repeated with another seed is another trial."""

    arm: str
    ratio: float
    seed: int


@dataclass(frozen=True)
class TrainingSet:
    """Rows of the table of training images: the reals first, then the pool's."""

    rows: np.ndarray
    n_real: int
    n_synthetic: int
    classical: bool


class Stream(IntEnum):
    """Independent random streams of one seed."""

    SUBSET = 1
    ORDER = 2
    WEIGHTS = 3
    DROPOUT = 4
    AUGMENT = 5


def random_stream(seed: int, stream: Stream, *more: int) -> np.random.Generator:
    return np.random.default_rng([seed, int(stream), *more])


def torch_seed(seed: int, stream: Stream) -> int:
    """A 63-bit seed for torch's generators."""
    return int(random_stream(seed, stream).integers(2**63 - 1))


def plan(config: SweepConfig) -> list[Trial]:
    """All trials of a sweep, seed by seed, so that early results already compare all arms."""
    cells = [(arm, ratio) for arm in config.arms for ratio in (config.ratios if RULES[arm].extra != "none" else (0.0,))]
    seeds = range(config.first_seed, config.first_seed + config.seeds)
    return [Trial(arm, ratio, seed) for seed in seeds for arm, ratio in cells]


def extra_count(n_real: int, ratio: float) -> int:
    """Images that a class of `n_real` real ones gets at this ratio (halves round up)."""
    return int(np.floor(n_real * ratio + 0.5))


def training_set(trial: Trial, real_labels: np.ndarray, pool_labels: np.ndarray) -> TrainingSet:
    """The images of a trial, from class indices `[n_real]` and `[n_pool]`."""
    rule = RULES[trial.arm]
    n_real = len(real_labels)
    rows = [np.arange(n_real)]
    if rule.extra != "none":
        for label in np.unique(real_labels):
            reals = np.flatnonzero(real_labels == label)
            count = extra_count(len(reals), trial.ratio)
            source = reals if rule.extra == "duplicates" else n_real + np.flatnonzero(pool_labels == label)
            order = random_stream(trial.seed, Stream.SUBSET, int(label)).permutation(source)
            rows.append(np.resize(order, count))  # duplicates begin again when a ratio is above 1
    chosen = np.concatenate(rows)
    n_synthetic = int((chosen >= n_real).sum())
    return TrainingSet(chosen, len(chosen) - n_synthetic, n_synthetic, rule.classical)


def require_enough(config: SweepConfig, real_counts: dict[str, int], pool_counts: dict[str, int]) -> None:
    """Refuse a pool that cannot fill the largest ratio without repeating an image."""
    if not any(RULES[arm].extra == "synthetic" for arm in config.arms):
        return
    ratio = max(config.ratios)
    for name, n_real in real_counts.items():
        need, have = extra_count(n_real, ratio), pool_counts.get(name, 0)
        if have < need:
            raise ErsatzError(
                f"The pool has {have} images of the class {name}, but the ratio {ratio:g} needs {need} "
                f"({n_real} real training images). Make a larger pool, or leave out the high ratios."
            )


def batches(n: int, batch: int, steps: int, seed: int) -> np.ndarray:
    """Places in a training set of `n` images, `[steps, batch]`: shuffled passes, one after the other.

    Every arm takes the same number of full batches; a small set is passed over more often, not trained for less.
    """
    rng = random_stream(seed, Stream.ORDER)
    passes = -(-steps * batch // n)
    return np.concatenate([rng.permutation(n) for _ in range(passes)])[: steps * batch].reshape(steps, batch)


def validation_steps(steps: int, validations: int) -> Sequence[int]:
    """Steps after which the validation set is read: evenly spaced, the last step always among them."""
    return sorted({round(steps * (i + 1) / validations) for i in range(validations)} - {0})
