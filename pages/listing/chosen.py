"""The runs that somebody chose in the table, kept in the link: `?run=` the first, `?compare=` the others."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from engine.store.runs import Run
from pages.parts.glance import runs_named


def chosen_ids() -> list[str]:
    """What the link names, whether or not there are such runs."""
    first = st.query_params.get("run", "")
    return [first, *st.query_params.get_all("compare")] if first else []


def chosen_runs() -> list[Run]:
    """The chosen runs that there are."""
    return runs_named(list(dict.fromkeys(chosen_ids())))


def choose(run_ids: Sequence[str]) -> None:
    """Put these runs into the link; none takes it back."""
    for parameter, values in (("run", run_ids[:1]), ("compare", run_ids[1:])):
        if values:
            st.query_params[parameter] = list(values)
        elif parameter in st.query_params:
            del st.query_params[parameter]
