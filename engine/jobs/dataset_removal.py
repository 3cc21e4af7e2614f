"""Deleting a data set: who uses it, what becomes impossible without it, and the deletion itself."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.datasets.dataset import Dataset, damaged_datasets, list_datasets
from engine.datasets.editing import changing
from engine.datasets.folds import fold_of
from engine.jobs.kinds import kind_shown
from engine.store.deleting import delete_folder
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.locks import FileLock
from engine.store.runs import Run, each, list_runs


@dataclass(frozen=True)
class Uses:
    """Everything that goes back to a data set."""

    runs: dict[str, list[Run]]
    """By kind, newest first; without imports, which are done."""
    folds: list[str]
    """Data sets made as folds of this one; their images stay."""
    size: int
    """Bytes that the deletion frees."""

    @property
    def active(self) -> list[Run]:
        """The runs that are queued or running; they forbid the deletion."""
        return [run for runs in self.runs.values() for run in runs if run.state().is_active]

    def sentences(self) -> list[str]:
        """What becomes impossible and what stays, shown before deleting."""
        told = [
            f"{_named(len(runs), kind.in_a_sentence)} {kind.deletion_impact.without_dataset}."
            for kind, runs in ((kind_shown(name), runs) for name, runs in sorted(self.runs.items()))
            if kind.deletion_impact.without_dataset
        ]
        if self.folds:
            told.append(f"Its folds ({', '.join(self.folds)}) stay, but no cross-validation of them can be started.")
        return told


def uses_of(dataset: Dataset) -> Uses:
    """All runs and folds that go back to this data set."""
    runs: dict[str, list[Run]] = {}
    for run, used in each(list_runs(dataset.home), lambda run: _uses(run, dataset.name)):
        if used:
            runs.setdefault(run.kind, []).append(run)
    folds = [other.name for other in list_datasets(dataset.home) if fold_of(other).get("parent") == dataset.name]
    return Uses(runs, folds, _freed(dataset.path))


def remove(dataset: Dataset) -> None:
    """Delete the folder of a data set that no queued or running run uses; the files it was imported from stay."""
    home, path = dataset.home, dataset.path
    # the lock of every start, so that no run begins with a data set that is going
    with FileLock(home.locks / "submit"), changing(dataset):
        Dataset.open(home, dataset.name)  # raises if it was deleted meanwhile
        if active := uses_of(dataset).active:
            raise ErsatzError(
                f"{_named(len(active), 'run')} on data set {dataset.name} {'is' if len(active) == 1 else 'are'} still "
                f"queued or running ({active[0].id}); only a data set that no run works on can be deleted. "
                "Stop them first, or wait for their end."
            )
        delete_folder(path)


def remove_damaged(home: Home, name: str) -> None:
    """Delete the folder of a data set that cannot be opened, unless a queued or running run names it."""
    path = home.dataset(name)
    with FileLock(home.locks / "submit"), FileLock(home.locks / f"dataset-{name}"):
        if name not in damaged_datasets(home):
            raise ErsatzError(f"The data set {name} is not damaged, or not there any more. Look at the list again.")
        named = (run for run, used in each(list_runs(home), lambda run: _uses(run, name)) if used)
        if active := next((run for run in named if run.state().is_active), None):
            raise ErsatzError(f"Run {active.id} on data set {name} is still queued or running. Stop it first.")
        delete_folder(path)


def _uses(run: Run, name: str) -> bool:
    config = run.config()
    kind = kind_shown(config["kind"])
    if kind.about_run:
        other = Run(run.home, config[kind.about_run])
        return other.exists() and _uses(other, name)
    return name in kind.datasets_needed(config)


def _freed(path: Path) -> int:
    """Bytes below `path`; images that a fold shares with it stay on the disk."""
    size = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):  # it went meanwhile
                stat = (Path(folder) / name).lstat()
                size += stat.st_size if stat.st_nlink == 1 else 0
    return size


def _named(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
