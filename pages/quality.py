"""Quality: a pool beside real images and their floors, copies of training images, and the best snapshot."""

from __future__ import annotations

import streamlit as st

from engine.datasets.dataset import list_datasets
from engine.store.runs import Run, State, list_runs
from pages.checking.planning import new_check, settings
from pages.checking.ranking import snapshots, with_snapshots
from pages.checking.results import results
from pages.parts.home import home
from pages.parts.runs import config_of, live, run_header, run_in_url, run_picker

READ, NEW, RANK = "Read", "New check", "Snapshots"
VIEW_OF = {"quality": READ, "pool": NEW, "ranking": RANK, "train": RANK}


def chosen_view(linked: Run | None, offered: list[str]) -> str:
    """The view that suits the run of the link when that is a new one, else what was chosen last."""
    if linked is not None and st.session_state.get("quality-linked") != linked.id:
        st.session_state["quality-linked"] = linked.id
        st.session_state["quality-view"] = VIEW_OF.get(config_of(linked)["kind"], offered[0])
    if st.session_state.get("quality-view") not in offered:
        st.session_state["quality-view"] = offered[0]
    return st.segmented_control("View", offered, required=True, key="quality-view", label_visibility="collapsed")


st.title("Quality")
linked = run_in_url()
checks = list_runs(home(), "quality")
datasets = {dataset.name: dataset for dataset in list_datasets(home()) if dataset.frozen}
pools = [
    run for run in list_runs(home(), "pool") if run.state() is State.FINISHED and config_of(run)["dataset"] in datasets
]
trainings = with_snapshots()
views = [*([READ] if checks else []), *([NEW] if pools else []), *([RANK] if trainings else [])]
if not views:
    st.info(
        "A check compares a pool of synthetic images with the real ones, and there is no pool yet. "
        "Save one on the Generate page, or try the demo on the Overview.",
        icon=":material/fact_check:",
    )
    st.page_link("pages/generate.py", label="Go to Generate", icon=":material/auto_awesome:")
    st.stop()

view = chosen_view(linked, views)
if view == NEW:
    new_check(pools, linked)
elif view == RANK:
    snapshots(trainings, linked)
elif (run := run_picker("quality", "quality", label="Check")) is not None:
    st.session_state["quality-linked"] = run.id  # the link is of this choice, and must not undo the next one
    run_header(run)
    live(results, run.state().is_active)(run)
    settings(run)
