"""The positive class of a data set with two: which it is, who says so, and its change."""

from __future__ import annotations

import shlex

import streamlit as st

from engine.datasets import editing
from engine.datasets.dataset import Dataset
from engine.datasets.fold_parent import parent_of
from engine.datasets.positive_class import positive_of, sentence_on
from pages.components.command import show_command
from pages.components.errors import done
from pages.components.format import plain
from pages.components.people import Role, guarded, may, require


def positive_class(dataset: Dataset) -> None:
    """What is positive and where that came from; a choice for those who may change it. Nothing with more classes."""
    found = positive_of(dataset)
    if found is None:
        return
    guessed = found.origin == "guessed"
    with st.container(border=True):
        st.markdown(
            f":material/{'help' if guessed else 'target'}: {plain(sentence_on(found))} Sensitivity and average "
            "precision are of it, specificity is of the other."
        )
        if not may(Role.EDITOR):
            return
        if (parent := parent_of(dataset)) is not None:
            st.caption(f"It is that of {plain(parent.name)}, of which this is a fold, and is changed there.")
            return
        with st.container(horizontal=True, vertical_alignment="bottom"):
            chosen = st.selectbox(
                "Positive class",
                dataset.classes,
                index=dataset.classes.index(found.name),
                key=f"positive-{dataset.name}-{found.name}",
                help="The finding that is looked for. The split and its fingerprint stay as they are, and every sweep "
                "keeps the class that it was submitted with.",
                width=260,
            )
            pressed = st.button(
                "Confirm" if guessed and chosen == found.name else "Change",
                icon=":material/check:",
                key=f"set-positive-{dataset.name}",
                **guarded(Role.EDITOR, disabled=chosen == found.name and not guessed),
            )
        show_command(shlex.join(["python", "-m", "engine", "dataset", "positive", dataset.name, chosen]))
    if pressed:
        change(dataset, chosen)


def change(dataset: Dataset, chosen: str) -> None:
    """Make it the positive class, and say so."""
    require(Role.EDITOR)
    if done(editing.set_positive, dataset, chosen):
        st.toast(f"{plain(chosen)} is the positive class.", icon=":material/check:")
        st.rerun()
