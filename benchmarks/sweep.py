"""The ResNet-50 sweep with all arms from cached features, against running the frozen backbone in every step.

Both sides train the published head (S2: dropout 0.4, dense) on the same images: all twelve arms (real; duplicates and
synthetic images added at 25, 50, 75 and 100 %; either in place of reals at 25, 50 and 75 %; synthetic images alone at
all four; each of these with and without classical augmentation) x 8 seeds, 304 trials at 224 px, with as many
optimiser steps as 30 epochs on the reals need. `--published-arms` leaves `real` and `real+synthetic`: 40 trials.

* cached: the whole sweep as Ersatz runs it, from an empty cache to the scores of all trials (features of every distinct
  image once, and of 8 recorded random views of each image that an arm augments; then all heads). Measured in full.
* naive: plain PyTorch in fp32 that sends every batch through the frozen backbone in every step, as the notebooks do.
  Measured on some steps and one validation pass of one trial, and scaled to as many trials of equal steps (in the
  notebooks larger sets also take more steps; augmenting costs them more, which is not counted); validation after each
  of the 30 epochs, test once.

Weights are random (made here and given as an explicit file): they cost the same time as trained ones.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path
from typing import get_args

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from engine.configs import SweepConfig
from engine.configs.evaluation import Arm
from engine.devices import choose_device, describe
from engine.features.backbones import IMAGENET_MEAN, IMAGENET_STD, INPUT_SIZE, open_backbone
from engine.features.cache import FeatureCache
from engine.store.home import Home
from engine.sweep.arms import arm_rule, plan
from engine.sweep.trial_data import Inputs
from engine.sweep.trial_rows import groups
from engine.sweep.trials import train_group

EPOCHS = 30
BATCH = 32


def settings(arms: tuple[Arm, ...], steps: int) -> SweepConfig:
    """The sweep to time, with the published head."""
    return SweepConfig(
        name="benchmark", dataset="none", pool="none", classifier="resnet50", head="head-ct", arms=arms, steps=steps,
        batch=BATCH, optimizer="rmsprop", lr=1e-3, validations=EPOCHS,
    ).completed()  # fmt: skip


def cached_sweep(
    config: SweepConfig, weights: Path, home: Home, parts: dict[str, np.ndarray], device: torch.device
) -> dict[str, float]:
    """Seconds of every part of a sweep as Ersatz runs it."""
    began = time.perf_counter()
    backbone = open_backbone("resnet50", weights, device)
    cache = FeatureCache(home, backbone)
    hashes = {name: [f"{name}-{row}" for row in range(len(images))] for name, images in parts.items()}

    def features(name: str, views: int = 0) -> torch.Tensor:
        return torch.from_numpy(cache.features(parts[name], hashes[name], views, policy=config.augmentation))

    train = torch.cat((features("train"), features("pool")))
    valid, test = features("valid"), features("test")
    augmented = any(arm_rule(arm).classical for arm in config.arms)
    views = torch.cat((features("train", config.views), features("pool", config.views))) if augmented else None
    featured = time.perf_counter()
    labels = {name: np.arange(len(images)) % 2 for name, images in parts.items()}
    inputs = Inputs(train, valid, test, labels["train"], labels["pool"], labels["valid"], 2, views).to(device)
    trials = plan(config)
    results = [result for group in groups(config, trials, set()) for result in train_group(group, inputs, config)]
    ended = time.perf_counter()
    assert [result.trial for result in results] == trials
    n_views = config.views * (len(parts["train"]) + len(parts["pool"])) if augmented else 0
    return {
        "trials": len(trials),
        "distinct_images": sum(map(len, parts.values())),
        "views": n_views,
        "features_s": featured - began,
        "heads_s": ended - featured,
        "total_s": ended - began,
    }


def naive_sweep(
    trials: int, parts: dict[str, np.ndarray], device: torch.device, steps: int, measured_steps: int
) -> dict[str, float]:
    """Seconds of so many trials that run the backbone in every step, scaled from `measured_steps` of one of them."""
    net = torchvision.models.resnet50()
    net.fc = nn.Identity()
    net.eval().requires_grad_(False).to(device)
    head = nn.Sequential(nn.Dropout(0.4), nn.Linear(2048, 2)).to(device)
    optimiser = torch.optim.RMSprop(head.parameters(), 1e-3)
    labels = torch.arange(BATCH, device=device) % 2
    mean, std = (torch.tensor(values, device=device).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))

    def forward(images: np.ndarray) -> torch.Tensor:
        x = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float() / 255
        x = F.interpolate(x, (INPUT_SIZE, INPUT_SIZE), mode="bilinear", antialias=True).expand(-1, 3, -1, -1)
        with torch.no_grad():
            return net((x - mean) / std)

    def step() -> float:
        rows = np.random.default_rng(0).integers(len(parts["train"]), size=BATCH)
        loss = F.cross_entropy(head(forward(parts["train"][rows])), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.item()  # waits for the device

    step()
    began = time.perf_counter()
    for _ in range(measured_steps):
        step()
    step_s = (time.perf_counter() - began) / measured_steps
    began = time.perf_counter()
    head(forward(parts["valid"][:BATCH])).sum().item()
    image_s = (time.perf_counter() - began) / min(BATCH, len(parts["valid"]))
    evaluated = EPOCHS * len(parts["valid"]) + len(parts["test"])
    trial_s = steps * step_s + evaluated * image_s
    return {
        "step_s": step_s,
        "measured_steps": measured_steps,
        "steps": steps,
        "trial_s": trial_s,
        "total_s": trials * trial_s,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=int, default=144, help="real training images; the pool has as many")
    parser.add_argument("--valid", type=int, default=34)
    parser.add_argument("--test", type=int, default=22)
    parser.add_argument("--size", type=int, default=32, help="stored size of the images, resized to 224 px")
    parser.add_argument("--naive-steps", type=int, default=6, help="measured steps of the naive trial")
    parser.add_argument("--published-arms", action="store_true", help="only real and real+synthetic: 40 trials")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()

    device = choose_device(options.device)
    rng = np.random.default_rng(0)
    counts = {"train": options.train, "pool": options.train, "valid": options.valid, "test": options.test}
    shape = (options.size, options.size, 1)
    parts = {name: rng.integers(0, 256, (count, *shape), dtype=np.uint8) for name, count in counts.items()}
    arms: tuple[Arm, ...] = ("real", "real+synthetic") if options.published_arms else get_args(Arm)
    config = settings(arms, -(-options.train // BATCH) * EPOCHS)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "random.pth"
        torch.manual_seed(0)
        torch.save(torchvision.models.resnet50().state_dict(), weights)
        cached = cached_sweep(config, weights, Home(Path(folder)), parts, device)
    naive = naive_sweep(int(cached["trials"]), parts, device, config.steps, options.naive_steps)
    result = {
        "what": "ResNet-50 sweep at 224 px, 8 seeds: cached features against a backbone pass in every step",
        "arms": arms,
        "ratio": naive["total_s"] / cached["total_s"],
        "aim": 150,
        "cached": cached,
        "naive_scaled": naive,
        "images": counts,
        "epochs": EPOCHS,
        "device": describe(device),
        "torch": torch.__version__,
        "machine": platform.platform(),
    }
    print(f"{len(arms)} arms, {cached['trials']} trials of {config.steps} steps")
    print(f"cached, measured in full: {cached['total_s']:.1f} s", end=" ")
    print(f"(features of {cached['distinct_images']} images and {cached['views']} views", end=" ")
    print(f"{cached['features_s']:.1f} s, heads {cached['heads_s']:.1f} s)")
    print(f"naive, scaled from {options.naive_steps} of {cached['trials'] * config.steps} steps:", end=" ")
    print(f"{naive['total_s']:.0f} s ({naive['step_s']:.3f} s a step)")
    print(f"ratio: {result['ratio']:.0f} (aim: at least 150)")
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
