"""A small journey in steps: from a folder of pictures to a report, with the edits that people make between.

A step may be taken again after it was broken off, and then does what is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from engine.configs import (
    Config,
    GeneratorReference,
    ImportConfig,
    PoolConfig,
    QualityConfig,
    RankingConfig,
    SweepConfig,
)
from engine.configs.training import DcganConfig
from engine.datasets import editing
from engine.datasets.dataset import Dataset
from engine.jobs import dataset_removal
from engine.jobs.submit import delete, ensure, wait
from engine.sampling.pools import Pool
from engine.store.about import change_about, change_tags
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import Run, State, list_runs
from engine.sweep import plans

NAME = "spots"
Step = Callable[[Home], None]


def draw(folder: Path) -> None:
    """48 noisy pictures of 32 px in two classes, each patient with two."""
    for number in range(48):
        rng = np.random.default_rng(number)
        image = rng.normal(90, 35, (32, 32))
        class_name = ("bleed", "normal")[number % 2]
        if class_name == "bleed":
            image[8:18, 8:18] += 60
        path = folder / class_name / f"P{number // 4:02d}_{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(path)


def run_of(home: Home, kind: str) -> Run:
    return list_runs(home, kind)[0]


def _finish(home: Home, config: Config) -> Run:
    run = ensure(home, config, owner="tester")
    if wait(run) is not State.FINISHED:
        raise ErsatzError(run.status().error or f"The run is {run.state()}.")
    return run


def importing(home: Home) -> None:
    source = str(home.root.with_name("pictures"))
    _finish(home, ImportConfig.build({"name": NAME, "layout": "folder", "source": source, "size": 32, "freeze": False}))


def edit(home: Home) -> None:
    dataset = Dataset.open(home, NAME)
    if dataset.frozen:
        return
    dataset = editing.resplit(dataset, {"seed": 3, "train_share": 0.5, "valid_share": 0.25})
    dataset = editing.move(dataset, [str(dataset.rows()["path"].iloc[0])], "train")
    editing.reaudit(dataset)
    editing.freeze(Dataset.open(home, NAME), accept_findings=True, by="tester")


def train(home: Home) -> None:
    values = {"dataset": NAME, "conditional": True, "kimg": 0.08, "batch": 16, "tick_kimg": 0.016, "snapshot_ticks": 1}
    _finish(home, DcganConfig.build({**values, "g_channels": 8, "d_channels": 8, "z_dim": 8, "grid": 4}))


def pool(home: Home) -> None:
    generators = (GeneratorReference(run=run_of(home, "train").id),)
    _finish(home, PoolConfig(name=NAME, dataset=NAME, generators=generators, images_per_class=12, batch=6))


def quality(home: Home) -> None:
    values = {"name": NAME, "dataset": NAME, "pool": run_of(home, "pool").id, "extractor": "pixels", "k": 2}
    _finish(home, QualityConfig.build({**values, "exclude": "copies"}))


def ranking(home: Home) -> None:
    _finish(home, RankingConfig(run=run_of(home, "train").id, images=10, extractor="pixels"))


def annotate(home: Home) -> None:
    run = run_of(home, "pool")
    change_about(run, title="A pool of spots", owner="tester")
    change_tags(run, add=["first", "second"])
    opened = Pool.open(run)
    opened.exclude([str(path) for path in opened.manifest["path"].iloc[:2]], "blurred")
    opened.restore([str(opened.manifest["path"].iloc[0])])


def _sweep(home: Home) -> SweepConfig:
    values = {"name": NAME, "dataset": NAME, "pool": run_of(home, "pool").id, "quality": run_of(home, "quality").id}
    values |= {"arms": ("real", "real+duplicates", "real+synthetic"), "ratios": (0.5,), "seeds": 2, "steps": 3}
    return SweepConfig.build({**values, "batch": 8, "validations": 1})


def register(home: Home) -> None:
    if not plans.plans(home):
        plans.register(home, _sweep(home), "tester")


def sweep(home: Home) -> None:
    _finish(home, _sweep(home))


def remove(home: Home) -> None:
    """Deletes what was found, bottom up."""
    for kind in ("sweep", "ranking", "quality"):
        for run in list_runs(home, kind):
            delete(run)
    if home.dataset(NAME).exists():
        dataset_removal.remove(Dataset.open(home, NAME))


STEPS: dict[str, Step] = {
    "import": importing,
    "edit": edit,
    "train": train,
    "pool": pool,
    "annotate": annotate,
    "quality": quality,
    "ranking": ranking,
    "register": register,
    "sweep": sweep,
    "remove": remove,
}
