"""The phantom is labelled as one wherever its images or results are shown."""

from __future__ import annotations

import streamlit as st

from engine.datasets.dataset_info import DatasetInfo
from engine.store.errors import ErsatzError
from pages.components.files import read_model
from pages.components.home import home


def is_phantom(dataset: str) -> bool:
    """Whether a data set was drawn by the program; False when it is gone."""
    try:
        return read_model(home().dataset(dataset) / "dataset.json", DatasetInfo).phantom
    except (FileNotFoundError, ErsatzError):
        return False


def phantom_badge(dataset: str) -> None:
    """A badge, when the data set is a phantom."""
    if dataset and is_phantom(dataset):
        st.badge("Phantom data: says nothing about patients", icon=":material/science:", color="orange")
