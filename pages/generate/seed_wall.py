"""Small pictures of seeds side by side, which open by a press."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from engine.sampling.exploring import SamplingOptions
from engine.store.runs import Run
from pages.components.picture_dialog import look_closer, picture_of_wall
from pages.components.picture_viewer import Pane
from pages.generate.opened import alt
from pages.generate.painting import SMALL, painted


def seed_wall(run: Run, wanted: Sequence[tuple[int, SamplingOptions]], captions: Sequence[str], key: str) -> None:
    """The pictures of seeds, each in its own look and over the button that opens it."""

    def closer(at: int) -> list[Pane]:
        seed, look = wanted[at]
        return [Pane(painted(run, seed, look)[0], captions[at], alt(look, seed))]

    with st.container(horizontal=True, gap="small"):
        for number, ((seed, look), caption) in enumerate(zip(wanted, captions, strict=True)):
            if picture_of_wall(painted(run, seed, look)[1], caption, alt(look, seed), f"{key}-{number}", SMALL):
                look_closer(closer, len(wanted), number)
