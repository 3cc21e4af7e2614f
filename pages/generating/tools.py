"""What the tools of the Generate page have in common: the controls beside the picture, bounds, and sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from engine.sampling.exploring import Look
from engine.sampling.sampler import Sampler
from engine.store.errors import ErsatzError
from engine.store.runs import Run
from pages.generating.opened import choose, facts
from pages.generating.painting import most_pictures, opened

Made = TypeVar("Made")


def tool(run: Run, wide: bool = False) -> tuple[Sampler, Look | None, DeltaGenerator, DeltaGenerator]:
    """The open generator, the look that was chosen for it, and the two columns: controls, and what they make."""
    sampler = opened(run)
    controls, result = st.columns([1, 2] if wide else [2, 3], gap="large")
    with controls:
        st.caption(facts(sampler.info))
        look = choose(sampler)
    return sampler, look, controls, result


def said(make: Callable[[], Made]) -> Made | None:
    """What `make` gives, or None after its sentence was shown."""
    try:
        return make()
    except ErsatzError as error:
        st.error(str(error), icon=":material/error:")
        return None


def too_many(count: int, most: int = 0) -> bool:
    """Whether these are more pictures than are painted here, after saying so."""
    most = most or most_pictures()
    if count > most:
        st.error(f"These are {count} pictures; at most {most} are painted here. Take fewer, or the command line.")
    return count > most
