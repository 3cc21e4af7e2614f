"""The phantom is labelled as one wherever its images or results are shown."""

from __future__ import annotations

import streamlit as st

from engine.store.errors import ErsatzError
from pages.components.home import home
from pages.components.run_summary import remembered_json


def is_phantom(dataset: str) -> bool:
    """Whether a data set was drawn by the program; False when it is gone."""
    try:
        return bool(remembered_json(home().dataset(dataset) / "dataset.json").get("phantom"))
    except (FileNotFoundError, ErsatzError):
        return False


def phantom_badge(dataset: str) -> None:
    """A badge, when the data set is a phantom."""
    if dataset and is_phantom(dataset):
        st.badge("Phantom data: says nothing about patients", icon=":material/science:", color="orange")
