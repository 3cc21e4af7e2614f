"""The seal on the test part: its choice when the split is frozen, its state, and the way to take it off."""

from __future__ import annotations

import shlex

import streamlit as st

from engine.datasets import editing, seal
from engine.datasets.dataset import Dataset
from pages.components.command import show_command
from pages.components.errors import done
from pages.components.format import plain
from pages.components.people import Role, guarded, person, require

WHAT_IT_DOES = (
    "No sweep reads the test images and no page shows them until somebody reveals them with a reason, which is dated "
    "and kept. For a final evaluation on images that nobody has looked at. Without it, every reading is counted all "
    "the same."
)


def choose_seal(dataset: Dataset) -> bool:
    """Whether to seal the test part with the split; not sealed unless somebody asks for it."""
    return st.checkbox("Seal the test part too", key=f"seal-{dataset.name}", help=WHAT_IT_DOES)


def sealed_state(dataset: Dataset) -> None:
    """A sealed test part, with the button that reveals it."""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.badge("test part sealed", icon=":material/encrypted:", color="violet")
        st.caption("No sweep may read the test images, and no page shows them.", width="stretch")
        pressed = st.button("Reveal", icon=":material/lock_open:", key=f"reveal-{dataset.name}", **guarded(Role.EDITOR))
    if pressed:
        reveal_dialog(dataset)


def seal_button(dataset: Dataset) -> None:
    """Seal the test part of a split that was frozen without it; refused once a sweep has read it."""
    pressed = st.button(
        "Seal the test part",
        icon=":material/encrypted:",
        key=f"seal-now-{dataset.name}",
        type="tertiary",
        **guarded(Role.EDITOR, help=WHAT_IT_DOES),
    )
    if pressed:
        require(Role.EDITOR)
        if done(editing.freeze, dataset, False, True, person().name):
            st.toast("The test part is sealed.", icon=":material/encrypted:")
            st.rerun()


@st.dialog("Reveal the test part?", width="medium")
def reveal_dialog(dataset: Dataset) -> None:
    """Ask for the reason, then reveal."""
    st.markdown(
        f"The test images of **{dataset.name}** can be read and seen from then on, and never be sealed again. Reason, "
        "date and the plans that were registered before are kept in the ledger, and reports name them."
    )
    reason = st.text_input("Reason", key=f"reason-{dataset.name}", placeholder="such as: the final evaluation")
    with st.container(horizontal=True):
        pressed = st.button(
            "Reveal the test part",
            type="primary",
            icon=":material/lock_open:",
            key=f"reveal-now-{dataset.name}",
            **guarded(Role.EDITOR),
        )
        if st.button("Not yet", key="reveal-not-yet"):
            st.rerun()
    show_command(f"python -m engine dataset reveal {dataset.name} --reason {shlex.quote(reason or '...')}")
    if pressed:
        reveal(dataset, reason)


def reveal(dataset: Dataset, reason: str) -> None:
    """Take the seal off, for good."""
    require(Role.EDITOR)
    if done(seal.reveal, dataset, reason, person().name):
        st.toast(f"The test part of {plain(dataset.name)} is revealed.", icon=":material/lock_open:")
        st.rerun()
