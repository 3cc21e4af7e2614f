"""Seeds that somebody likes: kept in the link, shown side by side, and taken away together."""

from __future__ import annotations

import shlex

import streamlit as st

from engine.sampling.exploring import SamplingOptions
from engine.sampling.sampler import Sampler
from engine.store.runs import Run
from pages.components.query_params import put, whole_number
from pages.generate.files import label_of, zipped
from pages.generate.opened import MOST_SEED, options
from pages.generate.seed_wall import seed_wall

KEPT = "kept"
MOST_KEPT = 24


def kept() -> list[int]:
    """The seeds in the link, in the order of keeping."""
    numbers = [whole_number(part) for part in st.query_params.get(KEPT, "").split(",")]
    return list(dict.fromkeys(number for number in numbers if number is not None and number <= MOST_SEED))[:MOST_KEPT]


def keep_button(seed: int) -> None:
    """Keep a seed, or let it go."""
    seeds = kept()
    if seed in seeds:
        st.button("Remove", icon=":material/heart_minus:", on_click=_keep, args=([s for s in seeds if s != seed],))
    else:
        full = len(seeds) == MOST_KEPT
        st.button(
            "Keep",
            icon=":material/favorite:",
            on_click=_keep,
            args=([*seeds, seed],),
            disabled=full,
            help=f"{MOST_KEPT} are kept already." if full else "Keeps the seed in the link, beside others you like.",
        )


def _keep(seeds: list[int]) -> None:
    put(KEPT, ",".join(str(seed) for seed in seeds))


def show_kept(run: Run, sampler: Sampler, look: SamplingOptions) -> None:
    """The pictures of the kept seeds as they look now."""
    seeds = kept()
    if not seeds:
        return
    st.subheader("Kept", anchor=False, help="They are part of the link: whoever opens it sees them too.")
    seed_wall(run, [(seed, look) for seed in seeds], [str(seed) for seed in seeds], "kept")
    with st.container(horizontal=True):
        st.download_button(
            f"Kept pictures ({len(seeds)})",
            lambda: zipped(run, sampler, seeds, look),
            f"{run.id}-{label_of(sampler, look)}-kept.zip",
            "application/zip",
            icon=":material/folder_zip:",
            on_click="ignore",
        )
        st.button("Remove all", icon=":material/heart_broken:", on_click=_keep, args=([],))
    st.caption(f"`python -m engine sample {shlex.quote(run.id)} --seeds {','.join(map(str, seeds))}{options(look)}`")
