"""What the tools of the Generate page have in common: the controls beside the picture, and bounds."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from engine.sampling.exploring import SamplingOptions
from engine.sampling.sampler import Sampler
from engine.store.runs import Run
from pages.generate.opened import choose, facts
from pages.generate.painting import most_pictures, opened, painted_on


def tool(run: Run, wide: bool = False) -> tuple[Sampler, SamplingOptions, DeltaGenerator, DeltaGenerator]:
    """The open generator, the look that was chosen for it, and the two columns: controls, and what they make."""
    sampler = opened(run)
    controls, result = st.columns([1, 2] if wide else [2, 3], gap="large")
    with controls:
        st.caption(facts(sampler.info) + painted_on())
        look = choose(sampler)
    return sampler, look, controls, result


def too_many(count: int, most: int = 0) -> bool:
    """Whether these are more pictures than are painted here, after saying so."""
    most = most or most_pictures()
    if count > most:
        st.error(f"These are {count} pictures; at most {most} are painted here. Take fewer, or the command line.")
    return count > most
