"""Generate: pictures at once from a generator, tools in its latent space, projections, and pools for the classifier."""

from __future__ import annotations

import streamlit as st

from engine.store.runs import Run, State, list_runs
from pages.components.empty import empty_state
from pages.components.header import page_header
from pages.components.home import home
from pages.components.run_summary import config_of, run_named, state_of
from pages.components.runs import live, run_in_url, run_picker
from pages.components.views import choose_view
from pages.generate.elsewhere import other_pools
from pages.generate.exploring import explore
from pages.generate.latent_tools import around, mixing, morphing
from pages.generate.opened import generators
from pages.generate.painting import opened
from pages.generate.pools import new_pool, show_pool
from pages.generate.projections import LINKED, project
from pages.generate.unexported import offer_generator, stopped, unexported
from pages.generate.walking import walking

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
VIEW_OF = {"pool": "Pools", "projection": "Projection"}
"""The view that a link to a run opens, by the run's kind."""


def usual_view(ready: list[Run]) -> str:
    """The view of the run that a link names; a projection is seen with its generator."""
    run = run_named(home(), st.query_params.get("again", "")) or run_in_url()
    kind = config_of(run)["kind"] if run is not None else ""
    if run is not None and kind == "projection":
        st.session_state[LINKED] = run.id
        generator = config_of(run)["generator"]
        if generator in {each.id for each in ready}:
            st.query_params["run"] = generator
            st.query_params.setdefault("view", VIEW_OF[kind])
    return VIEW_OF.get(kind, "Explore")


def recall(name: str, among: list[Run]) -> None:
    """Back to the generator, or to the pool, that was looked at last, when the URL names something else."""
    last = st.session_state.get(f"last-{name}")
    ids = {run.id for run in among}
    if st.query_params.get("run") not in ids and last in ids:
        st.query_params["run"] = last


def picked(name: str, kind: str, among: list[Run]) -> Run | None:
    """A choice of a generator or a pool, kept while the other is looked at."""
    recall(name, among)
    run = run_picker(kind, name, label=name.capitalize(), runs=among)
    st.session_state[f"last-{name}"] = run.id if run else ""
    return run


top = page_header(
    "Generate",
    "Draw new pictures from a trained generator, look around in what it has learned, and save pools of them.",
)
ready = generators()
if (linked := run_in_url()) is not None and stopped(linked):
    offer_generator(linked)
    st.stop()
if not ready:
    empty_state(
        "There is no generator yet. Train one, or try the demo on the Overview page; a finished training appears here.",
        ":material/auto_awesome:",
        "train",
        "Go to Train",
    )
    unexported()
    pools = list_runs(home(), "pool")
    other_pools(pools)
    if (pool := picked("pool", "pool", pools) if pools else None) is not None:
        show_pool(pool)
    st.stop()

view = choose_view(VIEWS, usual_view(ready))
if view == "Pools":
    pools = list_runs(home(), "pool")
    trained = [run for run in ready if config_of(run)["kind"] == "train"]
    new_pool(trained, expanded=all(state_of(pool) in (State.FAILED, State.CANCELLED) for pool in pools))
    other_pools(pools)
    if (pool := picked("pool", "pool", pools)) is not None:
        show_pool(pool)
elif (generator := picked("generator", "train", ready)) is not None:
    if view in NEED_W and not opened(generator).has_w:
        st.info("A DCGAN has no intermediate latent w; choose a StyleGAN2-ADA generator for this.")
    elif view == "Projection":
        project(generator)
    else:
        live(TOOLS[view], active=False)(generator)
    unexported()
