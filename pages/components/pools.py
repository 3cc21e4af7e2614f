"""Pools as several pages read them, and what is to be known before one is changed."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

import streamlit as st

from engine.datasets.dataset import Dataset
from engine.sampling.pools import MANIFEST_FILE, Pool
from engine.store.errors import ErsatzError
from engine.store.runs import Run, State, list_runs
from pages.components.files import stamp
from pages.components.format import plain
from pages.components.home import home
from pages.components.run_summary import about_of, config_of, state_of, title


def open_pool(run: Run) -> Pool:
    """The finished pool of a run, whose manifest is read again only once it has changed; nobody changes its table.

    An `ErsatzError` when there is none.
    """
    manifest = run.path / MANIFEST_FILE
    return _pool(run, *stamp(manifest)) if manifest.is_file() else Pool.open(run)


@lru_cache(8)
def _pool(run: Run, path: Path, written: float, size: int) -> Pool:
    return Pool.open(run)


def usable_pools(datasets: Collection[str]) -> list[Run]:
    """The finished pools of these data sets; an archived one only when the address names it."""
    return [
        run
        for run in list_runs(home(), "pool")
        if config_of(run)["dataset"] in datasets
        and state_of(run) is State.FINISHED
        and (run.id in st.query_params.values() or not about_of(run).archived)
    ]


def training_folder(check: Run) -> Path | None:
    """The folder of the images that a quality check compared with, as long as the data set is still the same."""
    config = config_of(check)
    try:
        dataset = Dataset.open(home(), config["dataset"])
    except ErsatzError:
        return None
    return dataset.path if dataset.has_fingerprint(config["dataset_fingerprint"]) else None


def warn_of_sweeps(pool: Pool) -> None:
    """A sweep that is on its way was begun with the pool as it is."""
    for sweep in list_runs(home(), "sweep"):
        config = config_of(sweep)
        pools = {config["pool"], *(fold["pool"] for fold in config.get("folds", ()))}
        if pool.run.id in pools and state_of(sweep).is_active:
            st.warning(
                f"{plain(title(sweep))} is on its way with this pool as it is now. If it is stopped and resumed after "
                "this change, it will refuse to go on.",
                icon=":material/warning:",
            )
