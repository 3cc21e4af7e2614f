"""Train: start generators on the training images alone, watch them learn, stop, resume and fine-tune them."""

from __future__ import annotations

import streamlit as st

from engine.datasets.dataset import list_datasets
from engine.store.runs import Run, State, list_runs
from pages.components.empty import empty_state
from pages.components.header import page_header
from pages.components.home import home
from pages.components.page_end import end_page
from pages.components.run_summary import config_of, state_of
from pages.components.runs import run_in_url, run_picker
from pages.components.views import choose_view
from pages.train.planning import plan
from pages.train.watching import watch

VIEWS = {"watch": "Watch", "new": "New training"}


def waits(run: Run) -> int:
    """Trainings that run come first and those that wait last: of two classes the one that runs is what is watched."""
    return {State.RUNNING: 0, State.STOPPING: 0, State.QUEUED: 2}.get(state_of(run), 1)


top = page_header(
    "Train",
    "Teach a generator on the training images alone, and watch it learn.",
    links=("run", "again", "from", "with"),
)
linked = run_in_url()
measured = linked if linked is not None and config_of(linked)["kind"] == "dry-run" else None
runs = list_runs(home(), "train")
ready = [dataset for dataset in list_datasets(home()) if dataset.frozen]
if not ready and not runs:
    empty_state(
        "There is no frozen data set to train on yet. Import your images and freeze their split, or try the demo on "
        "the Overview page.",
        ":material/model_training:",
        "datasets",
        "Go to Datasets",
    )
    end_page()

asked = measured is not None or any(name in st.query_params for name in ("from", "again"))
asked = asked or (linked is None and "dataset" in st.query_params)  # as "Train on it" links here
with top:
    view = choose_view(list(VIEWS), "new" if asked or not runs else "watch", VIEWS.__getitem__)
if view == "new":
    if not ready:
        empty_state(
            "There is no frozen data set to train on. Import one, and freeze its split.",
            ":material/photo_library:",
            "datasets",
            "Go to Datasets",
        )
        end_page()
    plan(ready, measured)
elif not runs:
    st.info("No generator has been trained yet: set one up under New training.", icon=":material/model_training:")
elif (run := run_picker("train", "train", runs=sorted(runs, key=waits), row=top)) is not None:
    watch(run)
