"""The dots of one seed are joined while the pointer is on one of them, in every plot of a sweep on a page."""

from __future__ import annotations

import streamlit as st

from engine.report.seed_lines import SCRIPT

_join = st.components.v2.component("ersatz_seed_lines", js=f"{SCRIPT}\nexport default function () {{ joinSeeds(); }}")


def join_seeds() -> None:
    """Listen to the plots of this page; nothing is drawn, and nothing comes back."""
    _join(key="seed-lines")
