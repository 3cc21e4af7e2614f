"""Explore: the picture of a seed at once, its successors, and what truncation does to it."""

from __future__ import annotations

import random
import shlex
from dataclasses import replace

import streamlit as st

from engine.sampling.exploring import SamplingOptions
from engine.store.runs import Run
from pages.components.people import read_only
from pages.components.picture_dialog import look_closer, pressable_picture
from pages.components.picture_viewer import Pane
from pages.components.views import go
from pages.generate.files import downloads
from pages.generate.keeping import keep_button, show_kept
from pages.generate.opened import MOST_SEED, alt, choose, command, facts, options
from pages.generate.painting import LARGE, opened, painted, painted_on
from pages.generate.seed_wall import seed_wall

PSIS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4)
SLIDER = 1000
"""Seeds that the slider reaches at once."""
RANDOM_SEEDS = 1_000_000
CHANCE = "seed-by-chance"
"""Holds the seed that Random goes to next."""
COUNTS = (8, 16, 32, 48, 64)
DEMO_COUNTS = COUNTS[:-1]
"""With the picture itself and the row of truncations, these stay below what a demo paints at once."""


def explore(run: Run) -> None:
    """The picture of a seed, those after it, and the truncation sweep."""
    sampler = opened(run)
    controls, shown = st.columns([2, 3], gap="large")
    with controls:
        st.caption(facts(sampler.info) + painted_on())
        seed = choose_seed()
        look = choose(sampler)
    # the one picture before anything else: it is what a moved slider waits for
    with shown:
        looked = pressable_picture(pane_of(run, seed, look), "explored", LARGE)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader("The seeds that follow", anchor=False, width="content")
        counts = DEMO_COUNTS if read_only() else COUNTS
        count = st.selectbox("Pictures", counts, index=1, key="count", bind="query-params", width=110)
    seeds = range(seed, min(seed + count, MOST_SEED + 1))
    if looked:
        look_closer(lambda at: [pane_of(run, seeds[at], look)], len(seeds))
    with shown, st.container(horizontal=True):
        downloads(run, sampler, look, seeds)
        if st.button(
            "Save many as a pool",
            type="primary",
            icon=":material/save:",
            help="The next step: some hundred pictures of every class, for Quality to check and Evaluate to add.",
        ):
            go("Pools", new=run.id)
    seed_wall(run, [(number, look) for number in seeds], [str(number) for number in seeds], "seeds")
    if sampler.has_w:
        st.subheader("Truncation", anchor=False)
        seed_wall(run, [(seed, replace(look, psi=psi)) for psi in PSIS], [f"ψ = {psi:g}" for psi in PSIS], "psis")
    show_kept(run, sampler, look)
    command(f"sample {shlex.quote(run.id)} --seeds {seed}-{seeds[-1]} --out pictures{options(look)}")
    if not read_only():
        paint_ahead(run, seed, look)


def paint_ahead(run: Run, seed: int, look: SamplingOptions) -> None:
    """The pictures to which one press leads and that the walls do not show: one to the left, and one by chance."""
    for ahead in (max(seed - 1, 0), st.session_state.setdefault(CHANCE, random.randrange(RANDOM_SEEDS))):
        painted(run, ahead, look)


def pane_of(run: Run, seed: int, look: SamplingOptions) -> Pane:
    """The picture of a seed, for the viewer."""
    return Pane(painted(run, seed, look)[0], f"Seed {seed}", alt(look, seed))


def choose_seed() -> int:
    """A seed: exactly, by the slider around it, or by chance."""
    reached = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seed = int(
            st.number_input(
                "Exact seed",
                0,
                MOST_SEED,
                key="seed",
                bind="query-params",
                width=170,
                help=f"Any whole number up to {MOST_SEED}. The same seed always gives the same picture.",
            )
        )
        st.button("Random", icon=":material/casino:", on_click=_jump, help="A seed by chance.")
        keep_button(seed)
    first = seed - seed % SLIDER
    if st.session_state.get("around") != seed:  # else a press on its way would be taken back
        st.session_state["around"] = seed
    reached.slider(
        "Seed",
        first,
        min(first + SLIDER - 1, MOST_SEED),
        key="around",
        on_change=_follow,
        help="The number that a picture is drawn from. The arrow keys go from one to the next.",
    )
    return seed


def _follow() -> None:
    st.session_state["seed"] = st.session_state["around"]


def _jump() -> None:
    st.session_state["seed"] = st.session_state.pop(CHANCE, random.randrange(RANDOM_SEEDS))
