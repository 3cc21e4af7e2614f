"""Which evaluation on the validation set gives a trial its weights, and when it ends early: real images decide."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.configs import SweepConfig


def choose(accuracies: Sequence[float], losses: Sequence[float], n_valid: int, config: SweepConfig) -> int:
    """Which evaluation on `n_valid` images gives the weights, by `config.select`; of equal ones the first, but for
    within-error (see `pick`)."""
    if config.select == "last":
        return len(accuracies) - 1
    if config.select == "best-accuracy":
        return int(np.argmax(accuracies))
    if config.select == "best-loss":
        return int(np.argmin(_lowest_known(losses)))
    return pick(np.asarray(accuracies), n_valid)


def pick(accuracies: np.ndarray, n_valid: int) -> int:
    """The latest evaluation within one standard error of the best accuracy.

    The one-standard-error rule (Breiman et al. 1984): the highest of ten accuracies on a few dozen images is mostly
    luck, and taking it as it is stops early for no reason; on a large validation set the rule takes the best.
    """
    best = float(accuracies.max())
    error = (best * (1 - best) / n_valid) ** 0.5
    return int(np.flatnonzero(accuracies >= best - error - 1e-9)[-1])


def candidates(accuracies: Sequence[float], losses: Sequence[float], n_valid: int, config: SweepConfig) -> set[int]:
    """The evaluations so far that may still be chosen, whatever follows: only their weights are worth their memory.

    For within-error these are those with a higher accuracy than all later ones, which a later one cannot make
    ineligible without being ineligible itself.
    """
    if config.select != "within-error":
        return {choose(accuracies, losses, n_valid, config)}
    later = np.maximum.accumulate(np.asarray(accuracies)[::-1])[::-1]
    return {i for i in range(len(accuracies)) if i == len(accuracies) - 1 or accuracies[i] > later[i + 1]}


def out_of_patience(losses: Sequence[float], patience: int) -> bool:
    """Whether the validation loss has not fallen for `patience` evaluations; with 0 never."""
    return 0 < patience <= len(losses) - 1 - int(np.argmin(_lowest_known(losses)))


def evaluations_taken(losses: Sequence[float], patience: int) -> int:
    """How many of these evaluations a trial takes that ends when it is out of patience."""
    counts = range(1, len(losses) + 1)
    return next((n for n in counts if out_of_patience(losses[:n], patience)), len(losses))


def _lowest_known(losses: Sequence[float]) -> np.ndarray:
    return np.nan_to_num(np.asarray(losses, float), nan=np.inf, posinf=np.inf)
