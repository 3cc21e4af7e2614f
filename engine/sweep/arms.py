"""Which images each trial sees, and in which order: all of it drawn from the trial's seed.

A ratio r is counted per class (or as a part of what a class lacks to the largest one). In the arms `real+...` so many
images are added; in the arms `replaced+...` they take the places of as many real images, so that the total stays; the
arm `synthetic` has as many synthetic images and no real one. Duplicates are repeats of real images, in the replaced
arms of those that stay.

Pairing: one seed fixes initial weights, order, dropout and subsets in every arm. At the same ratio the duplicates arm
and the synthetic arm hold the same number of extra images of the same classes at the same places of the same order, so
that their difference is the images' alone; a replaced arm differs from `real` at the replaced places alone. Subsets are
nested: 25 % in 50 % in 75 % in 100 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np

from engine.configs import SweepConfig
from engine.sampling.makers import Makers
from engine.store.errors import ErsatzError

CLASSICAL = "+classical"


@dataclass(frozen=True)
class Rule:
    """What an arm keeps of the real training images, what it adds or puts in their place, and how it shows them."""

    base: Literal["real", "replaced", "none"]
    extra: Literal["none", "duplicates", "synthetic"]
    classical: bool = False


_RULES: dict[str, Rule] = {
    "real": Rule("real", "none"),
    "real+duplicates": Rule("real", "duplicates"),
    "real+synthetic": Rule("real", "synthetic"),
    "replaced+duplicates": Rule("replaced", "duplicates"),
    "replaced+synthetic": Rule("replaced", "synthetic"),
    "synthetic": Rule("none", "synthetic"),
}


def arm_rule(arm: str) -> Rule:
    """The rule behind an arm's name."""
    rule = _RULES[arm.removesuffix(CLASSICAL)]
    return Rule(rule.base, rule.extra, arm.endswith(CLASSICAL))


def has_ratios(arm: str) -> bool:
    """Whether the arm has a trial for each ratio; the others have one a seed."""
    return arm_rule(arm).extra != "none"


def is_synthetic(arm: str) -> bool:
    """Whether the arm trains on synthetic images."""
    return arm_rule(arm).extra == "synthetic"


def control_of(arm: str) -> str | None:
    """The arm with duplicated reals in place of a synthetic arm's synthetic images.

    None for `synthetic`, which holds no real image that could be repeated, and for arms without synthetic images.
    """
    rule = arm_rule(arm)
    return arm.replace("+synthetic", "+duplicates") if rule.extra == "synthetic" and rule.base != "none" else None


def baseline_of(arm: str) -> str | None:
    """The real images alone, augmented as in `arm`; for `real+classical` itself `real`, for `real` None."""
    if arm == "real":
        return None
    return "real+classical" if has_ratios(arm) and arm_rule(arm).classical else "real"


def primary_arm(config: SweepConfig) -> str | None:
    """The arm that the verdict is about: the first synthetic one that the config names."""
    return next((arm for arm in config.arms if is_synthetic(arm)), None)


@dataclass(frozen=True, order=True)
class Trial:
    """One training of the classifier; the cell (arm, ratio) repeated with another seed or fold is another trial."""

    arm: str
    ratio: float
    seed: int
    fold: int = 0


@dataclass(frozen=True)
class TrainingSet:
    """Rows of the table of training images, in which the reals come first, then the pool's."""

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
    REPLACED = 6


def random_stream(seed: int, stream: Stream, *more: int) -> np.random.Generator:
    return np.random.default_rng([seed, int(stream), *more])


def torch_seed(seed: int, stream: Stream) -> int:
    """A 63-bit seed for torch's generators."""
    return int(random_stream(seed, stream).integers(2**63 - 1))


def plan(config: SweepConfig) -> list[Trial]:
    """All trials of a sweep: fold by fold, and seed by seed, so that early results already compare all arms.

    The replaced arms have ratios below 1 only: at 1 no real image would be left.
    """
    cells = [(arm, ratio) for arm in config.arms for ratio in ratios_of(arm, config)]
    seeds = range(config.first_seed, config.first_seed + config.seeds)
    folds = range(max(1, len(config.folds)))
    return [Trial(arm, ratio, seed, fold) for fold in folds for seed in seeds for arm, ratio in cells]


def ratios_of(arm: str, config: SweepConfig) -> tuple[float, ...]:
    """The ratios at which an arm has trials; (0,) for the arms without."""
    rule = arm_rule(arm)
    if rule.extra == "none":
        return (0.0,)
    return tuple(ratio for ratio in config.ratios if rule.base != "replaced" or ratio < 1)


def extra_count(n: int, ratio: float) -> int:
    """The share `ratio` of so many images (halves round up)."""
    return int(np.floor(n * ratio + 0.5))


def extra_counts(arm: str, ratio: float, real_counts: np.ndarray, config: SweepConfig) -> np.ndarray:
    """Images `[classes]` that the classes with so many real ones get at this ratio.

    A replaced arm leaves at least one real image of a class, and the arm `synthetic` has at least one image of each.
    """
    basis = real_counts.max() - real_counts if config.ratio_of == "gap" else real_counts
    counts = np.array([extra_count(n, ratio) for n in basis])
    base = arm_rule(arm).base
    if base == "replaced":
        return np.minimum(counts, np.maximum(real_counts - 1, 0))
    return np.maximum(counts, 1) if base == "none" else counts


def training_set(
    trial: Trial,
    real_labels: np.ndarray,
    pool_labels: np.ndarray,
    config: SweepConfig,
    makers: Makers | None = None,
) -> TrainingSet:
    """The images of a trial, from class indices `[n_real]` and `[n_pool]`.

    With `config.extra_classes`, `pool_labels` are those of the pool's images of these classes (see `pool_part` of
    splits.py): all other classes stay as they are in every arm. With several generators a class (`makers`), a trial
    takes the images of the one whose turn its seed is.
    """
    rule = arm_rule(trial.arm)
    n_real = len(real_labels)
    rows, added = np.arange(n_real), []
    in_turn = makers is None or makers.of == makers.turn(trial.seed, config.first_seed)
    if rule.extra != "none":
        counts = extra_counts(trial.arm, trial.ratio, np.bincount(real_labels), config)
        for label in np.unique(pool_labels if config.extra_classes else real_labels):
            reals, count = np.flatnonzero(real_labels == label), counts[label]
            if rule.base == "replaced":
                leaving = random_stream(trial.seed, Stream.REPLACED, int(label)).permutation(reals)
                gone, stay = leaving[:count], leaving[count:][::-1]
            else:
                stay = random_stream(trial.seed, Stream.SUBSET, int(label)).permutation(reals)
            if rule.extra == "synthetic":
                of_class = n_real + np.flatnonzero((pool_labels == label) & in_turn)
                extra = random_stream(trial.seed, Stream.SUBSET, int(label)).permutation(of_class)[:count]
            else:
                extra = np.resize(stay, count)  # begins again when there are fewer than that
            if rule.base == "replaced":
                rows[gone] = extra
                continue
            added.append(extra)
            if rule.base == "none":
                rows = np.setdiff1d(rows, reals)
    chosen = np.concatenate((rows, *added))
    n_synthetic = int((chosen >= n_real).sum())
    return TrainingSet(chosen, len(chosen) - n_synthetic, n_synthetic, rule.classical)


def require_enough(
    config: SweepConfig, real_counts: dict[str, int], pool_counts: dict[str, int], generators: int = 1
) -> None:
    """Refuse ratios that add nothing, and a pool that cannot fill the largest without repeating an image.

    `pool_counts`: images of each class; with several generators a class, of the one with the fewest.
    """
    names, counts = list(real_counts), np.array(list(real_counts.values()))
    if config.ratio_of == "gap" and not extra_counts("real+synthetic", max(config.ratios), counts, config).any():
        raise ErsatzError(
            f"All classes have {counts[0]} training images, so that none lacks any to the largest; ratio_of gap adds "
            "nothing here. Set ratio_of to class."
        )
    for arm in filter(is_synthetic, config.arms):
        ratio = ratios_of(arm, config)[-1]
        for name, need, n_real in zip(names, extra_counts(arm, ratio, counts, config), counts, strict=True):
            have = pool_counts.get(name, 0)
            if have < need and name in (config.extra_classes or names):
                beside = " beside those set aside for the test set" if "synthetic-in-test" in config.flaws else ""
                mend = "Make a larger pool, or leave out the high ratios." if have else "Make a pool with this class."
                by_each = f" by one of its {generators} generators" if generators > 1 else ""
                raise ErsatzError(
                    f"The pool has {have or 'no'} images of the class {name}{by_each}{beside}, but the ratio "
                    f"{ratio:g} needs {need} ({n_real} real training images). {mend}"
                )


def batches(n: int, batch: int, steps: int, seed: int) -> np.ndarray:
    """Places in a training set of `n` images, `[steps, batch]`: shuffled passes, one after the other.

    With equal steps every arm takes the same number of full batches; a small set is passed over more often, not
    trained for less.
    """
    rng = random_stream(seed, Stream.ORDER)
    passes = -(-steps * batch // n)
    return np.concatenate([rng.permutation(n) for _ in range(passes)])[: steps * batch].reshape(steps, batch)


def steps_of(config: SweepConfig, n_images: int) -> int:
    """Optimiser steps of a trial on so many images: equal ones, or those of the epochs.

    The last batch of an epoch is filled up with the first images of the next.
    """
    return config.epochs * -(-n_images // config.batch) if config.epochs else config.steps


def evaluation_steps(config: SweepConfig, n_images: int) -> Sequence[int]:
    """Steps after which a trial reads the validation set: evenly spaced, or after each epoch; the last always."""
    return validation_steps(steps_of(config, n_images), config.epochs or config.validations)


def validation_steps(steps: int, validations: int) -> Sequence[int]:
    """So many steps evenly spaced, the last step always among them."""
    return sorted({round(steps * (i + 1) / validations) for i in range(validations)} - {0})
