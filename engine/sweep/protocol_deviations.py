"""Where a sweep's protocol departs from the sound one, in sentences; and the published rule that drops runs."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from engine.configs import SweepConfig
from engine.store.versioned import Number
from engine.sweep.arms import control_of, is_synthetic
from engine.sweep.statistics import QUICK_LOOK_BELOW

FLAWS = {
    "test-is-validation": "The test images served as validation images too, so that the choice of the weights has seen "
    "them.",
    "augmented-test": "The test images were altered at random before they were judged.",
    "synthetic-in-test": "Synthetic images stood in the test set; recognising them says nothing about patients.",
    "dropped-runs": "The publication left runs out after a look at the test set; both versions are shown, and the "
    "numbers here are those of all runs.",
}
DROPPED = (
    "As published, runs with an accuracy of 1 or an extremely low one were left out after a look at the test set; "
    "extremely low is read as: not above the accuracy of always naming the most frequent class."
)
PERFECT, LOW = "accuracy of 1", "extremely low accuracy"


@dataclass(frozen=True)
class Deviation:
    """One point at which the protocol is not the sound one."""

    name: str
    sentence: str


def deviations(config: SweepConfig) -> list[Deviation]:
    """All deviations of a sweep, those that leave no room for a claim (see `SweepConfig.claims`) first; empty for the
    sound protocol."""
    found = [Deviation(flaw, FLAWS[flaw]) for flaw in config.flaws]
    epochs, looks = (f"{n} {word}{'s' * (n != 1)}" for n, word in ((config.epochs, "epoch"), (config.patience, "look")))
    if config.epochs:
        sentence = (
            f"Every trial ran for {epochs}, so that larger training sets had more optimiser steps; more "
            "steps can help by themselves."
        )
        found.append(Deviation("unequal-steps", sentence))
    elif config.patience:
        sentence = (
            f"A training ended when its validation loss had not fallen for {looks}, so that the arms "
            "had the same number of optimiser steps at most, not always."
        )
        found.append(Deviation("early-stopping", sentence))
    if config.seeds < QUICK_LOOK_BELOW:
        times = "once" if config.seeds == 1 else f"{config.seeds} times"
        sentence = f"Every training ran {times}; at least 8 paired repetitions can tell an effect from luck."
        found.append(Deviation("few-seeds", sentence))
    lacking = [arm for arm in config.arms if is_synthetic(arm) and control_of(arm) not in (None, *config.arms)]
    if lacking:
        sentence = f"There was no control of duplicated real images for {', '.join(lacking)}; help cannot be told."
        found.append(Deviation("no-duplicates", sentence))
    return found


@dataclass(frozen=True)
class DroppedRun:
    """A trial that the published rule leaves out."""

    arm: str
    ratio: float
    seed: int
    accuracy: float
    reason: str
    fold: int = 0
    """Sweeps of before there were folds name none."""


@dataclass(frozen=True)
class KeptRuns:
    """The trials of an arm and ratio that the published rule keeps, and the mean of their accuracies."""

    arm: str
    ratio: float
    n: int
    mean: Number


@dataclass(frozen=True)
class DroppedRuns:
    """The published rule, the trials that it leaves out, and what the others show."""

    rule: str
    trials: tuple[DroppedRun, ...]
    cells: tuple[KeptRuns, ...]


def dropped_runs(trials: pd.DataFrame, majority: float) -> DroppedRuns:
    """The runs that the published rule leaves out, and the means without them; for comparison only.

    `trials` has one row a trial with its accuracy; `majority` is the accuracy of the most frequent class.
    """
    perfect, low = trials["accuracy"] >= 1 - 1e-9, trials["accuracy"] <= majority + 1e-9
    columns = (trials.loc[perfect | low, name].tolist() for name in ("arm", "ratio", "seed", "fold", "accuracy"))
    left_out = [
        DroppedRun(arm, ratio, seed, accuracy, PERFECT if accuracy >= 1 - 1e-9 else LOW, fold)
        for arm, ratio, seed, fold, accuracy in zip(*columns, strict=True)
    ]
    kept = trials[~(perfect | low)].groupby(["arm", "ratio"], sort=False)["accuracy"].agg(n="size", mean="mean")
    cells = [KeptRuns(*row) for row in kept.reset_index().itertuples(index=False, name=None)]
    return DroppedRuns(DROPPED, tuple(left_out), tuple(cells))
