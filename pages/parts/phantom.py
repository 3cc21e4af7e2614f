"""The phantom is labelled as one wherever its images or results are shown."""

from __future__ import annotations

import streamlit as st

from engine.store.errors import ErsatzError
from engine.store.files import read_json
from pages.parts.home import home


@st.cache_data(max_entries=64, show_spinner=False, ttl=60)
def is_phantom(dataset: str) -> bool:
    """Whether a data set was drawn by the program; False when it is gone."""
    try:
        return bool(read_json(home().dataset(dataset) / "dataset.json").get("phantom"))
    except ErsatzError:
        return False


def phantom_badge(dataset: str) -> None:
    """A badge, when the data set is a phantom."""
    if dataset and is_phantom(dataset):
        st.badge("Phantom data: says nothing about patients", icon=":material/science:", color="orange")
