"""Evaluate: plan a sweep knowing what it can show, watch its trials, read the verdict and drill into a point."""

from __future__ import annotations

import streamlit as st

from engine.datasets.dataset import list_datasets
from engine.store.runs import State, list_runs
from pages.evaluating.planning import new_sweep
from pages.evaluating.reading import results, settings
from pages.parts.home import home
from pages.parts.runs import config_of, live, run_header, run_picker

READ, NEW = "Read", "New sweep"

st.title("Evaluate")
runs = list_runs(home(), "sweep")
datasets = {dataset.name: dataset for dataset in list_datasets(home()) if dataset.frozen}
pools = [
    run for run in list_runs(home(), "pool") if run.state() is State.FINISHED and config_of(run)["dataset"] in datasets
]
if not runs and not pools:
    st.info(
        "A sweep needs a frozen data set and a pool of synthetic images, and there is no pool yet. "
        "Save one on the Generate page, or try the demo on the Overview.",
        icon=":material/query_stats:",
    )
    st.page_link("pages/generate.py", label="Go to Generate", icon=":material/auto_awesome:")
    st.stop()

view = NEW
if runs:
    if st.session_state.pop("sweep-started", False) or "sweep-view" not in st.session_state:
        st.session_state["sweep-view"] = READ
    view = st.segmented_control("View", [READ, NEW], required=True, key="sweep-view", label_visibility="collapsed")
if view == NEW:
    if not pools:
        st.info("There is no finished pool of a frozen data set; save one on the Generate page.")
        st.stop()
    live(new_sweep, active=False)(datasets, pools)
elif (run := run_picker("sweep", "sweep")) is not None:
    run_header(run)
    live(results, run.state().is_active)(run)
    settings(run)
