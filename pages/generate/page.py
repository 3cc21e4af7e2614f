"""Generate: pictures at once from a generator, tools in its latent space, projections, and pools for the classifier."""

from __future__ import annotations

import streamlit as st

from engine.store.runs import Run, State, list_runs
from pages.components.empty import empty_state
from pages.components.files import generator_info
from pages.components.header import page_header
from pages.components.home import home
from pages.components.page_end import end_page
from pages.components.quiet_address import last_shown
from pages.components.run_summary import config_of, run_named, state_of
from pages.components.runs import live, run_in_url, run_picker
from pages.components.views import choose_view
from pages.generate.elsewhere import other_pools
from pages.generate.exploring import explore
from pages.generate.latent_tools import around, mixing, morphing
from pages.generate.opened import generators
from pages.generate.pools import new_pool, show_pool
from pages.generate.projections import LINKED, project
from pages.generate.unexported import export_under_way, offer_generator, stopped, unexported
from pages.generate.walking import walking

EXPLORE, PROJECTION, POOLS = "Explore", "Projection", "Pools"
TOOLS = {
    EXPLORE: explore,
    "Morph": morphing,
    "Style mixing": mixing,
    "Neighbours": around,
    "Walk": walking,
    PROJECTION: project,
}
NEED_W = ("Style mixing", PROJECTION)
VIEW_OF = {"pool": POOLS, "projection": PROJECTION}
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
    return VIEW_OF.get(kind, EXPLORE)


def picked(name: str, kind: str, among: list[Run]) -> Run | None:
    """A choice of a generator or a pool, kept while the other is looked at."""
    return run_picker(kind, name, label=name.capitalize(), runs=among, row=top)


def tools_for(ready: list[Run]) -> list[str]:
    """The tools that the generator to be shown can fill: without w there are no styles, and nothing to project to."""
    ids = [run.id for run in ready]
    asked = (st.query_params.get("run"), last_shown("generator"), ids[0])
    generator = ready[ids.index(next(one for one in asked if one in ids))]
    has_w = generator_info(generator.path).num_ws > 0
    return [name for name in TOOLS if has_w or name not in NEED_W]


top = page_header(
    "Generate",
    "Draw new pictures from a trained generator, look around in what it has learned, and save pools of them.",
    links=("run", "again"),
)
ready = generators()
if (linked := run_in_url()) is not None and export_under_way(linked):
    end_page()
if (linked := run_in_url()) is not None and stopped(linked):
    offer_generator(linked)
    end_page()
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
    end_page()

first = usual_view(ready)
offered = [*tools_for(ready), POOLS]
with top:
    view = choose_view(offered, first if first in offered else EXPLORE)
if (asked := st.query_params.get("view", "")) in NEED_W and asked not in offered:
    st.info(f"{asked} needs a generator with an intermediate latent w, and a DCGAN has none.", icon=":material/info:")
if view == POOLS:
    pools = list_runs(home(), "pool")
    trained = [run for run in ready if config_of(run)["kind"] == "train"]
    new_pool(trained, expanded=all(state_of(pool) in (State.FAILED, State.CANCELLED) for pool in pools))
    other_pools(pools)
    if (pool := picked("pool", "pool", pools)) is not None:
        show_pool(pool)
elif (generator := picked("generator", "train", ready)) is not None:
    if view == PROJECTION:
        project(generator)
    else:
        live(TOOLS[view], active=False)(generator)
    unexported()
