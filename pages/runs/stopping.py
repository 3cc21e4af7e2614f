"""Stopping several runs at once."""

from __future__ import annotations

import streamlit as st

from engine.jobs.submit import stop
from engine.store.errors import ErsatzError
from engine.store.runs import Run
from pages.components.format import plain, plain_sentence
from pages.components.people import Role, guarded, require
from pages.components.run_summary import title
from pages.components.widget_keys import widget_key


@st.dialog("Stop these runs?", icon=":material/stop:")
def stop_all_dialog(runs: list[Run]) -> None:
    """Ask, then stop those that run and take the waiting ones out of the queue."""
    st.markdown("".join(f"\n* {plain(title(run))}" for run in runs))
    st.write("Each ends at its next safe point with everything saved, and can be resumed later from there.")
    with st.container(horizontal=True):
        if st.button(
            "Stop them",
            type="primary",
            icon=":material/stop:",
            key=widget_key("stop-now", *[run.id for run in runs]),
            **guarded(Role.EDITOR),
        ):
            stop_all(runs)
            st.rerun()
        if st.button("Keep them"):
            st.rerun()


def stop_all(runs: list[Run]) -> None:
    """Stop these runs; those that have ended meanwhile are passed over."""
    require(Role.EDITOR)
    for run in runs:
        try:
            stop(run)
        except ErsatzError as error:
            st.toast(plain_sentence(error), icon=":material/info:")
