"""Runs: all of them with their state, and the queue; compare, repeat, title, archive, delete; log and settings."""

from __future__ import annotations

import streamlit as st

from engine.store.runs import damaged_runs, list_runs
from pages.components.empty import empty_state
from pages.components.format import plain
from pages.components.header import page_header
from pages.components.home import home
from pages.components.page_end import end_page
from pages.components.run_summary import summaries_of
from pages.components.runs import live
from pages.runs.chosen import choose, chosen_ids, chosen_runs
from pages.runs.comparing import compare
from pages.runs.details import damaged_details, details
from pages.runs.filters import chosen_filter
from pages.runs.queue import queue
from pages.runs.saved_views import chosen_columns, recall_linked_view
from pages.runs.table import active_of, live_table

heading = page_header("Runs", "Everything that was started here: how far it is, what it found, and what to do with it.")
all_runs = list_runs(home())
damaged = damaged_runs(home())
if not all_runs and not damaged:
    empty_state(
        "Nothing has run here yet. Try the demo, or import a data set of your own.",
        ":material/list_alt:",
        "overview",
        "Go to Overview",
    )
    end_page()

seen = summaries_of(all_runs)
recall_linked_view()
wanted = chosen_filter(seen)
with heading:
    columns, by_journey = chosen_columns()
active = active_of(seen)
live(live_table, bool(active))(wanted, columns, by_journey, active, chosen_ids())

chosen = chosen_runs()
missing = [run_id for run_id in chosen_ids() if run_id not in {run.id for run in chosen} and run_id not in damaged]
if missing:
    st.warning(f"There is no run {plain(missing[0])} here; it may have been deleted.", icon=":material/link_off:")
    st.button("Forget it", on_click=choose, args=([run.id for run in chosen],))
broken = [run_id for run_id in chosen_ids() if run_id in damaged]
for run_id in broken:
    damaged_details(run_id, damaged[run_id])
if len(chosen) > 1:
    compare(chosen)
elif chosen:
    details(chosen[0])
elif not missing and not broken:
    st.caption("Mark a run in the table to see its log and settings, or several to compare them.")
queue()
