"""Links to runs that are not here: deleted since, or of another home. A page that shows something else says so."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from engine.store.runs import damaged_runs
from pages.components.format import plain
from pages.components.home import home
from pages.components.run_summary import config_of, run_named, title


def say_dead_links(parameters: Sequence[str]) -> None:
    """A sentence for each run that one of these parameters of the address names, and that is not here.

    What is damaged is here, and said to be so elsewhere.
    """
    named = [one for name in parameters for one in st.query_params.get(name, "").split(",") if one]
    gone = [one for one in dict.fromkeys(named) if run_named(home(), one) is None]
    here = damaged_runs(home()) if gone else {}
    for one in gone:
        if one not in here:
            words = f"There is no run {plain(one)} here; it may have been deleted. What is shown is another one."
            st.warning(words, icon=":material/link_off:")


def say_other_kind(kinds: Sequence[str], what: str) -> None:
    """A sentence when a link without a view names a run that this page does not show; `what` is what it does."""
    linked = run_named(home(), st.query_params.get("run", ""))
    if linked is not None and "view" not in st.query_params and config_of(linked)["kind"] not in kinds:
        words = f"The link names {plain(title(linked))}, which is no {what}. What is shown is another one."
        st.warning(words, icon=":material/link_off:")
