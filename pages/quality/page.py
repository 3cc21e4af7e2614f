"""Quality: a pool beside real images and their floors, copies of training images, and the best snapshot."""

from __future__ import annotations

import streamlit as st

from engine.datasets.dataset import list_datasets
from engine.store.runs import list_runs
from pages.components.command import show_settings
from pages.components.empty import empty_state
from pages.components.header import page_header
from pages.components.home import home
from pages.components.page_end import end_page
from pages.components.pools import usable_pools
from pages.components.run_summary import config_of, run_named, state_of
from pages.components.runs import live, run_header, run_in_url, run_picker
from pages.components.views import choose_view
from pages.quality.comparing import compare
from pages.quality.planning import new_check
from pages.quality.ranking import snapshots, with_snapshots
from pages.quality.results import results
from pages.quality.views import AGAIN, BESIDE, COMPARE, NEW, RANK, READ, VIEW_OF

top = page_header(
    "Quality",
    "Do the synthetic images look real, are they as varied as real ones, and are some of them copies? Everything is "
    "held against what real images score against each other.",
    links=("run", "again", "compare"),
)
linked = run_in_url()
checks = list_runs(home(), "quality")
datasets = {dataset.name: dataset for dataset in list_datasets(home()) if dataset.frozen}
pools = usable_pools(datasets)
trainings = with_snapshots()
views = [*([READ, COMPARE] if checks else []), *([NEW] if pools else []), *([RANK] if trainings else [])]
if not views:
    empty_state(
        "A check compares a pool of synthetic images with the real ones, and there is no pool yet. "
        "Save one on the Generate page, or try the demo on the Overview.",
        ":material/fact_check:",
        "generate",
        "Go to Generate",
    )
    end_page()

first = VIEW_OF.get(config_of(linked)["kind"], views[0]) if linked is not None else views[0]
if again := run_named(home(), st.query_params.get(AGAIN, "")):
    first = RANK if config_of(again)["kind"] == "ranking" else NEW
elif BESIDE in st.query_params:
    first = COMPARE
with top:
    view = choose_view(views, first if first in views else views[0])
if view == NEW:
    new_check(pools, linked)
elif view == RANK:
    snapshots(trainings, again or linked)
elif view == COMPARE:
    live(compare, active=False)()
elif (run := run_picker("quality", "quality", label="Check", row=top)) is not None:
    run_header(run)
    active = state_of(run).is_active
    live(results, active)(run, not active)
    show_settings(run)
