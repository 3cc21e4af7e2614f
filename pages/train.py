"""Train: start generators on the training images alone, watch them learn, stop, resume and fine-tune them."""

from __future__ import annotations

import streamlit as st

from engine.datasets.dataset import list_datasets
from engine.store.runs import list_runs
from pages.parts.home import home
from pages.parts.runs import config_of, live, run_header, run_in_url, run_picker
from pages.training.planning import plan
from pages.training.watching import onward, settings, watch

WATCH, NEW = "Watch", "New training"


def chosen_view() -> str:
    """Watch or New training: what was chosen last, unless something else was asked for since."""
    if st.session_state.pop("train-new", False):
        st.session_state["train-view"] = NEW
    elif st.session_state.pop("train-started", False) or "train-view" not in st.session_state:
        st.session_state["train-view"] = NEW if "from" in st.query_params else WATCH
    if measured is not None and st.session_state.get("train-measured") != measured.id:  # a link, or just started
        st.session_state["train-measured"] = measured.id
        st.session_state["train-view"] = NEW
    return st.segmented_control("View", [WATCH, NEW], required=True, key="train-view", label_visibility="collapsed")


st.title("Train")
linked = run_in_url()
measured = linked if linked is not None and config_of(linked)["kind"] == "dry-run" else None
runs = list_runs(home(), "train")
ready = [dataset for dataset in list_datasets(home()) if dataset.frozen]
if not ready and not runs:
    st.info(
        "There is no frozen data set to train on yet. Import one on the Datasets page, or try the demo on Overview.",
        icon=":material/model_training:",
    )
    st.page_link("pages/datasets.py", label="Go to Datasets", icon=":material/photo_library:")
    st.stop()

if not runs or chosen_view() == NEW:
    if not ready:
        st.info("There is no frozen data set to train on; import one on the Datasets page.")
        st.stop()
    plan(ready, measured)
elif (run := run_picker("train", "train")) is not None:
    run_header(run)
    live(watch, run.state().is_active)(run)
    onward(run)
    settings(run)
