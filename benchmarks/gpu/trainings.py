"""Sections on trainings: CUDA graphs against eager work, recordings that fail, reading ahead, resuming, memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.gpu.common import (
    GPU,
    SMALL,
    STYLEGAN,
    Figures,
    recorded,
    relative,
    release,
    repeatable_convolutions,
    train_step,
)
from engine.configs import DcganConfig, ImportConfig, StyleganConfig
from engine.datasets.importing import import_dataset
from engine.devices import memory_errors
from engine.gans import data
from engine.gans.cuda_graphs import WARM_UP
from engine.gans.data import TrainingImages
from engine.gans.dry_run import _play_through
from engine.gans.image_spec import ImageSpec
from engine.gans.trainers import make_trainer
from engine.gans.training import train
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.progress import never, silent
from engine.store.runs import Run, create_run


def graphs(found: Figures, quick: bool) -> None:
    """The same training replayed and eagerly, with deterministic convolutions: as equal as two eager ones."""
    style = STYLEGAN | {"batch_gpu": 4}
    da_dcgan = {"architecture": "da-dcgan", "gradient_penalty": 10.0, "dropout": 0.4, "soft_labels": 0.1}
    cases: dict[str, DcganConfig | StyleganConfig] = {
        "dcgan": DcganConfig.build(SMALL | {"precision": "fp32"}),
        "da-dcgan": DcganConfig.build(SMALL | da_dcgan | {"flip_probability": 0.05, "mirror": True}),
        "stylegan2-noaug": StyleganConfig.build(style | {"aug": "noaug", "precision": "fp32"}),
        "stylegan2-bf16": StyleganConfig.build(style | {"aug": "noaug"}),
        "stylegan2-fp16": StyleganConfig.build(style | {"aug": "noaug", "precision": "fp16"}),
        "stylegan2-ada": StyleganConfig.build(style | {"aug": "ada", "augpipe": "bgcfnc", "ada_kimg": 1}),
        "stylegan2-conditional": StyleganConfig.build(style | {"aug": "fixed", "aug_p": 0.5, "conditional": True}),
    }
    rng = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (64, 32, 32, 3), generator=rng, dtype=torch.uint8).to(GPU)
    labels = (torch.arange(64) % 3).to(GPU)
    bad = []
    with repeatable_convolutions():
        for name, config in cases.items():
            states = []
            for wanted in (True, False, False):  # the third says how far two equal trainings are apart
                changed = type(config).build({**config.plain(), "cuda_graphs": wanted})
                trainer = make_trainer(changed, ImageSpec(32, 3, 3 if config.conditional else 0), labels, GPU)
                train_step(trainer, pixels, labels, range(12 if quick else 24))
                assert recorded(trainer) == wanted, f"{name} was not recorded"
                states.append({key: value.clone() for key, value in trainer.state().items()})
            replayed, eager, again = states
            worst = max(eager, key=lambda key: relative(replayed[key], eager[key]))
            row: Figures = {
                "graph_vs_eager": relative(replayed[worst], eager[worst]),
                "of": worst,
                "eager_vs_eager": max(relative(again[key], eager[key]) for key in eager),
                "finite": all(bool(value.isfinite().all()) for value in replayed.values()),
            }
            found[name] = row
            print(name, row)
            if not row["finite"] or row["graph_vs_eager"] > 1e-6 + 3 * row["eager_vs_eager"]:
                bad.append(name)
    assert not bad, bad


def recordings(found: Figures, quick: bool) -> None:
    """A recording that fails, because the host reads or memory is full: the training goes on, and nothing is left."""
    config = StyleganConfig.build(STYLEGAN | {"aug": "noaug", "precision": "fp32"})
    pixels = torch.zeros(64, 32, 32, 3, dtype=torch.uint8, device=GPU)
    labels = torch.zeros(64, dtype=torch.int64, device=GPU)

    def played(failure: str) -> dict[str, Tensor]:
        own = type(config).build({**config.plain(), "cuda_graphs": failure != ""})
        trainer: Any = make_trainer(own, ImageSpec(32, 3), labels, GPU)
        if failure:
            last = trainer.recorder.works[0]  # a recording begins with the last
            last.work = broken(last.work, failure)
        train_step(trainer, pixels, labels, range(WARM_UP + 4))
        assert not recorded(trainer)
        return {key: value.clone() for key, value in trainer.state().items()}

    def broken(work: Callable[..., None], failure: str) -> Callable[..., None]:
        def breaking(*tensors: Tensor) -> None:
            work(*tensors)
            if torch.cuda.is_current_stream_capturing():
                made = torch.rand(10**12 if failure == "memory" else 10**7, device=GPU)  # 4 TB fit nowhere
                made.sum().item()

        return breaking

    with repeatable_convolutions():
        eager = played("")
        chance = played("")
        for failure in ("read", "memory"):
            after = played(failure)
            release()
            blocks = torch.cuda.memory_snapshot()
            left = sum(block["total_size"] for block in blocks if tuple(block["segment_pool_id"]) != (0, 0))
            worst = max(relative(after[key], eager[key]) for key in eager)
            found[failure] = {"differs": worst, "bytes_left": left}
            assert left == 0, found
            assert worst <= 1e-6 + 3 * max(relative(chance[key], eager[key]) for key in eager), found


def training(found: Figures, quick: bool) -> None:
    """The whole loop: images read ahead while graphs are recorded, snapshot, resume; memory as the dry run said."""
    with tempfile.TemporaryDirectory() as folder:
        home = _home_with_noise(Path(folder))
        values = STYLEGAN | {"dataset": "noise", "class_name": "a", "kimg": 0.512, "tick_kimg": 0.064, "grid": 8}
        config = StyleganConfig.build(values | {"snapshot_ticks": 2})
        with repeatable_convolutions(), mock.patch("engine.gans.training.set_arithmetic", lambda *_: None):
            whole, again, mapped, parts = (
                create_run(home, config.plain(), name) for name in ("whole", "again", "mapped", "parts")
            )
            for run in (whole, again):
                assert train(run, config) == "finished"
            with mock.patch.object(data, "SHARE_OF_MEMORY", 0):
                assert train(mapped, config) == "finished"
            asked = iter([False, False, True])
            assert train(parts, config, should_stop=lambda: next(asked, False)) == "stopped"
            assert train(parts, config) == "finished"
        for name, run in (("again", again), ("mapped", mapped), ("resumed", parts)):
            pairs = [(a[key], b[key]) for a, b in zip(_numbers(whole), _numbers(run), strict=True) for key in a]
            found[f"{name}_differs_by"] = max(abs(a - b) / max(1e-3, abs(a)) for a, b in pairs)
    print(found)
    _memory(found, quick)
    chance = found["again_differs_by"]
    assert max(found["mapped_differs_by"], found["resumed_differs_by"]) <= 1e-4 + 10 * chance, found


def _home_with_noise(folder: Path) -> Home:
    """A home with the frozen data set `noise`."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 40), ("valid", 8), ("test", 8)):
        for name in "ab":
            (folder / "source" / split / name).mkdir(parents=True)
            for i in range(count):
                image = Image.fromarray(rng.integers(0, 256, (32, 32), dtype=np.uint8))
                image.save(folder / "source" / split / name / f"{i}.png")
    home = Home(folder / "home")
    config = ImportConfig(
        name="noise", source=str(folder / "source"), layout="folder", size=32, mode="L", split="given", positive="b"
    )
    dataset = import_dataset(home, config)
    if not dataset.frozen:
        dataset.freeze(accept_findings=True)
    return home


def _numbers(run: Run) -> list[dict[str, float]]:
    """What the training says of itself at each tick and another one may say too."""
    passing = ("seconds", "images_per_second", "memory_gib", "time")
    rows = run.read_metrics()[0]
    return [{k: v for k, v in row.items() if k not in passing and isinstance(v, float)} for row in rows]


def _memory(found: Figures, quick: bool) -> None:
    """What a dry run says, what training takes, and the sentence where there is too little."""
    config = StyleganConfig.build(
        SMALL | {"cfg": "stylegan2", "aug": "fixed", "aug_p": 0.5, "grid": 36, "dataset": "none"}
    ).completed(256)
    images = TrainingImages(np.zeros((64, 256, 256, 3), np.uint8), np.zeros(64), [""] * 64, GPU)
    release()
    told = _play_through(config, ImageSpec(256, 3), images, GPU, 2, silent, never).memory
    release()
    torch.cuda.reset_peak_memory_stats()
    trainer = make_trainer(config, ImageSpec(256, 3), images.labels, GPU)
    z, labels = torch.randn(36, config.z_dim, device=GPU), torch.zeros(36, dtype=torch.int64, device=GPU)
    trainer.sample(z, labels)
    train_step(trainer, images.pixels, images.labels, range(8 if quick else 65))
    trainer.sample(z, labels)
    assert recorded(trainer)
    found["memory_gib"] = {"dry_run": told / 2**30, "training": torch.cuda.max_memory_reserved() / 2**30}
    print(found["memory_gib"])
    del trainer
    release()
    torch.cuda.set_per_process_memory_fraction(0.005)
    try:
        with memory_errors(config, GPU):
            train_step(
                make_trainer(config, ImageSpec(256, 3), images.labels, GPU), images.pixels, images.labels, range(1)
            )
        raise AssertionError("what should not have fitted into 0.5 % of the memory did")
    except ErsatzError as error:
        found["sentence"] = str(error)
        print(error)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert found["memory_gib"]["training"] < 1.1 * found["memory_gib"]["dry_run"], found
