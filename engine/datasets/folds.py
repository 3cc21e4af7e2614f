"""Cross-validation: one frozen data set for each fold, so that generators are trained on its training part alone.

A fold is a data set like any other, with the images of its parent (as hard links where the disk allows it) and a split
of its own. Every image of the parent is a test image in exactly one fold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from engine.datasets import copies, splitting
from engine.datasets.dataset import Dataset, list_datasets
from engine.datasets.derived import write_derived
from engine.datasets.image_stats import measured
from engine.datasets.manifest import usable
from engine.datasets.seal import refuse_sealed
from engine.datasets.splitting import CUT
from engine.store.errors import ErsatzError
from engine.store.home import Home


def fold_names(name: str, folds: int) -> list[str]:
    """The data sets of a cross-validation of `name`."""
    return [f"{name}-fold{number}" for number in range(1, folds + 1)]


def make_folds(dataset: Dataset, folds: int, seed: int = 0) -> list[Dataset]:
    """The folds of a frozen data set, those that are there already and the others made now.

    Groups and copies of one picture stay together; the folds are stratified by class, and each has as large a share of
    validation images as the data set, drawn from what it does not test on. Raises `ErsatzError` when a class cannot be
    spread over so many folds, or when other folds have the names.
    """
    dataset.require_frozen()
    refuse_sealed(dataset, "Each fold trains and tests on images of the others, so that dividing the data set")
    if parent := fold_of(dataset).get("parent"):
        raise ErsatzError(
            f"The data set {dataset.name} is a fold of {parent}; a whole data set is expected. Name {parent} instead."
        )
    if folds < 2:
        raise ErsatzError(f"A cross-validation of {folds} fold is none; at least 2 folds are expected.")
    facts = [
        {"parent": dataset.name, "parent_fingerprint": dataset.fingerprint, "number": n, "folds": folds, "seed": seed}
        for n in range(1, folds + 1)
    ]
    names = fold_names(dataset.name, folds)
    missing = [number for number, name in enumerate(names) if not _exists(dataset.home, name, facts[number])]
    if missing:
        manifest = measured(dataset.manifest, dataset.path)
        manifest.loc[manifest["excluded"] == CUT, "excluded"] = ""
        numbers = _numbers(usable(manifest), folds, seed)
        for number in missing:
            _write(dataset, names[number], _with_split(manifest, numbers == number, dataset, seed), facts[number])
    return [Dataset.open(dataset.home, name) for name in names]


def fold_of(dataset: Dataset) -> dict[str, Any]:
    """`parent`, `parent_fingerprint`, `number` (from 1), `folds` and `seed` of a fold; empty for other data sets."""
    return dataset.info.provenance.fold or {}


def folds_of(dataset: Dataset) -> list[Dataset]:
    """The folds that were made of a data set as it is now, in order; empty unless all are there."""
    made = [other for other in list_datasets(dataset.home) if fold_of(other).get("parent") == dataset.name]
    made = [other for other in made if fold_of(other)["parent_fingerprint"] == dataset.fingerprint]
    made.sort(key=lambda other: fold_of(other)["number"])
    return made if made and len(made) == fold_of(made[0])["folds"] else []


def parent_of_folds(home: Home, names: Sequence[str]) -> str:
    """The data set whose folds have these names; an `ErsatzError` unless they are all of its folds, each once."""
    facts = [fold_of(Dataset.open(home, name)) for name in names]
    for name, fact in zip(names, facts, strict=True):
        if not fact:
            raise ErsatzError(
                f"The data set {name} is no fold; all folds of one data set are expected. Make them with "
                f"`python -m engine dataset folds {name}`."
            )
    first = {key: value for key, value in facts[0].items() if key != "number"}
    complete = sorted(fact["number"] for fact in facts) == list(range(1, first["folds"] + 1))
    if not complete or any({key: fact[key] for key in first} != first for fact in facts):
        raise ErsatzError(
            f"{', '.join(names)} are not the folds of one cross-validation; {first['folds']} different folds of "
            f"{first['parent']} are expected. Name each of them once."
        )
    return first["parent"]


def _exists(home: Home, name: str, fact: dict[str, Any]) -> bool:
    """Whether that very fold is there; another data set in its place is an error."""
    if not home.dataset(name).exists():
        return False
    if fold_of(Dataset.open(home, name)) == fact:
        return True
    raise ErsatzError(
        f"There is a data set {name} already, and it is another one than fold {fact['number']} of {fact['folds']} "
        f"(seed {fact['seed']}) of {fact['parent']} as it is now. Delete {home.dataset(name)}, or make the same folds."
    )


def _numbers(rows: pd.DataFrame, folds: int, seed: int) -> pd.Series:
    """Fold `0..folds-1` in which each row is a test image."""
    units = copies.joined(len(rows), rows["group"], rows["sha256"], rows["near"])
    for name, count in pd.Series(units, rows.index).groupby(rows["class"]).nunique().items():
        if count < folds:
            raise ErsatzError(
                f"The class {name} has {count} independent image{'s' * (count != 1)} (patients, or sets of copies); "
                f"{folds} folds need at least {folds}. Choose fewer folds, or add images."
            )
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    numbers = pd.Series(-1, rows.index)
    for number, (_, test) in enumerate(splitter.split(np.zeros(len(rows)), rows["class"], units)):
        numbers.iloc[test] = number
    return numbers


def _with_split(manifest: pd.DataFrame, is_test: pd.Series, dataset: Dataset, seed: int) -> pd.DataFrame:
    """The manifest with the split of the fold that tests on these rows."""
    manifest = manifest.copy()
    used = manifest.loc[is_test.index]
    rest = used[~is_test]
    valid = round(len(used) * _valid_share(dataset))
    manifest.loc[is_test.index[is_test], "split"] = "test"
    manifest.loc[rest.index, "split"] = splitting.drawn(rest, (len(rest) - valid, valid, 0), seed)
    splitting.check(manifest.loc[is_test.index])
    config = dataset.info.config
    return splitting.cut_training(manifest, config.get("train_per_class", 0), config.get("seed", 0))


def _valid_share(dataset: Dataset) -> float:
    """Share of the parent's images, those cut from its training part too, that it validates on."""
    kept = dataset.manifest["excluded"].isin(("", CUT))
    return float((dataset.manifest[kept]["split"] == "valid").mean())


def _write(dataset: Dataset, name: str, manifest: pd.DataFrame, fact: dict[str, Any]) -> None:
    label = f"{dataset.label}, fold {fact['number']} of {fact['folds']}"
    refusal = f"Fold {fact['number']} of {dataset.name} cannot be used."
    write_derived(dataset, name, manifest, label, {"fold": fact}, refusal)
