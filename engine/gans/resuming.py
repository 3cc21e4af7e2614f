"""Resuming a training from its newest good snapshot, also after its numbers exploded."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import torch

from engine.configs import TrainConfig
from engine.gans.checkpoints import load_snapshot, save_snapshot
from engine.gans.distributed import first_decides, is_first
from engine.gans.snapshots import latest_snapshot, list_snapshots
from engine.gans.trainers import Trainer
from engine.store.errors import ErsatzError
from engine.store.runs import Run

logger = logging.getLogger(__name__)

LEARNING_RATES = ("G.optimizer.lr", "D.optimizer.lr")
MOST_RETURNS = 3
"""Returns to a snapshot before a training that keeps exploding is given up."""


@dataclass(frozen=True)
class Position:
    """Progress of a training: the counters that a snapshot keeps."""

    images_seen: int = 0
    seconds: float = 0.0
    returns: int = 0
    """Times that it exploded and went back; each halved the learning rates."""


def resume(run: Run, trainer: Trainer, digest: str) -> Position | None:
    """Load the newest snapshot that can be read; None without any.

    A damaged snapshot is passed over with a line in the log; one of other settings is an `ErsatzError`.
    """
    for path in list_snapshots(run.path):
        try:
            tensors, metadata = load_snapshot(path)
        except ErsatzError as error:
            logger.warning(f"Passing over a snapshot: {error}")
            continue
        if metadata["config_sha256"] != digest:
            raise ErsatzError(
                f"{path} was made with other settings than this run's; a snapshot of the same run was expected. "
                "Move it out of the snapshots folder and resume."
            )
        try:
            trainer.load_state(tensors)
        except (KeyError, RuntimeError) as error:
            raise ErsatzError(
                f"{path} does not hold the networks of this run ({error}); a snapshot of the same run was expected. "
                "Move it out of the snapshots folder and resume."
            ) from error
        return Position(metadata["images_seen"], metadata["seconds"], metadata.get("returns", 0))
    return None


def exploded(meters: dict[str, float], trainer: Trainer) -> list[str]:
    """Names of what is no longer finite: meters, and the weights themselves. This waits for the device.

    Asked before every snapshot, so that each one is good to return to.
    """
    broken = [name for name, value in meters.items() if not math.isfinite(value)]
    norms = [torch.nn.utils.get_total_norm(network.parameters()) for network in trainer.networks().values()]
    return broken if all(norm.isfinite() for norm in norms) else [*broken, "weights"]


def go_back(run: Run, config: TrainConfig, trainer: Trainer, digest: str, broken: list[str], at: Position) -> Position:
    """After an explosion found at `at`: load the newest snapshot, with half the learning rates, or end the training.

    The rates are halved in the snapshot itself, so that the return survives whatever happens next. Without the wish
    to return, and after `MOST_RETURNS`, this is an `ErsatzError`. Either way an alarm says so.
    """
    if is_first():
        _slow_down(run, config, broken, at)
    first_decides(True)  # the other ranks wait until the snapshot is written
    found = resume(run, trainer, digest)
    assert found is not None, "it was just written"
    return found


def _slow_down(run: Run, config: TrainConfig, broken: list[str], at: Position) -> None:
    """Halve the learning rates in the newest snapshot and count the return there."""
    snapshot = latest_snapshot(run.path)
    kimg = at.images_seen / 1000
    happened = f"Training exploded before {kimg:g} kimg: {', '.join(broken)} became infinite or not a number."
    if snapshot and config.returns_after_explosion and at.returns < MOST_RETURNS:
        tensors, metadata = load_snapshot(snapshot)
        for name in LEARNING_RATES:
            tensors[name] = tensors[name] / 2
        save_snapshot(run.path, tensors, {**metadata, "seconds": at.seconds, "returns": at.returns + 1})
        sentence = (
            f"{happened} It went on from {snapshot.name} with half the learning rates, for the {at.returns + 1}. of at "
            f"most {MOST_RETURNS} times; if this repeats, train with a larger gamma or batch."
        )
        run.raise_alarm(f"return-{at.returns + 1}-after-explosion", sentence, kimg=kimg)
        logger.warning(sentence)
        return
    kept = f"The last good snapshot is {snapshot.name}" if snapshot else "There is no snapshot yet"
    tried = f", and {at.returns} returns with ever lower learning rates did not help" if at.returns else ""
    sentence = f"{happened} {kept}{tried}; train again with lower g_lr and d_lr or a larger batch."
    run.raise_alarm("explosion", sentence, kimg=kimg)
    raise ErsatzError(sentence)
