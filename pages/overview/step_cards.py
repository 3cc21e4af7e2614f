"""The steps of the way as a row of cards: what each has left, as a picture and a word."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.components.format import plain_badge
from pages.components.navigation import script
from pages.overview.journeys import Journey
from pages.overview.steps import STEPS, Look, Step
from pages.overview.thumbnails import TILE, thumbnail

LOOKS: dict[Look, tuple[Any, str]] = {
    "done": ("green", ":material/check_circle:"),
    "running": ("blue", ":material/play_circle:"),
    "waiting": ("gray", ":material/hourglass_empty:"),
    "failed": ("red", ":material/error:"),
    "alarm": ("orange", ":material/warning:"),
}


def steps_row(journey: Journey | None) -> None:
    """A card for each step in one row, on a phone two in a row."""
    following = None if journey is None else next((step.kind for step in STEPS if not journey.count(step.kind)), None)
    columns = st.columns(len(STEPS) // 2, gap="small")
    pairs = [column.container(horizontal=True, wrap=False, gap="small", height="stretch") for column in columns]
    for number, step in enumerate(STEPS):
        with pairs[number // 2].container(border=True, height="stretch", gap="xsmall"):
            query = journey.link(step) if journey else None
            st.page_link(script(step.page), label=f"**{number + 1}. {step.name}**", query_params=query)
            picture = thumbnail(journey, step.kind) if journey else None
            if picture is None:
                st.caption(step.what)
            else:
                url, alt = picture
                st.image(url, width=2 * TILE, alt=alt)
            if journey is not None:
                _badge(journey, step, following)


def _badge(journey: Journey, step: Step, following: str | None) -> None:
    words, look = journey.state(step)
    if look:
        colour, icon = LOOKS[look]
        st.badge(plain_badge(words), icon=icon, color=colour)
    elif step.kind == following:
        st.badge("next", icon=":material/arrow_forward:", color="blue")
    else:
        st.badge("not yet", icon=":material/radio_button_unchecked:", color="gray")
