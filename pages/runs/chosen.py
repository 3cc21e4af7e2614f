"""The runs that somebody chose in the table, kept in the link: `?run=` the first, `?compare=` the others by commas."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from engine.store.runs import Run
from pages.components.query_params import put
from pages.components.run_summary import runs_named


def chosen_ids() -> list[str]:
    """What the link names, whether or not there are such runs."""
    first = st.query_params.get("run", "")
    others = st.query_params.get("compare", "").split(",")
    return [run_id for run_id in (first, *others) if run_id] if first else []


def chosen_runs() -> list[Run]:
    """The chosen runs that there are."""
    return runs_named(list(dict.fromkeys(chosen_ids())))


def choose(run_ids: Sequence[str]) -> None:
    """Put these runs into the link; none takes it back."""
    for parameter, value in (("run", "".join(run_ids[:1])), ("compare", ",".join(run_ids[1:]))):
        put(parameter, value)
