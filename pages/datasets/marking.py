"""What can be done with chosen images: a tag, another split, or leaving them out."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from engine.datasets import editing
from engine.datasets.dataset import SPLITS, Dataset
from engine.datasets.tags import tag, untag
from pages.components.format import plain
from pages.components.people import Role, guarded, require
from pages.components.widget_keys import widget_key
from pages.datasets.audit_texts import split_word
from pages.datasets.editing import edited
from pages.datasets.reading import tags_now, written


def mark(dataset: Dataset, rows: pd.DataFrame) -> None:
    """Buttons for the images of `rows`; those that change the split only while it is open."""
    with st.container(border=True):
        tagging(dataset, rows)
        if dataset.frozen:
            st.caption("The split is frozen: images can be tagged, and neither moved nor left out.")
        else:
            splitting(dataset, rows)


def tagging(dataset: Dataset, rows: pd.DataFrame) -> None:
    """A tag that is there already, or a new word."""
    known = sorted({name for names in tags_now(dataset).values() for name in names}, key=str.casefold)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox(
            "Tag",
            known,
            index=None,
            accept_new_options=True,
            placeholder="such as artefact",
            help="A word for people alone: it changes nothing that is computed. Choose one, or type a new one.",
            key=f"map-tag-{dataset.name}",
            width=200,
        )
        names = set(rows["tags"].str.split(", ").explode()) - {""}
        key = widget_key("map-tag", written(dataset), tuple(rows["path"]), tuple(sorted(names)))
        if st.button("Tag", icon=":material/label:", key=f"{key}-give", **guarded(Role.EDITOR, disabled=not name)):
            edited("Tagging…", lambda: give(dataset, rows, str(name)))
        off = guarded(Role.EDITOR, disabled=name not in names)
        if st.button("Take it off", icon=":material/label_off:", key=f"{key}-take", type="tertiary", **off):
            edited("Taking the tag off…", lambda: take(dataset, rows, str(name)))


def splitting(dataset: Dataset, rows: pd.DataFrame) -> None:
    """To another split, with all that belongs together; or out of the data set."""
    key = widget_key("map-move", written(dataset), tuple(rows["path"]))
    with st.container(horizontal=True, vertical_alignment="center"):
        for split in SPLITS:
            label = f"To {split_word(split)}"
            if st.button(label, icon=":material/move_item:", key=f"{key}-{split}", **guarded(Role.EDITOR)):
                edited("Moving…", partial(move, dataset, rows, split))
        if st.button(
            f"Leave {len(rows):,} out",
            icon=":material/block:",
            key=f"{key}-out",
            **guarded(Role.EDITOR, help="They stay on disk, and come back under Images, Left out."),
        ):
            edited("Leaving them out…", lambda: leave_out(dataset, rows))


def give(dataset: Dataset, rows: pd.DataFrame, name: str) -> None:
    """Tag the images."""
    require(Role.EDITOR)
    tag(dataset, list(rows["sha256"]), name)
    st.toast(f"{len(rows):,} tagged {plain(name)}.", icon=":material/label:")


def take(dataset: Dataset, rows: pd.DataFrame, name: str) -> None:
    """Take the tag off."""
    require(Role.EDITOR)
    untag(dataset, list(rows["sha256"]), name)


def move(dataset: Dataset, rows: pd.DataFrame, split: str) -> None:
    """Move the images, with all that shares a patient or a picture with them."""
    require(Role.EDITOR)
    editing.move(dataset, list(rows["path"]), split)
    st.toast(f"{len(rows):,} moved to {split_word(split)}, with what belongs to them.", icon=":material/move_item:")


def leave_out(dataset: Dataset, rows: pd.DataFrame) -> None:
    """Leave the images out, and split the rest again."""
    require(Role.EDITOR)
    editing.leave_out(dataset, list(rows["path"]))
    st.toast(f"{len(rows):,} left out. They come back under Images, Left out.", icon=":material/block:")


def bring_back(dataset: Dataset, rows: pd.DataFrame) -> None:
    """Take the images back in."""
    require(Role.EDITOR)
    editing.bring_back(dataset, list(rows["path"]))
