"""Overview: what is here, how far each data set is, and the one next step; the demo, recent runs and the machine."""

from __future__ import annotations

import streamlit as st

from engine.store.runs import State, list_runs
from pages.components.command import show_command
from pages.components.format import plain, plain_sentence
from pages.components.home import home
from pages.components.people import read_only
from pages.components.phantom import phantom_badge
from pages.components.run_summary import config_of, dataset_of, summaries_of
from pages.components.runs import choice_in_url, run_in_url
from pages.overview.journeys import journeys, next_step
from pages.overview.sections import (
    all_datasets,
    answer,
    card,
    go,
    machine_state,
    offer_demo,
    offer_import,
    recent,
    show_under_way,
    steps_row,
    trouble,
    under_way,
)

st.title("Do synthetic images help your classifier?")
st.caption(
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
    left, right = st.columns(2)
    with left.container(border=True, height="stretch"):
        offer_demo(primary=True)
    with right.container(border=True, height="stretch"):
        offer_import()
    st.subheader("The way to a verdict")
    steps_row(None)
    machine_state(seen)
    show_command("python -m engine demo")
    st.stop()

journey = None
if found:
    names = [one.name for one in found]
    if len(found) > 1:
        labels = {one.name: one.label for one in found}
        if linked is not None and dataset_of(linked) in names:
            st.query_params.setdefault("dataset", dataset_of(linked))
        with st.container(width=420):
            name = choice_in_url("Data set", names, "dataset", "overview-dataset", labels.__getitem__)
    else:
        name = names[0]
    journey = found[names.index(name)]
    step = next_step(journey)
    with st.container(border=True):
        phantom_badge(journey.name)
        if journey.active():
            now = f"{plain(journey.label)}: {plain(journey.active()[0].title)} is under way."
            st.markdown(f"**{now}** Then: {plain_sentence(step.sentence)}")
        else:
            st.markdown(f"**Next for {plain(journey.label)}:** {plain_sentence(step.sentence)}")
        go(step)
    steps_row(journey)
    answer(journey)

in_trouble = trouble(seen, journey, linked)
if in_trouble is not None and in_trouble.id not in {run.id for run in active}:
    st.subheader("The journey" if linked else "Needs a look")
    card(in_trouble)
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
