"""Data sets as the page reads them: manifests and what follows from them, read again only when they were written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from engine.datasets.audit import affected
from engine.datasets.dataset import Dataset, agreeing_manifest
from engine.datasets.dataset_info import DatasetInfo
from engine.datasets.folds import fold_of
from engine.datasets.manifest import is_usable
from engine.datasets.remedy_preview import Effect, effect_of
from engine.datasets.seal import sealed_images
from engine.datasets.split_units import units_of
from engine.datasets.tags import FILE as TAGS
from engine.datasets.tags import tags_of
from engine.quality.stored_map import read_map
from engine.store import ledger
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import Run, State, list_runs
from pages.components.run_summary import config_of


@dataclass(frozen=True)
class Written:
    """A data set as it is at one moment: the key of everything that is remembered of it."""

    path: Path
    moments: tuple[float, ...]


def written(dataset: Dataset) -> Written:
    """The data set with the times at which it was last written."""
    times = tuple((dataset.path / name).stat().st_mtime for name in ("dataset.json", "manifest.csv"))
    return Written(dataset.path, times)


@st.cache_data(max_entries=8, show_spinner=False)
def manifest_of(written: Written) -> pd.DataFrame:
    """All rows of the manifest, the excluded ones too."""
    return _read_manifest(written)


def _read_manifest(written: Written) -> pd.DataFrame:
    sha256 = DatasetInfo.read(written.path / "dataset.json").manifest_sha256
    return agreeing_manifest(written.path, sha256)[0]


@st.cache_data(max_entries=256, show_spinner=False)
def counts_of(written: Written) -> dict[str, int]:
    """Images by split, those left out under an empty name."""
    rows = _read_manifest(written)  # not remembered: a list of all data sets would put out what the open one needs
    return {str(name): int(count) for name, count in rows["split"].where(is_usable(rows), "").value_counts().items()}


@st.cache_data(max_entries=8, show_spinner="Looking at the images…")
def affected_by(_dataset: Dataset, written: Written) -> dict[str, list[str]]:
    """The images that each finding is about."""
    return affected(manifest_of(written), written.path)


@st.cache_data(max_entries=32, show_spinner="Trying the remedy…")
def foreseen(_dataset: Dataset, written: Written, remedy: str) -> Effect:
    """What a remedy would change, or did."""
    return effect_of(_dataset, remedy)


@st.cache_data(max_entries=4, show_spinner="Grouping the images…")
def units(_dataset: Dataset, written: Written) -> pd.DataFrame:
    """What can be moved between splits."""
    return units_of(_dataset)


def sealed_of(dataset: Dataset) -> frozenset[str]:
    """The hashes of the images that no page may show."""
    path = ledger.folder(dataset.home) / "events.jsonl"
    facts = path.stat() if path.is_file() else None
    return _sealed(dataset, written(dataset), (facts.st_mtime_ns, facts.st_size) if facts else (0, 0))


@st.cache_data(max_entries=16, show_spinner=False)
def _sealed(_dataset: Dataset, written: Written, ledger_written: tuple[int, int]) -> frozenset[str]:
    return frozenset(sealed_images(_dataset.home, _dataset))


def tags_now(dataset: Dataset) -> dict[str, tuple[str, ...]]:
    """The tags of each image that has any, by the hash of its pixels."""
    path = dataset.path / TAGS
    facts = path.stat() if path.is_file() else None
    return _tags(dataset, (str(path), facts.st_mtime_ns, facts.st_size) if facts else (str(path), 0, 0))


@st.cache_data(max_entries=16, show_spinner=False)
def _tags(_dataset: Dataset, written: tuple[str, int, int]) -> dict[str, tuple[str, ...]]:
    return tags_of(_dataset)


@dataclass(frozen=True)
class Mapped:
    """The newest finished map of a data set."""

    run: Run
    places: pd.DataFrame
    """`path, class, sha256, x, y`."""
    directions: np.ndarray
    """Features on their main directions, row by row as `places`."""


def map_of(dataset: Dataset) -> Mapped | None:
    """The map that was drawn last; None where none was finished, or the last one cannot be read."""
    finished = [run for run in maps_of(dataset) if run.state() is State.FINISHED]
    return _mapped(finished[0].path) if finished else None


def maps_of(dataset: Dataset) -> list[Run]:
    """All maps of a data set, the newest first."""
    return [run for run in list_runs(dataset.home, "feature-map") if config_of(run)["dataset"] == dataset.name]


@st.cache_resource(max_entries=4, show_spinner=False)
def _mapped(path: Path) -> Mapped | None:
    run = Run(Home(path.parent.parent), path.name)
    try:
        return Mapped(run, *read_map(run))
    except ErsatzError:  # damaged; a new one can be drawn
        return None


def state_of(dataset: Dataset) -> tuple[str, str, Any]:
    """State of a data set in a word, with its icon and colour."""
    if not dataset.frozen:
        return "open", ":material/lock_open:", "orange"
    if fold_of(dataset):
        return "frozen fold", ":material/lock:", "blue"
    return "frozen", ":material/lock:", "green"
