"""Overview: the latest verdict, the one next step, and how far each data set is; the demo, recent runs, the machine."""

from __future__ import annotations

import streamlit as st

from engine.configs import PipelineConfig
from engine.publications.presets import usual_size
from engine.store.runs import State, list_runs
from pages.components.command import command_line, show_command
from pages.components.home import home
from pages.components.page_end import end_page
from pages.components.people import read_only
from pages.components.phantom import phantom_badge
from pages.components.run_summary import config_of, dataset_of, summaries_of
from pages.components.runs import choice_in_url, run_in_url
from pages.overview.journeys import journeys
from pages.overview.next_steps import next_step
from pages.overview.sections import (
    MOST_ACTIVE,
    all_datasets,
    card,
    machine_state,
    offer_demo,
    offer_import,
    recent,
    show_next,
    show_under_way,
    trouble,
    under_way,
)
from pages.overview.step_cards import steps_row
from pages.overview.thumbnails import latest_sweep
from pages.overview.verdict import show_verdict

WHAT = (
    "Ersatz trains a generator on a small medical image set, adds its images to the training set in growing shares, "
    "and says whether the classifier gets better, worse, or whether there is no evidence either way."
)
seen = summaries_of(list_runs(home()))
found = journeys(seen)
active = under_way(seen)
linked = run_in_url()
if linked is not None and config_of(linked)["kind"] != "journey":
    linked = None

if not seen and not found:
    st.title("Do synthetic images help your classifier?")
    st.caption(WHAT)
    left, right = st.columns(2)
    with left.container(border=True, height="stretch"):
        place = offer_demo(primary=True)
    with right.container(border=True, height="stretch"):
        offer_import()
    st.subheader("The way to a verdict")
    steps_row(None)
    machine_state(seen)
    show_command(command_line(PipelineConfig(preset="demo", size=usual_size("demo")), place=place))
    end_page()

journey = None
names = [one.name for one in found]
with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
    st.title("Do synthetic images help your classifier?", width="content", anchor=False, help=WHAT)
    if len(found) > 1:
        labels = {one.name: one.label for one in found}
        if linked is not None and dataset_of(linked) in names:
            st.query_params.setdefault("dataset", dataset_of(linked))
        with st.container(width=360):
            name = choice_in_url("Data set", names, "dataset", "overview-dataset", labels.__getitem__)
    else:
        name = names[0] if names else ""
if found:
    journey = found[names.index(name)]
    sweep = latest_sweep(journey)
    if sweep is not None:
        show_verdict(sweep, journey.name)
    else:
        phantom_badge(journey.name)
    show_next(journey, next_step(journey))
    steps_row(journey)

in_trouble = [run for run in trouble(seen, journey, linked) if run.id not in {one.id for one in active}]
if in_trouble:
    st.subheader("The journey" if linked else "Needs a look")
    for run in in_trouble[:MOST_ACTIVE]:
        card(run)
show_under_way(active, sum(one.state is State.QUEUED for one in seen))

if len(found) > 1 and journey is not None:
    all_datasets(found, journey.name)
with st.container(horizontal=True, gap="large"):
    with st.container(width=640):
        recent(seen)
    with st.container():
        machine_state(seen)
tried = any(one.kind == "journey" and one.config["preset"] == "demo" for one in seen)
if not read_only() and (not tried or all(one.phantom for one in found)):
    with st.container(horizontal=True):
        if not tried:
            with st.container(border=True, height="stretch"):
                offer_demo(primary=not found)
        if all(one.phantom for one in found):
            with st.container(border=True, height="stretch"):
                offer_import()
