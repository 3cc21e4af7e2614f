"""Generate: pictures at once from a generator, tools in its latent space, projections, and pools for the classifier."""

from __future__ import annotations

import streamlit as st

from engine.store.runs import Run, list_runs
from pages.generating.exploring import explore
from pages.generating.latent_tools import around, mixing, morphing, walking
from pages.generating.opened import generators, opened
from pages.generating.pools import new_pool, show_pool
from pages.generating.projections import LINKED, project
from pages.parts.home import home
from pages.parts.runs import config_of, live, run_in_url, run_picker

TOOLS = {
    "Explore": explore,
    "Morph": morphing,
    "Style mixing": mixing,
    "Neighbours": around,
    "Walk": walking,
    "Projection": project,
}
NEED_W = ("Style mixing", "Projection")
VIEWS = (*TOOLS, "Pools")


def first_view() -> str:
    """The view of the run that the link names."""
    run = run_in_url()
    kind = config_of(run)["kind"] if run else ""
    return {"pool": "Pools", "projection": "Projection"}.get(kind, "Explore")


def linked_generator(ready: list[Run]) -> None:
    """A link to a projection opens its generator."""
    run = run_in_url()
    if run is not None and config_of(run)["kind"] == "projection":
        st.session_state[LINKED] = run.id
        generator = config_of(run)["generator"]
        if generator in {each.id for each in ready}:
            st.query_params["run"] = generator


st.title("Generate")
ready = generators()
if not ready:
    st.info(
        "There is no generator yet. Train one, or try the demo on the Overview page; a finished training appears here.",
        icon=":material/auto_awesome:",
    )
    st.page_link("pages/train.py", label="Go to Train", icon=":material/model_training:")
    st.stop()

st.session_state.setdefault("generate-view", first_view())
linked_generator(ready)
view = st.segmented_control("View", VIEWS, required=True, label_visibility="collapsed", key="generate-view")
if view == "Pools":
    pool_runs = list_runs(home(), "pool")
    with st.expander("New pool", icon=":material/add:", expanded=not pool_runs):
        new_pool([run for run in ready if config_of(run)["kind"] == "train"])
    if (pool_run := run_picker("pool", "pool", label="Pool")) is not None:
        show_pool(pool_run)
elif (generator := run_picker("train", "generator", label="Generator", runs=ready)) is not None:
    if view in NEED_W and not opened(generator).has_w:
        st.info("A DCGAN has no intermediate latent w; choose a StyleGAN2-ADA generator for this.")
    elif view == "Projection":
        project(generator)
    else:
        live(TOOLS[view], active=False)(generator)
