"""Changes to a data set whose split is not frozen yet, one person's at a time, and the freezing itself."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd

from engine.configs import ImportConfig
from engine.datasets import agreement, seal, split_units
from engine.datasets.dataset import SPLITS, Dataset, list_datasets, write_both
from engine.datasets.dataset_info import Positive
from engine.datasets.finalize import BY_HAND, MOVED, OUT_BY_HAND, audited, settle, write_settled
from engine.datasets.fold_parent import parent_of
from engine.datasets.image_stats import measured
from engine.datasets.positive_class import positive_of, require_class
from engine.store.errors import ErsatzError
from engine.store.locks import FileLock

SPLIT_SETTINGS = frozenset({"split", "train_share", "valid_share", "split_counts", "train_per_class", "seed"})

MENDABLE = SPLIT_SETTINGS | {"remedies", "freeze", "positive"}
"""Settings of an import that can be changed afterwards: what was mended by hand is the same import still."""


def import_changes(dataset: Dataset, config: ImportConfig) -> dict[str, tuple[Any, Any]]:
    """The settings in which a data set was imported otherwise than `config` says: name -> (there, in `config`).

    Settings that there were not yet when it was imported count as their defaults, and those that are no more, as none.
    """
    known = {name: value for name, value in dataset.info.config.items() if name in ImportConfig.model_fields}
    there, wanted = ImportConfig.build({**known, "name": dataset.name}).plain(), config.plain()
    if (positive := positive_of(dataset)) is not None and wanted["positive"] in ("", positive.name):
        there["positive"] = wanted["positive"]  # what it is counts, not how it came to be
    if wanted["mode"] == "auto":
        there["mode"] = "auto"  # either mode will do: presets once named one for pictures that are grey
    return {name: (there[name], wanted[name]) for name in wanted if there[name] != wanted[name]}


def apply_remedies(dataset: Dataset, names: Sequence[str]) -> Dataset:
    """Apply further remedies, split again by the same settings and audit; the split stays open for a look at it."""
    with changing(dataset):
        dataset = _open_split(dataset)
        before = dataset.info.config["remedies"]
        return _settle_again(dataset, {"remedies": [*before, *(name for name in names if name not in before)]})


def undo_remedies(dataset: Dataset, names: Sequence[str]) -> Dataset:
    """Take remedies back: the images they left out return, groups are the source's own again."""
    with changing(dataset):
        dataset = _open_split(dataset)
        before = dataset.info.config["remedies"]
        if missing := [name for name in names if name not in before]:
            raise ErsatzError(
                f"The remedy {missing[0]} was not applied to {dataset.name}; "
                + (f"expected one of {', '.join(before)}." if before else "none was applied, so there is none to undo.")
            )
        return _settle_again(dataset, {"remedies": [name for name in before if name not in names]})


def resplit(dataset: Dataset, changes: dict[str, Any]) -> Dataset:
    """Split again with other settings (`SPLIT_SETTINGS`), remedies kept, moves by hand forgotten; it stays open."""
    if others := set(changes) - SPLIT_SETTINGS:
        raise ErsatzError(
            f"{sorted(others)[0]} is no setting of the split; expected one of {', '.join(sorted(SPLIT_SETTINGS))}. "
            "Import the data again to change other settings."
        )
    with changing(dataset):
        dataset = _open_split(dataset)
        return _settle_again(dataset, changes, dataset.manifest.drop(columns=MOVED, errors="ignore"))


def move(dataset: Dataset, paths: Sequence[str], split: str) -> Dataset:
    """Move images to another split, with all that shares a patient or a picture with them, and audit again.

    A remedy applied later keeps such moves; `resplit` forgets them.
    """
    if split not in SPLITS:
        raise ErsatzError(f"There is no split {split!r}; expected one of {', '.join(SPLITS)}.")
    with changing(dataset):
        dataset = _open_split(dataset)
        manifest = dataset.manifest.copy()
        _require_images(dataset, manifest, paths)
        together = split_units.numbers(measured(manifest, dataset.path))
        chosen = together.isin(together[manifest["path"].isin(set(paths))])
        if MOVED not in manifest:
            manifest[MOVED] = ""
        manifest.loc[chosen, MOVED] = split
        return _settle_again(dataset, {}, manifest)


def leave_out(dataset: Dataset, paths: Sequence[str]) -> Dataset:
    """Leave images out by hand, split again by the same settings and audit; `bring_back` undoes it."""
    return _set_by_hand(dataset, paths, BY_HAND)


def bring_back(dataset: Dataset, paths: Sequence[str]) -> Dataset:
    """Take images back in that were left out by hand; a remedy may still leave them out."""
    return _set_by_hand(dataset, paths, "")


def _set_by_hand(dataset: Dataset, paths: Sequence[str], why: str) -> Dataset:
    with changing(dataset):
        dataset = _open_split(dataset)
        manifest = dataset.manifest.copy()
        _require_images(dataset, manifest, paths)
        if OUT_BY_HAND not in manifest:
            manifest[OUT_BY_HAND] = ""
        manifest.loc[manifest["path"].isin(set(paths)), OUT_BY_HAND] = why
        return _settle_again(dataset, {}, manifest)


def _require_images(dataset: Dataset, manifest: pd.DataFrame, paths: Sequence[str]) -> None:
    if unknown := set(paths) - set(manifest["path"]):
        raise ErsatzError(
            f"Data set {dataset.name} has no image {sorted(unknown)[0]}; the paths in its manifest.csv are "
            "expected. Choose the images again."
        )


def freeze(dataset: Dataset, accept_findings: bool = False, sealed: bool = False, by: str = "") -> str:
    """Freeze the split that `dataset` shows, and return its fingerprint; refused if it was changed meanwhile.

    With `sealed` the test part is sealed too (see `seal`), also one that was frozen before and that no sweep has read.
    """
    with changing(dataset):
        now = Dataset.open(dataset.home, dataset.name)
        if now.info != dataset.info and not now.frozen:
            raise ErsatzError(
                f"The split of data set {dataset.name} was changed meanwhile, by somebody else or in another tab; "
                "the one that was looked at is expected. Look at it again, then freeze it."
            )
        if sealed:
            seal.refuse_readers(now)
        fingerprint = now.freeze(accept_findings, sealed)
        if sealed:
            seal.lay(now, by)
        return fingerprint


def reaudit(dataset: Dataset) -> list[dict[str, Any]]:
    """Audit the data set as it is, frozen or not, and record the findings; the split does not change."""
    with changing(dataset):
        dataset = Dataset.open(dataset.home, dataset.name)
        findings = audited(dataset.manifest, ImportConfig.build(dataset.info.config), dataset.path)
        record = dataset.info.audit.model_copy(update={"findings": findings})
        write_both(dataset.path, dataset.manifest, dataset.info.model_copy(update={"audit": record}))
    return findings


def set_positive(dataset: Dataset, name: str) -> Dataset:
    """Make a class the positive one, of a frozen data set too: the split and its fingerprint stay as they are.

    Its folds take it over; sweeps keep the one that they were submitted with. Raises `ErsatzError` for a name that is
    none of two classes, and for a fold, whose data set is to be changed.
    """
    with changing(dataset):
        dataset = Dataset.open(dataset.home, dataset.name)
        require_class(name, dataset.classes, f"the data set {dataset.name}")
        if (parent := parent_of(dataset)) is not None:
            raise ErsatzError(
                f"The data set {dataset.name} is a fold of {parent.name}, and has its positive class; {parent.name} "
                "itself is expected. Change it there, and its folds follow."
            )
        positive = Positive(name=name, origin="changed", time=time.time())
        folds = [other for other in list_datasets(dataset.home) if (of := parent_of(other)) and of.name == dataset.name]
        _make_positive(dataset, positive)
        for fold in folds:
            with changing(fold):
                _make_positive(Dataset.open(fold.home, fold.name), positive)
    return Dataset.open(dataset.home, dataset.name)


def _make_positive(dataset: Dataset, positive: Positive) -> None:
    info = dataset.info.model_copy(
        update={"positive": positive, "config": {**dataset.info.config, "positive": positive.name}}
    )
    info.write_to(dataset.path / "dataset.json")


@contextmanager
def changing(dataset: Dataset) -> Iterator[None]:
    """Guards every change, so that of two people who press a button at once the second finds the first one's work, and
    nobody what a killed process left half-done."""
    with FileLock(dataset.home.locks / f"dataset-{dataset.name}"):
        if (dataset.path / "dataset.json").is_file():
            agreement.tidy(dataset.path, Dataset.open(dataset.home, dataset.name).info.manifest_sha256)
        yield


def _open_split(dataset: Dataset) -> Dataset:
    """The data set as it is now; an `ErsatzError` when it is frozen."""
    dataset = Dataset.open(dataset.home, dataset.name)
    if dataset.frozen:
        raise ErsatzError(
            f"The split of data set {dataset.name} is frozen, so that results on it stay comparable; only an open one "
            "can be changed. Import the data again under another name to change it."
        )
    return dataset


def _settle_again(dataset: Dataset, changes: dict[str, Any], manifest: pd.DataFrame | None = None) -> Dataset:
    config = ImportConfig.build({**dataset.info.config, **changes})
    manifest, record = settle(dataset.manifest if manifest is None else manifest, config, dataset.path)
    write_settled(dataset.path, manifest, dataset.info.model_copy(update={"audit": record}), config, freeze=False)
    return Dataset.open(dataset.home, dataset.name)
