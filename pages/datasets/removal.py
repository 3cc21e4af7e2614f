"""The question before a data set is deleted: who uses it, what becomes impossible, what stays."""

from __future__ import annotations

import streamlit as st

from engine.datasets.dataset import Dataset
from engine.jobs.dataset_removal import remove, uses_of
from pages.components.command import show_command
from pages.components.deleting import delete_button
from pages.components.errors import done
from pages.components.format import plain, plain_sentence
from pages.components.people import Role, require
from pages.components.runs import run_link
from pages.components.views import go
from pages.components.widget_keys import widget_key
from pages.datasets.reading import written
from pages.datasets.views import ALL

SHOWN = 5
"""Runs named in the dialog."""


@st.dialog("Delete this data set?", width="medium", icon=":material/delete:")
def removal_dialog(dataset: Dataset) -> None:
    """List the consequences, ask, then delete."""
    uses = uses_of(dataset)
    runs = [run for kind in sorted(uses.runs) for run in uses.runs[kind]]
    st.markdown(f"**{plain(dataset.label)}**, {uses.size / 2**20:,.1f} MiB. This cannot be undone.")
    for sentence in uses.sentences():
        st.warning(plain_sentence(sentence), icon=":material/link_off:")
    if not runs and not uses.folds:
        st.markdown("No run uses it.")
    st.caption("The files that it was imported from are not touched.")
    for run in runs[:SHOWN]:
        run_link(run)
    if len(runs) > SHOWN:
        st.caption(f"… and {len(runs) - SHOWN} more runs.")
    if uses.active:
        st.error("Some of them are queued or running: stop them first.", icon=":material/error:")
    sure = not runs or st.checkbox("Delete it all the same.", disabled=bool(uses.active))
    with st.container(horizontal=True):
        if delete_button(
            "Delete the data set",
            widget_key("delete-now", written(dataset), uses.sentences()),
            disabled=not sure or bool(uses.active),
        ):
            delete(dataset)
        if st.button("Keep it"):
            st.rerun()
    show_command(f"python -m engine dataset delete {dataset.name}")


def delete(dataset: Dataset) -> None:
    """Delete, and show the data sets that are left."""
    require(Role.EDITOR)
    if done(remove, dataset):
        st.toast(f"{plain(dataset.name)} is deleted.", icon=":material/delete:")
        go(ALL)
