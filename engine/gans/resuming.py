"""Resuming a training from its newest good snapshot, also after its numbers exploded."""

from __future__ import annotations

import logging
import math
import re
from dataclasses import dataclass

import torch

from engine.configs import TrainConfig
from engine.gans.checkpoints import load_snapshot, save_snapshot
from engine.gans.distributed import first_decides, is_first
from engine.gans.snapshots import images_seen, latest_snapshot, list_snapshots
from engine.gans.trainers import Trainer
from engine.store.errors import ErsatzError
from engine.store.repair import tell
from engine.store.runs import Alarm, Run

logger = logging.getLogger(__name__)

LEARNING_RATES = ("G.optimizer.lr", "D.optimizer.lr")
RETURN = re.compile(r"return-(\d+)-after-explosion")
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

    A damaged snapshot is passed over with an alarm; one of other settings is an `ErsatzError`. So is, while there is an
    older one, a snapshot whose rows of metrics were lost: from the older one on they are made again.
    """
    recorded = images_recorded(run)
    for path in sorted(list_snapshots(run.path), key=lambda path: images_seen(path) > recorded):  # which is stable
        try:
            tensors, metadata = load_snapshot(path)
        except ErsatzError as error:
            if is_first():
                tell(run, path.name, f"Passing over a snapshot: {error}")
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


def images_recorded(run: Run) -> int:
    """Up to how many images the rows of metrics are whole. They are on the disk before a snapshot is."""
    rows, _ = run.read_metrics()
    try:
        return round(rows[-1]["kimg"] * 1000) if rows else 0
    except (KeyError, TypeError):
        return 0


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
    if is_first():
        keep_alarms(run, found)
    return found


def keep_alarms(run: Run, at: Position) -> None:
    """Keep the alarms of what a training that goes on from `at` keeps; it raises the later ones again.

    A return belongs to the snapshot that counts it, and was noticed further on.
    """

    def holds(alarm: Alarm) -> bool:
        if found := RETURN.fullmatch(alarm.name):
            return int(found[1]) <= at.returns
        return alarm.kimg is None or round(alarm.kimg * 1000) <= at.images_seen

    run.keep_alarms(holds)


def _slow_down(run: Run, config: TrainConfig, broken: list[str], at: Position) -> None:
    """Halve the learning rates in the newest snapshot and count the return there."""
    snapshot = latest_snapshot(run.path)
    kimg = at.images_seen / 1000
    happened = f"Training exploded before {kimg:g} kimg: {', '.join(broken)} became infinite or not a number."
    if snapshot and config.returns_after_explosion and at.returns < MOST_RETURNS:
        tensors, metadata = load_snapshot(snapshot)
        for name in LEARNING_RATES:
            tensors[name] = tensors[name] / 2
        sentence = (
            f"{happened} It went on from {snapshot.name} with half the learning rates, for the {at.returns + 1}. of at "
            f"most {MOST_RETURNS} times; if this repeats, train with a larger gamma or batch."
        )
        # First the alarm: killed between the two, the training drops it and explodes again.
        run.raise_alarm(f"return-{at.returns + 1}-after-explosion", sentence, kimg=kimg)
        save_snapshot(run.path, tensors, {**metadata, "seconds": at.seconds, "returns": at.returns + 1})
        logger.warning(sentence)
        return
    kept = f"The last good snapshot is {snapshot.name}" if snapshot else "There is no snapshot yet"
    tried = f", and {at.returns} returns with ever lower learning rates did not help" if at.returns else ""
    sentence = f"{happened} {kept}{tried}; train again with lower g_lr and d_lr or a larger batch."
    run.raise_alarm("explosion", sentence, kimg=kimg)
    raise ErsatzError(sentence)
