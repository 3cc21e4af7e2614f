"""What of the home is damaged: below every page, since it hides nothing else, and beside the run whose result it is."""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st

from engine.datasets.dataset import damaged_datasets
from engine.jobs.submit import damaged_result
from engine.store.runs import Run, damaged_runs
from pages.components.format import plain_sentence
from pages.components.home import home

MOST_NAMED = 5


def damage_notice() -> None:
    """One line with what cannot be shown, and a sentence for each part of it."""
    found = [(f"data set {name}", sentence) for name, sentence in damaged_datasets(home()).items()]
    found += [(f"run {run_id}", sentence) for run_id, sentence in damaged_runs(home()).items()]
    if not found:
        return
    with st.expander(f"{len(found)} damaged: {found[0][0]}{' and more' * (len(found) > 1)}", icon=":material/warning:"):
        for what, sentence in found[:MOST_NAMED]:
            st.caption(plain_sentence(f"{what.capitalize()} is damaged: {sentence}"))
        if len(found) > MOST_NAMED:
            st.caption(f"{len(found) - MOST_NAMED} more; `python -m engine doctor --home` names them all.")
        st.caption("The Runs page deletes a damaged run, `python -m engine dataset delete NAME` a damaged data set.")


def damage_of_result(run: Run) -> str:
    """What of a finished run's result is damaged and can be made again, in a sentence; empty: nothing.

    Looked at again only when a file of the run's folder, or a folder of its images, has changed.
    """
    return _damage_of_result(run.home.root, run.id, _stamps(run.path), _run=run)


@st.cache_data(max_entries=256, show_spinner=False)
def _damage_of_result(root: Path, run_id: str, stamps: tuple[tuple[str, int, int], ...], *, _run: Run) -> str:
    return damaged_result(_run)


def _stamps(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, time and size of what lies in a folder, and in its folder `images`."""
    found = []
    for place in (folder, folder / "images"):
        try:
            with os.scandir(place) as entries:
                found += [(entry.path, (facts := entry.stat()).st_mtime_ns, facts.st_size) for entry in entries]
        except OSError:
            continue
    return tuple(sorted(found))
