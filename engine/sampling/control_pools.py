"""Control pools, whose effect is known beforehand: what a sweep says of them shows whether it would notice anything.

held-back   real training images that the data set is without: what the best generator could give
noise       each pixel drawn from all pixels of its class: the right grey values or colours, and no structure
shuffled    images of another pool whose labels were shuffled among them: right images, no information on the class
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from engine.configs.pools import ControlPoolConfig
from engine.datasets.dataset import Dataset
from engine.datasets.derived import link
from engine.datasets.holding_back import held_back_rows
from engine.sampling.pool_info import PoolInfo, PoolOrigin, PoolParent
from engine.sampling.pools import Pool, already_made, write_pool
from engine.store import disk
from engine.store.errors import ErsatzError
from engine.store.hashing import sha256_pixels
from engine.store.home import Home
from engine.store.progress import Outcome, Progress, Report, ShouldStop
from engine.store.runs import Run

AT_ONCE = 16
"""Images between two looks at whether to stop."""

Row = dict[str, Any]
Made = tuple[Row, Callable[[], None]]
"""A row of the manifest, and what writes its image."""


def make_control(run: Run, config: ControlPoolConfig, report: Report, should_stop: ShouldStop) -> Outcome:
    """Write the control's images; a stopped run begins again and gives the same.

    Raises `ErsatzError` when there are too few images, or when the data set or the other pool has changed.
    """
    if already_made(run):
        return "finished"
    dataset = Dataset.open(run.home, config.dataset)
    dataset.require_frozen()
    dataset.require_fingerprint(config.dataset_fingerprint, "This pool")
    disk.remove_tree(run.path / "images")
    parent = shuffled_pool(run.home, config, dataset) if config.control == "shuffled" else None
    total, made = _makers(run, config, dataset, parent)
    rows: list[Row] = []
    for row, write in made:
        if len(rows) % AT_ONCE == 0:
            report(Progress("images", len(rows), total, "images"))
            if should_stop():
                return "stopped"
        disk.make_folder((run.path / row["path"]).parent)
        with disk.passing("write", run.path / row["path"]):
            write()
        rows.append(row)
    info = PoolInfo.made_for(
        dataset,
        name=config.name,
        classes=tuple(name for name in dataset.classes if any(row["class"] == name for row in rows)),
        generators=parent.info.generators if parent else (),
        origin=_origin(config, parent),
    )
    write_pool(run, info, _seen(config, dataset, parent, rows), rows)
    report(Progress("images", total, total, "images"))
    return "finished"


def shuffled_pool(home: Home, config: ControlPoolConfig, dataset: Dataset) -> Pool:
    """The pool whose labels are shuffled, as the config names it; an `ErsatzError` when it does not fit."""
    pool = Pool.open(Run(home, config.pool))
    pool.require_made_for(dataset)
    if config.pool_sha256 not in ("", pool.sha256):
        raise ErsatzError(f"The pool {config.pool} was changed since this control was set up. Set up a new one.")
    if pool.info.origin is not None and pool.info.origin.kind in ("shuffled", "noise"):
        raise ErsatzError(
            f"The pool {config.pool} is a control of {pool.info.control}; a pool with labels that mean something is "
            "expected to shuffle them. Choose another."
        )
    if pool.rows()["class"].nunique() < 2:
        raise ErsatzError(
            f"The pool {config.pool} has images of one class, and nothing to shuffle; several are expected."
        )
    return pool


def _makers(run: Run, config: ControlPoolConfig, dataset: Dataset, parent: Pool | None) -> tuple[int, Iterator[Made]]:
    if config.control == "noise":
        counts = {name: config.images_per_class or len(dataset.rows("train", name)) for name in dataset.classes}
        return sum(counts.values()), _noise(run, config, dataset, counts)
    if parent is not None:
        rows = _shuffled(parent, config)
        return len(rows), _linked(run, parent.path, rows, parent.run.id)
    held = held_back_rows(dataset)
    if held.empty:
        raise ErsatzError(
            f"The data set {dataset.name} holds no image back; one that was made for this control is expected. Start "
            "it with the name of the whole data set."
        )
    return len(held), _linked(run, dataset.path, held.assign(generator="held back", generator_sha256=""), "")


def _linked(run: Run, folder: Any, rows: pd.DataFrame, prefix: str) -> Iterator[Made]:
    """Images that are there already, under the class that `rows` says and a number of their own."""
    numbers: dict[str, int] = {}
    for row in rows.to_dict("records"):
        name = str(row["class"])
        number = numbers[name] = numbers.get(name, -1) + 1
        path = f"images/{name}/{number:06d}.png"
        source = f"{prefix}/{row['path']}" if prefix else str(row["path"])
        made = {"path": path, "class": name, "seed": int(row.get("seed", number)), "generator": row["generator"]}
        made |= {"generator_sha256": row["generator_sha256"], "sha256": row["sha256"], "excluded": "", "source": source}
        yield made, _link_of(folder / row["path"], run.path / path)


def _link_of(source: Any, target: Any) -> Callable[[], None]:
    return lambda: link(source, target)


def _shuffled(parent: Pool, config: ControlPoolConfig) -> pd.DataFrame:
    """Images of the pool with their labels permuted: each class keeps its number of images."""
    draw = np.random.default_rng(config.seed)
    rows = parent.rows()
    if config.images_per_class:
        short = rows["class"].value_counts()
        short = short[short < config.images_per_class]
        if len(short):
            raise ErsatzError(
                f"The pool {config.pool} has {short.iloc[0]} images of the class {short.index[0]}; "
                f"{config.images_per_class} are expected. Ask for fewer."
            )
        rows = rows.groupby("class", sort=True).head(config.images_per_class)
    return rows.assign(**{"class": draw.permutation(rows["class"].to_numpy())})


def _noise(run: Run, config: ControlPoolConfig, dataset: Dataset, counts: dict[str, int]) -> Iterator[Made]:
    for place, (name, count) in enumerate(counts.items()):
        pixels = dataset.pixels(dataset.rows("train", name)).reshape(-1, dataset.channels)
        for number in range(count):
            draw = np.random.default_rng([config.seed, place, number])
            image = pixels[draw.integers(len(pixels), size=(dataset.size, dataset.size))]
            image = image[:, :, 0] if dataset.channels == 1 else image
            path = f"images/{name}/{number:06d}.png"
            made = {"path": path, "class": name, "seed": number, "generator": "noise", "generator_sha256": ""}
            made |= {"sha256": sha256_pixels(image), "excluded": "", "source": "drawn"}
            yield made, _save_of(image, run.path / path)


def _save_of(image: np.ndarray, path: Any) -> Callable[[], None]:
    return lambda: Image.fromarray(image).save(path)


def _origin(config: ControlPoolConfig, parent: Pool | None) -> PoolOrigin:
    known = parent.info.origin.trained_on if parent is not None and parent.info.origin else "recorded"
    parents = (PoolParent(run=parent.run.id, name=parent.info.name, sha256=parent.sha256),) if parent else ()
    return PoolOrigin(kind=config.control, trained_on=known, parents=parents, seed=config.seed)


def _seen(config: ControlPoolConfig, dataset: Dataset, parent: Pool | None, rows: list[Row]) -> set[str]:
    """The real images behind the control."""
    if parent is not None:
        return parent.training_hashes
    return {row["sha256"] for row in rows} if config.control == "held-back" else set(dataset.rows("train")["sha256"])
