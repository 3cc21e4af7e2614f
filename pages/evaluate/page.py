"""Evaluate: plan a sweep knowing what it can show, watch its trials, read the verdict, drill into a point, compare."""

from __future__ import annotations

import streamlit as st

from engine.datasets.dataset import list_datasets
from engine.store.runs import list_runs
from pages.components.command import show_settings
from pages.components.dead_links import say_other_kind
from pages.components.empty import empty_state
from pages.components.header import page_header
from pages.components.home import home
from pages.components.page_end import end_page
from pages.components.pools import usable_pools
from pages.components.run_summary import state_of
from pages.components.runs import live, run_header, run_picker
from pages.components.views import choose_view
from pages.evaluate.comparing import compare
from pages.evaluate.planning import foresee_ahead, new_sweep
from pages.evaluate.results import results
from pages.evaluate.sweep_defaults import pool_in_url
from pages.evaluate.views import AGAIN, BESIDE, COMPARE, NEW, READ

top = page_header(
    "Evaluate",
    "Do synthetic images help? A sweep trains the same classifier with and without them, again and again, and tests it "
    "on real images that nothing was trained on.",
    links=("run", "pool", "again", "compare"),
)
say_other_kind(("sweep", "pool"), "sweep")
runs = list_runs(home(), "sweep")
datasets = {dataset.name: dataset for dataset in list_datasets(home()) if dataset.frozen}
pools = usable_pools(datasets)
if not runs and not pools:
    if not datasets:
        empty_state(
            "A sweep needs a frozen data set and a pool of synthetic images, and there is no data set yet.",
            ":material/query_stats:",
            "datasets",
            "Import your images",
        )
    else:
        empty_state(
            "A sweep needs a pool of synthetic images, and there is no pool yet. Train a generator, then save a pool "
            "of its images on the Generate page.",
            ":material/query_stats:",
            "generate",
            "Go to Generate",
        )
    end_page()

views = [*([READ, COMPARE] if runs else []), NEW]
first = NEW if AGAIN in st.query_params or pool_in_url() else COMPARE if BESIDE in st.query_params else READ
with top:
    view = choose_view(views, first if first in views else NEW)
if view == NEW:
    if pools:
        live(new_sweep, active=False)(datasets, pools)
    else:
        empty_state(
            "There is no finished pool of a frozen data set; a sweep takes its synthetic images from one.",
            ":material/query_stats:",
            "generate",
            "Go to Generate",
        )
elif view == COMPARE:
    live(compare, active=False)()
elif (run := run_picker("sweep", "sweep", row=top)) is not None:
    run_header(run)
    active = state_of(run).is_active
    live(results, active)(run, not active)
    show_settings(run)
    foresee_ahead(datasets, pools)
