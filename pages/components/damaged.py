"""What of the home is damaged, below every page: it hides nothing else, and nobody has to look for it."""

from __future__ import annotations

import streamlit as st

from engine.datasets.dataset import damaged_datasets
from engine.store.runs import damaged_runs
from pages.components.format import plain_sentence
from pages.components.home import home

MOST_NAMED = 5


def damage_notice() -> None:
    """One line with what cannot be shown, and a sentence for each part of it."""
    found = [(f"data set {name}", sentence) for name, sentence in damaged_datasets(home()).items()]
    found += [(f"run {run_id}", sentence) for run_id, sentence in damaged_runs(home()).items()]
    if not found:
        return
    with st.expander(f"{len(found)} damaged: {found[0][0]}{' and more' * (len(found) > 1)}", icon=":material/warning:"):
        for what, sentence in found[:MOST_NAMED]:
            st.caption(plain_sentence(f"{what.capitalize()} is damaged: {sentence}"))
        if len(found) > MOST_NAMED:
            st.caption(f"{len(found) - MOST_NAMED} more; `python -m engine doctor --home` names them all.")
        st.caption("The Runs page deletes a damaged run, `python -m engine dataset delete NAME` a damaged data set.")
