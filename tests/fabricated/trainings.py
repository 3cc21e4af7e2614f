"""Trainings of both GANs as they leave their folders."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from engine.configs import DcganConfig, StyleganConfig
from engine.sampling.exported import combined, digests
from engine.store.files import write_json
from engine.store.hashing import sha256_file
from engine.store.home import Home
from engine.store.runs import Run, State, create_run
from tests.fabricated.datasets import CLASSES, SIZE, fingerprint, picture
from tests.fabricated.networks import dcgan, mapping, synthesis


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
        dataset="phantom",
        dataset_fingerprint=fingerprint(home),
        class_name=class_name,
        kimg=kimg,
        g_channels=32,
        d_channels=32,
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
    _write_samples(run, class_name, done)
    if state is State.FINISHED:
        (run.path / "generator.onnx").write_bytes(dcgan(class_name))
        sha256 = sha256_file(run.path / "generator.onnx")
        _describe(run, done, gan="dcgan", architecture="recipe", sha256=sha256, classes=[class_name])
    return set_state(run, state, stage="Training", done=done, total=kimg, unit="kimg", **changes)


def make_stylegan(
    home: Home,
    state: State = State.FINISHED,
    done: float = 12.0,
    classes: Sequence[str] = CLASSES,
    **changes: Any,
) -> Run:
    """A conditional StyleGAN2-ADA training with its curves, its sample grids and, once finished, its generator."""
    config = StyleganConfig(dataset="phantom", dataset_fingerprint=fingerprint(home), conditional=True, kimg=12.0)
    run = create_run(home, config.completed(SIZE).plain(), "train phantom stylegan2")
    rng = np.random.default_rng(0)
    for tick in np.arange(0.5, done + 0.01, 0.5):
        row = {
            "kimg": float(tick),
            "seconds": 20.0 * float(tick),
            "g_loss": 1.2 + rng.normal(0, 0.1),
            "d_loss": 1.1 + rng.normal(0, 0.1),
            "d_real": 0.62 + rng.normal(0, 0.02),
            "d_fake": 0.38 + rng.normal(0, 0.02),
            "g_grad_norm": 2.0 + rng.random(),
            "d_grad_norm": 1.0 + rng.random(),
            "r1": 0.1 + 0.02 * rng.random(),
            "pl": 0.02 + 0.01 * rng.random(),
            "real_logits": 0.6 + rng.normal(0, 0.05),
            "fake_logits": -0.6 + rng.normal(0, 0.05),
            "augment_p": 0.02 * float(tick),
            "r_t": 0.6 + rng.normal(0, 0.1),
            "images_per_second": 50.0 + rng.normal(0, 2),
            "memory_gib": 0.9,
            "time": time.time(),
        }
        if tick % 2 == 0:
            kid = 0.2 * float(np.exp(-tick / 4)) + 0.02
            row |= {"kid": kid, "kid_low": kid - 0.01, "kid_high": kid + 0.01, "fid": 900 * kid}
            row |= {"train_logits": 0.7, "valid_logits": 0.7 - 0.02 * float(tick)}
        run.append_metrics(row)
    _write_samples(run, classes[0], done)
    if state is State.FINISHED:
        contents = {"mapping.onnx": mapping(), "synthesis.onnx": synthesis()}
        for name, content in contents.items():
            (run.path / name).write_bytes(content)
        files = digests(contents)
        inside = {"files": files, "sha256": combined(files), "w_dim": 100, "num_ws": 4, "noise": [SIZE]}
        _describe(run, done, gan="stylegan2-ada", architecture="auto", classes=list(classes), **inside)
    return set_state(run, state, stage="Training", done=done, total=12.0, unit="kimg", **changes)


def _describe(run: Run, done: float, **facts: Any) -> None:
    """What stands beside an exported generator."""
    config = run.config()
    shared = {
        "run": run.id,
        "snapshot": f"network-{int(done * 1000):09d}.safetensors",
        "kimg": done,
        "z_dim": 100,
        "size": SIZE,
        "channels": 1,
        "mode": "L",
        "dataset_classes": facts["classes"] if config["conditional"] else list(CLASSES),
        "agreement": 1e-6,
    }
    same = {name: config[name] for name in ("conditional", "class_name", "dataset", "dataset_fingerprint")}
    write_json(run.path / "generator.json", {**facts, **shared, **same})


def _write_samples(run: Run, class_name: str, done: float) -> None:
    """The grids of real and generated images, which become less noisy every 2 kimg."""
    (run.path / "samples").mkdir()
    _grid(class_name, 0, 0.0).save(run.path / "samples" / "reals.png")
    for images in range(0, int(done * 1000) + 1, 2000):
        _grid(class_name, 1000, 60 * np.exp(-images / 4000)).save(run.path / "samples" / f"fakes-{images:09d}.png")


def _grid(class_name: str, first_seed: int, noise: float) -> Image.Image:
    rng = np.random.default_rng(first_seed)
    rows = [np.hstack([picture(first_seed + 6 * i + j, class_name) for j in range(6)]) for i in range(6)]
    grid = np.vstack(rows) + rng.normal(0, noise, (6 * SIZE, 6 * SIZE))
    return Image.fromarray(grid.clip(0, 255).astype(np.uint8))
