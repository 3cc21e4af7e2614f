"""How fast this machine computes, tried out: `python -m engine.jobs.pace`, one process of those that will be at work.

`engine.jobs.sizing` starts it, and speaks with it in lines of JSON: settings first, then the name of what to try, each
answered by a number. No data set is needed and nothing is kept.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
import torch

from engine.configs import SweepConfig, parse_training
from engine.devices import choose_device, set_arithmetic, synchronize
from engine.gans.data import TrainingImages, rows_shown
from engine.gans.image_spec import ImageSpec
from engine.gans.trainers import make_trainer
from engine.sweep.arms import Trial
from engine.sweep.trial_data import Inputs
from engine.sweep.trials import train_group

WARM_UP = 4
"""Iterations and steps before the clock starts: memory is taken, and on a GPU an iteration is recorded."""
STEPS = 30
IMAGES = 128


def main() -> None:
    """Answer until the other end is closed."""
    settings = json.loads(sys.stdin.readline())
    _answer(time.time())
    for line in sys.stdin:
        _answer({"kimg": seconds_a_kimg, "step": seconds_a_step}[line.strip()](settings))


def seconds_a_kimg(settings: dict[str, Any]) -> float:
    """Of training the generator of `settings["train"]`, for `settings["seconds"]`, on pictures of noise like those of
    `settings["import"]`."""
    training = parse_training({**settings["train"], "dataset": "none"})
    device = choose_device(training.device)
    set_arithmetic(device, training.precision)
    pixels = _pixels(settings)
    spec = ImageSpec(pixels.shape[1], pixels.shape[3], 2 if training.conditional else 0)
    images = TrainingImages(pixels, np.arange(len(pixels)) % 2, [], device)
    trainer = make_trainer(training, spec, images.labels, device)
    seen, began = 0, 0.0
    while not began or time.perf_counter() - began < settings["seconds"]:
        if seen == WARM_UP * training.batch:
            synchronize(device)
            began = time.perf_counter()
        trainer.train_step(list(images.stream([rows_shown(0, seen, training.batch, len(images))])), seen)
        seen += training.batch
    synchronize(device)
    return 1000 * (time.perf_counter() - began) / (seen - WARM_UP * training.batch)


def seconds_a_step(settings: dict[str, Any]) -> float:
    """Of training the classifier of `settings["sweep"]`, on such pictures too."""
    config = SweepConfig.build({**settings["sweep"], "name": "none", "dataset": "none", "pool": "none"})
    device = choose_device(config.device)
    pixels = torch.from_numpy(_pixels(settings)).permute(0, 3, 1, 2).contiguous()
    labels = np.arange(len(pixels)) % 2
    inputs = Inputs(pixels, pixels[:2], pixels[:2], labels, labels[:0], labels[:2], 2).to(device)

    def seconds(steps: int) -> float:
        short = config.model_copy(update={"steps": steps, "validations": 1}).completed()
        began = time.perf_counter()
        train_group([Trial("real", 0.0, 0)], inputs, short)
        return time.perf_counter() - began

    seconds(WARM_UP)
    return max(1e-6, seconds(WARM_UP + STEPS) - seconds(WARM_UP)) / STEPS


def _pixels(settings: dict[str, Any]) -> np.ndarray:
    """uint8 `[N, S, S, C]`"""
    size, channels = settings["import"]["size"], 3 if settings["import"].get("mode") == "RGB" else 1
    return np.random.default_rng(0).integers(0, 256, (IMAGES, size, size, channels), dtype=np.uint8)


def _answer(value: float) -> None:
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    main()
