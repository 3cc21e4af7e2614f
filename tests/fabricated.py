"""Homes made up for tests of reports and pages: data sets and runs as the engine leaves them, without its work."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from engine.configs import DcganConfig, GeneratorReference, PoolConfig, SweepConfig
from engine.store.files import write_json
from engine.store.hashing import sha256_file, sha256_pixels
from engine.store.home import Home
from engine.store.runs import Run, State, create_run

CLASSES = ("bleed", "normal")
COUNTS = {"train": 20, "valid": 6, "test": 12}
SIZE = 32


def picture(seed: int, class_name: str) -> np.ndarray:
    """A grey disc `[SIZE, SIZE]`, with a bright spot in the class bleed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    image = 20 + 110 * (np.hypot(x / rng.uniform(0.8, 1.0), y) < SIZE * 0.42) + rng.normal(0, 10, (SIZE, SIZE))
    if class_name == "bleed":
        image += 90 * (np.hypot(x - rng.uniform(-6, 6), y - rng.uniform(-6, 6)) < rng.uniform(2, 5))
    return image.clip(0, 255).astype(np.uint8)


def make_dataset(home: Home, name: str = "phantom", frozen: bool = True) -> str:
    """A frozen phantom data set; returns its fingerprint."""
    folder = home.dataset(name)
    rows, seed = [], 0
    for class_name in CLASSES:
        (folder / "images" / class_name).mkdir(parents=True)
        for split, count in COUNTS.items():
            for _ in range(count):
                image = picture(seed, class_name)
                path = f"images/{class_name}/{seed:05d}.png"
                Image.fromarray(image).save(folder / path)
                row = {"path": path, "class": class_name, "split": split, "group": f"P{seed:03d}"}
                row |= {"sha256": sha256_pixels(image), "phash": f"{seed:016x}", "width": 64 + seed % 3, "height": 64}
                rows.append({**row, "mode": "L", "bits": 8, "source": path, "excluded": ""})
                seed += 1
    pd.DataFrame(rows).to_csv(folder / "manifest.csv", index=False)
    fingerprint = "f" * 64
    finding = {"name": "near-copies", "sentence": "2 pairs of images look nearly the same.", "count": 2}
    finding |= {"severity": "info", "examples": [], "remedy": "drop-copies"}
    write_json(
        folder / "dataset.json",
        {
            "name": name,
            "config": {"kind": "import", "name": name, "layout": "phantom", "seed": 0, "remedies": []},
            "classes": list(CLASSES),
            "size": SIZE,
            "mode": "L",
            "frozen": {"fingerprint": fingerprint, "time": time.time()} if frozen else None,
            "audit": {"findings": [finding]},
            "provenance": {},
            "phantom": True,
            "label": "Phantom: drawn by the program",
        },
    )
    return fingerprint


def set_state(run: Run, state: State, **changes: Any) -> Run:
    """Record a state as the supervisor would; a running one needs its lock held to be believed."""
    now = time.time()
    ended = now if state.is_final else None
    run.update(state=state, started=now - 300, ended=ended, device="CPU, 2 threads", **changes)
    return run


def make_training(
    home: Home,
    class_name: str,
    state: State = State.FINISHED,
    kimg: float = 12.0,
    done: float | None = None,
    **changes: Any,
) -> Run:
    """A DCGAN training of one class with its curves, its sample grids and, once finished, its generator."""
    config = DcganConfig(
        dataset="phantom", dataset_fingerprint="f" * 64, class_name=class_name, kimg=kimg, g_channels=32, d_channels=32
    )
    run = create_run(home, config.plain(), f"train phantom {class_name}")
    done = kimg if done is None else done
    rng = np.random.default_rng(0)
    for tick in np.arange(0.5, done + 0.01, 0.5):
        run.append_metrics(
            {
                "kimg": float(tick),
                "seconds": 20.0 * float(tick),
                "g_loss": 1.5 + 1.2 * (1 - np.exp(-tick / 4)) + rng.normal(0, 0.15),
                "d_loss": 0.4 + 0.9 * np.exp(-tick / 2) + rng.normal(0, 0.08),
                "d_real": float(np.clip(0.5 + 0.3 * (1 - np.exp(-tick / 3)) + rng.normal(0, 0.03), 0, 1)),
                "d_fake": float(np.clip(0.5 - 0.3 * (1 - np.exp(-tick / 3)) + rng.normal(0, 0.03), 0, 1)),
                "g_grad_norm": 2.0 + rng.random(),
                "d_grad_norm": 1.0 + rng.random(),
                "images_per_second": 50.0 + rng.normal(0, 2),
                "memory_gib": 0.6,
                "time": time.time(),
            }
        )
    (run.path / "samples").mkdir()
    _grid(class_name, 0, 0.0).save(run.path / "samples" / "reals.png")
    for images in range(0, int(done * 1000) + 1, 2000):
        _grid(class_name, 1000, 60 * np.exp(-images / 4000)).save(run.path / "samples" / f"fakes-{images:09d}.png")
    if state is State.FINISHED:
        (run.path / "generator.onnx").write_bytes(b"not a network " + class_name.encode())
        write_json(
            run.path / "generator.json",
            {
                "gan": "dcgan",
                "architecture": "recipe",
                "sha256": sha256_file(run.path / "generator.onnx"),
                "run": run.id,
                "snapshot": f"network-{int(done * 1000):09d}.safetensors",
                "kimg": done,
                "z_dim": 100,
                "size": SIZE,
                "channels": 1,
                "mode": "L",
                "classes": [class_name],
                "conditional": False,
                "class_name": class_name,
                "dataset": "phantom",
                "dataset_fingerprint": "f" * 64,
                "agreement": 1e-6,
            },
        )
    return set_state(run, state, stage="Training", done=done, total=kimg, unit="kimg", **changes)


def make_pool_run(home: Home, trainings: list[Run], images: int = 16) -> Run:
    """A finished pool of these trainings' generators."""
    references = tuple(
        GeneratorReference(run=run.id, sha256=sha256_file(run.path / "generator.onnx")) for run in trainings
    )
    config = PoolConfig(
        name="phantom-pool",
        dataset="phantom",
        dataset_fingerprint="f" * 64,
        generators=references,
        images_per_class=images,
    )
    run = create_run(home, config.plain(), "pool phantom")
    rows = []
    for reference, class_name in zip(references, CLASSES, strict=True):
        (run.path / "images" / class_name).mkdir(parents=True)
        for seed in range(images):
            image = picture(5000 + seed, class_name)
            path = f"images/{class_name}/{seed:06d}.png"
            Image.fromarray(image).save(run.path / path)
            row = {"path": path, "class": class_name, "seed": seed, "generator": reference.run}
            row |= {"generator_sha256": reference.sha256, "sha256": sha256_pixels(image), "excluded": ""}
            rows.append(row)
    pd.DataFrame(rows).to_csv(run.path / "manifest.csv", index=False)
    (run.path / "training_images.txt").write_text("0" * 64 + "\n")
    write_json(run.path / "pool.json", {"classes": list(CLASSES), "size": SIZE, "mode": "L", "sha256": "a" * 64})
    return set_state(run, State.FINISHED, stage="Sampling", done=2 * images, total=2 * images, unit="images")


def make_trials(seeds: int = 8, gain: float = 0.05) -> pd.DataFrame:
    """Trials of all arms on the test set of `make_dataset`; synthetic images add `gain` at 100 %."""
    ratios = (0.25, 0.5, 0.75, 1.0)
    cells = [("real", 0.0), ("real+classical", 0.0)]
    cells += [(arm, ratio) for arm in ("real+duplicates", "real+synthetic") for ratio in ratios]
    rng = np.random.default_rng(3)
    luck = rng.normal(0, 0.02, seeds)
    n = COUNTS["test"]
    rows = []
    for arm, ratio in cells:
        extra = {"real+synthetic": gain * ratio, "real+classical": 0.02}.get(arm, 0.0)
        for seed in range(seeds):
            right = [round(n * float(np.clip(0.8 + extra + luck[seed] + rng.normal(0, 0.03), 0, 1))) for _ in CLASSES]
            sensitivity, specificity = right[0] / n, right[1] / n
            accuracy = sum(right) / (2 * n)
            row = {"arm": arm, "ratio": ratio, "seed": seed, "steps": 300, "n_real": 40}
            row |= {"n_synthetic": round(40 * ratio), "valid_accuracy": accuracy, "best_step": 210}
            row |= {"accuracy": accuracy, "balanced_accuracy": accuracy, "macro_f1": accuracy - 0.01}
            row |= {"sensitivity": sensitivity, "specificity": specificity, "auroc": min(accuracy + 0.06, 1.0)}
            row |= {"brier": (1 - accuracy) * 0.9, "seconds": 2.5, "scores": [0.5] * (4 * n)}
            row["confusion"] = json.dumps([[right[0], n - right[0]], [n - right[1], right[1]]])
            rows.append(row)
    return pd.DataFrame(rows)


def make_summary(trials: pd.DataFrame) -> dict[str, Any]:
    """A summary in the form that the engine writes, its intervals made up."""
    comparisons = []
    for metric in ("accuracy", "auroc"):
        values = trials.pivot_table(index="seed", columns=["arm", "ratio"], values=metric)
        for against in ("real", "real+duplicates"):
            for ratio in (0.25, 0.5, 0.75, 1.0):
                control = values[("real", 0.0)] if against == "real" else values[(against, ratio)]
                difference = values[("real+synthetic", ratio)] - control
                mean, half = float(difference.mean()), float(difference.std())
                comparison = {"ratio": ratio, "against": against, "metric": metric, "mean_difference": mean}
                comparison |= {"low": mean - half, "high": mean + half, "p": 0.0078, "p_holm": 0.031, "n": len(values)}
                comparisons.append(comparison)
    n = {f"n_{split}": 2 * count for split, count in COUNTS.items()}
    return {
        "classes": list(CLASSES),
        "majority_accuracy": 0.5,
        **n,
        "detectable": {"half_width": 0.142, "at": 0.85},
        "cells": [],
        "comparisons": comparisons,
        "test_noise": {},
        "verdict": {
            "verdict": "helps",
            "sentence": "Adding 100 % synthetic images raised the accuracy by 5.1 points over duplicated real images.",
            "needed": "",
            "ratio": 1.0,
        },
    }


def make_sweep(home: Home, pool: Run, state: State = State.FINISHED, seeds: int = 8, **changes: Any) -> Run:
    """A sweep; unless finished it has half of its trials and no summary."""
    config = SweepConfig(
        name="phantom-sweep",
        dataset="phantom",
        dataset_fingerprint="f" * 64,
        pool=pool.id,
        pool_sha256="a" * 64,
        seeds=seeds,
    )
    run = create_run(home, config.plain(), "sweep phantom")
    trials = make_trials(seeds)
    finished = state is State.FINISHED
    kept = trials if finished else trials.iloc[: len(trials) // 2]
    kept.to_parquet(run.path / "trials.parquet")
    result = {}
    if finished:
        summary = make_summary(trials)
        write_json(run.path / "summary.json", summary)
        result = {"verdict": summary["verdict"]["verdict"], "sentence": summary["verdict"]["sentence"]}
    changes = {"result": result, **changes}
    return set_state(run, state, stage="Trials", done=len(kept), total=len(trials), unit="trials", **changes)


def make_everything(home: Home) -> Run:
    """A home with the whole chain of a finished journey; returns its sweep."""
    make_dataset(home)
    trainings = [make_training(home, class_name) for class_name in CLASSES]
    return make_sweep(home, make_pool_run(home, trainings))


def _grid(class_name: str, first_seed: int, noise: float) -> Image.Image:
    rng = np.random.default_rng(first_seed)
    rows = [np.hstack([picture(first_seed + 6 * i + j, class_name) for j in range(6)]) for i in range(6)]
    grid = np.vstack(rows) + rng.normal(0, noise, (6 * SIZE, 6 * SIZE))
    return Image.fromarray(grid.clip(0, 255).astype(np.uint8))
