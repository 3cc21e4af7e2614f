"""A data set without some of its training images, which then play the part of synthetic ones: a positive control.

New images of the same kind are the best that a generator could give. The derived data set has the same validation and
test images; of its training part whole patients and sets of copies are held back, so that what stays has not seen them.
The images held back stay in it as excluded ones, from which a control pool takes them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from engine.datasets import copies
from engine.datasets.dataset import Dataset
from engine.datasets.derived import write_derived
from engine.datasets.folds import fold_of
from engine.datasets.image_stats import measured
from engine.datasets.manifest import is_usable
from engine.store.errors import ErsatzError

HELD_BACK = "held back for a control"
"""Why these images are excluded."""


def held_back_of(dataset: Dataset) -> dict[str, Any]:
    """`parent`, `parent_fingerprint`, `per_class` (0: half) and `seed` of a derived data set; empty for others."""
    return dataset.info.provenance.held_back or {}


def held_back_rows(dataset: Dataset) -> pd.DataFrame:
    """Rows of the images that were held back."""
    return dataset.manifest[dataset.manifest["excluded"] == HELD_BACK]


def hold_back(dataset: Dataset, per_class: int = 0, seed: int = 0) -> Dataset:
    """The data set without at least `per_class` training images of each class (0: half of them); made once.

    One that is itself derived so is returned as it is. Raises `ErsatzError` when too few images would stay, and when
    another data set has the name.
    """
    if held_back_of(dataset):
        return dataset
    dataset.require_frozen()
    if parent := fold_of(dataset).get("parent"):
        raise ErsatzError(
            f"The data set {dataset.name} is a fold of {parent}; a whole data set is expected to hold images back "
            f"from. Name {parent} instead."
        )
    fact = {"parent": dataset.name, "parent_fingerprint": dataset.fingerprint, "per_class": per_class, "seed": seed}
    name = f"{dataset.name}-held-back" + f"-{per_class}" * bool(per_class) + f"-seed{seed}" * bool(seed)
    if dataset.home.dataset(name).exists():
        made = Dataset.open(dataset.home, name)
        if held_back_of(made) == fact:
            return made
        raise ErsatzError(
            f"There is a data set {name} already, and it is not {dataset.name} as it is now without held-back images. "
            f"Delete {name}, or choose another number of images or seed."
        )
    _write(dataset, name, fact)
    return Dataset.open(dataset.home, name)


def _write(dataset: Dataset, name: str, fact: dict[str, Any]) -> None:
    manifest = measured(dataset.manifest, dataset.path)
    train = manifest[is_usable(manifest) & (manifest["split"] == "train")]
    chosen = _drawn(train, dataset, fact["per_class"], fact["seed"])
    manifest.loc[chosen, "excluded"] = HELD_BACK
    label = f"{dataset.label}, without images held back for a control"
    refusal = f"{dataset.name} cannot be used without these images."
    write_derived(dataset, name, manifest, label, {"held_back": fact}, refusal)


def _drawn(train: pd.DataFrame, dataset: Dataset, per_class: int, seed: int) -> list[Any]:
    """Index of the rows to hold back: whole units (patients, sets of copies) in random order, until each class has
    enough; a unit of several classes only where all of them still lack some, or nothing else is left."""
    counts = train["class"].value_counts()
    lacking = {name: per_class or int(np.ceil(counts[name] / 2)) for name in counts.index}
    for name, wanted in lacking.items():
        if counts[name] - wanted < 2:
            raise ErsatzError(
                f"The class {name} of {dataset.name} has {counts[name]} training images; at least 2 more than the "
                f"{wanted} to hold back are expected. Hold back fewer."
            )
    units = pd.Series(copies.joined(len(train), train["group"], train["sha256"], train["near"]), train.index)
    order = np.random.default_rng(seed).permutation(units.unique())
    rows_of = {unit: rows for unit, rows in train.groupby(units)}
    chosen: list[Any] = []
    for strict in (True, False):
        for unit in order:
            rows = rows_of.get(unit)
            if rows is None:
                continue
            own = rows["class"].value_counts()
            enough = [lacking[name] <= 0 for name in own.index]
            if all(enough) or (strict and any(enough)):
                continue
            chosen += list(rows.index)
            del rows_of[unit]
            for name, count in own.items():
                lacking[name] -= int(count)
    kept = train.drop(index=chosen)["class"].value_counts()
    for name in counts.index:
        if kept.get(name, 0) < 2:
            raise ErsatzError(
                f"Held back by whole patients or sets of copies, the class {name} of {dataset.name} would keep "
                f"{kept.get(name, 0)} of {counts[name]} training images; at least 2 are expected. Hold back fewer."
            )
    return chosen
