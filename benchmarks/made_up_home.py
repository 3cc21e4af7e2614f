"""Homes of any size in seconds: one of everything as the tests draw it, without training, and copies under other names.

A home has so many runs of every kind and state, one pool of so many images, one training of so many rows of metrics,
and data sets of so many classes. What is large is large as the engine would leave it, but drawn: a picture that many
images of a pool share is one file under many names.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
import pandas as pd
from PIL import Image

from benchmarks.big_home import copy_folder, copy_run, renamed
from engine.configs import GeneratorReference, ImportConfig, PoolConfig
from engine.datasets.dataset import Dataset, fingerprint_of, write_manifest
from engine.sampling.exported import read_info
from engine.sampling.pool_info import PoolGenerator, PoolInfo
from engine.store.home import Home
from engine.store.index import reindex
from engine.store.runs import Run, State, create_run, list_runs
from tests.fabricated.checks import make_quality, make_ranking
from tests.fabricated.datasets import CLASSES, COUNTS, SIZE, fingerprint, make_dataset, picture
from tests.fabricated.sweeps import make_sweep
from tests.fabricated.trainings import make_stylegan, make_training, set_state

NAME = "phantom"
PICTURES = 40
"""Different pictures of a class, however many images a pool has."""
RUNS_A_DATASET = 20
STATES = cycle((*[State.FINISHED] * 6, State.STOPPED, State.FAILED, State.CANCELLED, State.RUNNING))
"""Of the copies: six of ten finished. A run that says it runs, while nobody holds its lock, was interrupted."""


@dataclass(frozen=True)
class Size:
    """How much there is of everything."""

    runs: int = 10
    pool: int = 40
    """Images of the one pool."""
    rows: int = 24
    """Of `metrics.jsonl` of the newest training."""
    classes: int = len(CLASSES)


@dataclass(frozen=True)
class Made:
    """The runs of a home that the pages are asked for."""

    training: str
    pool: str
    quality: str
    sweep: str


def make_home(home: Home, size: Size) -> Made:
    """A home of this size; some seconds for a thousand runs or a hundred thousand images."""
    classes = [*CLASSES, *(f"class-{number:03d}" for number in range(3, size.classes + 1))]
    few = size.classes > len(CLASSES)
    make_dataset(home, classes=classes, counts=dict.fromkeys(COUNTS, 2) if few else COUNTS)
    imported = create_run(home, ImportConfig(name=NAME, layout="phantom", size=SIZE).plain(), f"import {NAME}")
    set_state(imported, State.FINISHED, stage="Images", done=76, total=76, unit="images")
    for class_name in CLASSES:
        make_training(home, class_name)
    training = make_stylegan(home, classes=classes)
    stretch(training, size.rows)
    pool = make_large_pool(home, training, classes, size.pool)
    quality = make_quality(home, pool, classes=classes)
    make_ranking(home, training)
    sweep = make_sweep(home, pool, seeds=6)
    first = list_runs(home)
    for number in range(1, -(-size.runs // RUNS_A_DATASET)):
        copy_dataset(home, number)
    kinds = cycle([run for run in first if run.id != pool.id])  # a large pool is there once
    for number in range(max(0, size.runs - len(first))):
        copied(next(kinds), number)
    reindex(home)
    return Made(training=training.id, pool=pool.id, quality=quality.id, sweep=sweep.id)


def stretch(run: Run, count: int) -> None:
    """Curves of `count` rows, with the fields that the training has already, a score in every hundredth of them."""
    rows = run.read_metrics()[0]
    plain, scored = rows[-2], rows[-1]
    rng, now = np.random.default_rng(0), time.time()
    with run.metrics_path.open("w") as file:
        for number, noise in enumerate(rng.normal(1, 0.1, count), start=1):
            row = scored if number % max(1, count // 100) == 0 else plain
            drawn = {name: value * noise for name, value in row.items()}
            place = {"kimg": 0.5 * number, "seconds": 10.0 * number, "time": now - 10 * (count - number)}
            file.write(json.dumps({**drawn, **place}) + "\n")
    run.update(done=0.5 * count, total=0.5 * count)


def make_large_pool(home: Home, training: Run, classes: Sequence[str], images: int) -> Run:
    """A finished pool of one generator, with as many images of every class."""
    info = read_info(training.path)
    reference = GeneratorReference(run=training.id, sha256=info.sha256)
    each = max(2, images // len(classes))
    config = PoolConfig(
        name="large",
        dataset=NAME,
        dataset_fingerprint=fingerprint(home),
        generators=(reference,),
        images_per_class=each,
    )
    run = create_run(home, config.plain(), "pool large")
    parts = []
    for number, class_name in enumerate(classes):
        folder = run.path / "images" / class_name
        folder.mkdir(parents=True)
        drawn = [folder / f"{seed:06d}.png" for seed in range(min(each, PICTURES))]
        for seed, path in enumerate(drawn):
            Image.fromarray(picture(9000 + seed, class_name)).save(path)
        for seed in range(len(drawn), each):
            os.link(drawn[seed % len(drawn)], folder / f"{seed:06d}.png")
        seeds = np.arange(each)
        parts.append(
            pd.DataFrame(
                {
                    "path": [f"images/{class_name}/{seed:06d}.png" for seed in seeds],
                    "class": class_name,
                    "seed": seeds,
                    "generator": training.id,
                    "generator_sha256": info.sha256,
                    "sha256": [f"{number * each + seed:064x}" for seed in seeds],
                    "excluded": "",
                }
            )
        )
    pd.concat(parts).to_csv(run.path / "manifest.csv", index=False)
    (run.path / "training_images.txt").write_text("0" * 64 + "\n")
    PoolInfo.made_for(
        Dataset.open(home, NAME),
        name=config.name,
        classes=tuple(classes),
        generators=(PoolGenerator(run=training.id, sha256=info.sha256, classes=tuple(classes)),),
    ).write_to(run.path / "pool.json")
    total = each * len(classes)
    return set_state(run, State.FINISHED, stage="Sampling", done=total, total=total, unit="images")


def copy_dataset(home: Home, number: int) -> None:
    """The data set once more, of other patients."""
    name = _dataset(number)
    original = Dataset.open(home, NAME)
    copy_folder(original.path, home.dataset(name), {NAME: name})
    copied = Dataset.open(home, name)
    manifest = copied.manifest.assign(group=f"{name}-" + copied.manifest["group"])
    write_manifest(copied.path / "manifest.csv", manifest)
    assert copied.info.frozen is not None, "the original is frozen"
    frozen = copied.info.frozen.model_copy(update={"fingerprint": fingerprint_of(manifest, copied.info)})
    copied.info.model_copy(update={"frozen": frozen}).write_to(copied.path / "dataset.json")


def copied(run: Run, number: int) -> Run:
    """A run under another id, on a data set of its own, that ended one way or another."""
    dataset = _dataset(number // RUNS_A_DATASET)
    copy_id = renamed(run.id, number)
    copy = copy_run(run, copy_id, {run.id: copy_id, f'"{NAME}"': f'"{dataset}"'}, days=1 + number // 10)
    if (state := next(STATES)) is not State.FINISHED:
        error = "The GPU ran out of memory; a smaller batch is expected." if state is State.FAILED else ""
        copy.update(state=state, error=error, result={})
    return copy


def _dataset(number: int) -> str:
    return f"ward{number:03d}" if number else NAME
