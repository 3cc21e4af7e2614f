"""What one process and each of two ranks do alike: `python -m tests.gans.stylegan2.sharing RUN... FOLDER`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from engine.configs import StyleganConfig, parse_training
from engine.gans import training
from engine.gans.checkpoints import save_snapshot
from engine.gans.data import open_training_set, read_training_images, rows_shown
from engine.gans.distributed import is_first, joined
from engine.gans.image_spec import ImageSpec
from engine.gans.stylegan2.trainer import StyleganTrainer
from engine.gans.trainers import make_trainer
from engine.gans.training import train
from engine.store.home import Home
from engine.store.progress import never
from engine.store.runs import Run

CPU = torch.device("cpu")
PIECES = {"batch": 8, "batch_gpu": 4, "mbstd_group": 4, "tick_kimg": 0.016, "gamma": 1.0}
"""Settings of a batch that two ranks, or one process twice, take in pieces (gamma would depend on their number)."""


def gradients(run: Run) -> dict[str, Tensor]:
    """What every phase of the first iteration adds up over pieces and ranks, all of them with the same weights."""
    config = parse_training(run.config())
    assert isinstance(config, StyleganConfig)
    dataset = open_training_set(run.home, config)
    images = read_training_images(dataset, config, CPU)
    spec = ImageSpec(dataset.size, dataset.channels, len(dataset.classes) if config.conditional else 0)
    trainer = make_trainer(config, spec, images.labels, CPU)
    assert isinstance(trainer, StyleganTrainer)
    torch.manual_seed(1)
    with torch.no_grad():  # noise strengths and biases begin at 0, where much of this would be 0 too
        for network in (trainer.g, trainer.d):
            for parameter in network.parameters():
                parameter += 0.1 * torch.randn_like(parameter)
    found: dict[str, Tensor] = {}

    def keep(phase: str, network: Literal["G", "D"]) -> None:
        small = [trainer.w_mean, trainer.pl_moved.reshape(1), trainer.ada.observed[:1] / trainer.ada.observed[1:]]
        found[phase] = trainer.gradients[network].flat.clone()
        found[f"{phase} means"] = torch.cat(small).nan_to_num()

    trainer.step = keep  # type: ignore[method-assign]
    batch = rows_shown(config.seed, 0, config.batch, len(images))
    trainer.train_step(
        list(images.stream([batch[i : i + trainer.microbatch_starts.step] for i in trainer.microbatch_starts])), 0
    )
    return found


class StopAtTick:
    """A `should_stop` that says yes at the given tick."""

    def __init__(self, tick: int):
        self.left = tick

    def __call__(self) -> bool:
        self.left -= 1
        return self.left <= 0


def train_with_stops(run: Run, *ticks: int) -> None:
    """Train to the end, stopping after so many ticks each time."""
    config = parse_training(run.config())
    assert isinstance(config, StyleganConfig)
    for tick in ticks:
        assert train(run, config, should_stop=StopAtTick(tick) if is_first() else never) == "stopped"
    assert train(run, config) == "finished"


def save_late(*arguments: Any) -> None:
    time.sleep(0.2)
    save_snapshot(*arguments)


if __name__ == "__main__":
    home = Home.from_environment()
    straight, stopped = (Run(home, run_id) for run_id in sys.argv[1:3])
    with joined("cpu", Path(sys.argv[3])):
        if is_first():  # its disk is slow, and the other rank must not go on without it
            training.save_snapshot = save_late
        torch.save(gradients(straight), Path(sys.argv[3]) / f"gradients-of-rank-{int(not is_first())}.pt")
        train_with_stops(straight)
        train_with_stops(stopped, 1, 2)
