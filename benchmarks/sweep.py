"""The published ResNet-50 sweep from cached features, against running the frozen backbone for every trial and epoch.

Both sides train the published head (S2: dropout 0.4, dense) on the same numbers of images: 5 ratios (0, 25, 50, 75 and
100 % synthetic images added) x 8 seeds at 224 px, and as many optimiser steps as 30 epochs on the reals need.

* cached: the whole sweep as Ersatz runs it, from an empty cache to the scores of 40 trials (features of every distinct
  image once, then all heads). Measured in full.
* naive: plain PyTorch in fp32 that sends every batch through the frozen backbone in every step, as the notebooks do.
  Measured on some steps and one validation pass of one trial, and scaled to 40 trials of equal steps (in the
  notebooks larger sets also take more steps); validation after each of the 30 epochs, test once.

Weights are random (made here and given as an explicit file): they cost the same time as trained ones.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from engine.configs import SweepConfig
from engine.features.backbones import IMAGENET_MEAN, IMAGENET_STD, INPUT_SIZE, open_backbone
from engine.features.cache import FeatureCache
from engine.gans.devices import choose_device, describe
from engine.store.home import Home
from engine.sweep.arms import plan
from engine.sweep.runner import groups
from engine.sweep.trials import Inputs, train_heads

EPOCHS = 30
BATCH = 32


def cached_sweep(weights: Path, home: Home, parts: dict[str, np.ndarray], device: torch.device, steps: int) -> dict:
    """Seconds of every part of a sweep as Ersatz runs it."""
    config = SweepConfig(
        name="benchmark", dataset="none", pool="none", classifier="resnet50", arms=("real", "real+synthetic"),
        steps=steps, batch=BATCH, lr=1e-3, validations=EPOCHS,
    )  # fmt: skip
    began = time.perf_counter()
    backbone = open_backbone("resnet50", weights, device)
    cache = FeatureCache(home, backbone)
    features = {
        name: torch.from_numpy(cache.features(images, [f"{name}-{row}" for row in range(len(images))]))
        for name, images in parts.items()
    }
    featured = time.perf_counter()
    labels = {name: np.arange(len(images)) % 2 for name, images in parts.items()}
    inputs = Inputs(
        torch.cat((features["train"], features["pool"])), features["valid"], features["test"],
        labels["train"], labels["pool"], labels["valid"], 2,
    ).to(device)  # fmt: skip
    trials = plan(config)
    results = [result for group in groups(config, trials, set()) for result in train_heads(group, inputs, config)]
    ended = time.perf_counter()
    assert len(results) == len(trials) == 40
    return {"features_s": featured - began, "heads_s": ended - featured, "total_s": ended - began}


def naive_sweep(parts: dict[str, np.ndarray], device: torch.device, steps: int, measured_steps: int) -> dict:
    """Seconds of 40 trials that run the backbone in every step, scaled from `measured_steps` of one of them."""
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
        "total_s": 40 * trial_s,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=int, default=144, help="real training images; the pool has as many")
    parser.add_argument("--valid", type=int, default=34)
    parser.add_argument("--test", type=int, default=22)
    parser.add_argument("--size", type=int, default=32, help="stored size of the images, resized to 224 px")
    parser.add_argument("--naive-steps", type=int, default=6, help="measured steps of the naive trial")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()

    device = choose_device(options.device)
    rng = np.random.default_rng(0)
    counts = {"train": options.train, "pool": options.train, "valid": options.valid, "test": options.test}
    shape = (options.size, options.size, 1)
    parts = {name: rng.integers(0, 256, (count, *shape), dtype=np.uint8) for name, count in counts.items()}
    steps = -(-options.train // BATCH) * EPOCHS
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "random.pth"
        torch.manual_seed(0)
        torch.save(torchvision.models.resnet50().state_dict(), weights)
        cached = cached_sweep(weights, Home(Path(folder)), parts, device, steps)
    naive = naive_sweep(parts, device, steps, options.naive_steps)
    result = {
        "what": "ResNet-50 sweep, 5 ratios x 8 seeds at 224 px: cached features against a backbone pass in every step",
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
    print(f"cached, measured in full: {cached['total_s']:.1f} s", end=" ")
    print(f"(features {cached['features_s']:.1f} s, heads {cached['heads_s']:.1f} s)")
    print(f"naive, scaled from {options.naive_steps} of {40 * steps} steps: {naive['total_s']:.1f} s", end=" ")
    print(f"({naive['step_s']:.3f} s a step)")
    print(f"ratio: {result['ratio']:.0f} (aim: at least 150)")
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
