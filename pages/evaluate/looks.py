"""What a sweep found at its looks and along its learning curve, and the way to more repetitions."""

from __future__ import annotations

import streamlit as st

from engine.configs import SweepConfig
from engine.report.learning_curve_figures import figure_learning_curve, readable_curve, readable_looks
from engine.store.runs import Run, State
from engine.sweep.extension import extended, next_planned
from engine.sweep.statistics import QUICK_LOOK_BELOW
from engine.sweep.summary_model import SweepSummary
from pages.components.charts import chart
from pages.components.errors import made
from pages.components.format import plain_sentence
from pages.components.people import Role, guarded
from pages.components.place import choose_place
from pages.components.run_summary import config_of, state_of, status_of
from pages.components.runs import start
from pages.components.views import go
from pages.evaluate.views import READ


def show_curve(run: Run, summary: SweepSummary) -> None:
    """What shares of the real images give, and what as many more would bring at most."""
    curve = summary.learning_curve
    assert curve is not None
    table = readable_curve(curve)
    chart(figure_learning_curve(curve), f"curve-{run.id}", "learning-curve", lambda: table)
    st.markdown(plain_sentence(curve.sentence or f"With fewer than {QUICK_LOOK_BELOW} repetitions it says nothing."))
    st.dataframe(table, hide_index=True, height="content")
    st.caption(
        "The classifier on shares of the real images, with as many optimiser steps as on all of them. At most: along "
        "the logarithm of their number, the steepest way in which a learning curve usually goes on."
    )


def show_looks(summary: SweepSummary) -> None:
    """What each look could spend, and what it found."""
    st.dataframe(readable_looks(summary.looks), hide_index=True, height="content")
    st.caption(
        "Information: how sure the differences are, as a share of what the last planned look would have. Where it is "
        "near 100 % at once, the luck of the test images dominates, and more repetitions add little."
    )
    for look in summary.looks:
        st.markdown(f"**{look.seeds} repetitions:** {plain_sentence(look.verdict.sentence)}")


def more_repetitions(run: Run, seeds: int) -> None:
    """Add repetitions to a finished sweep that has so many: its next planned look, or some that claim nothing more."""
    if state_of(run) is not State.FINISHED:
        return
    config = SweepConfig.build(config_of(run))
    planned = next_planned(config, seeds)
    with st.popover("Add repetitions", icon=":material/exposure_plus_1:"):
        wanted = st.number_input(
            "Repetitions in all", seeds + 1, 1000, planned or seeds + 8, key=f"more-{run.id}", help="Those there count."
        )
        st.caption(
            f"{planned} is a look that was planned: its verdict counts."
            if planned
            else "No look was planned there, so what is added is exploratory: the verdict stays as it is."
        )
        place = choose_place("sweep", f"more-{run.id}", status_of(run).place)
        if st.button("Add them", key=f"extend-{run.id}", type="primary", **guarded(Role.EDITOR)):
            more = made(lambda: extended(run, int(wanted)))
            if more is not None and (new := start(more, place=place)) is not None:
                go(READ, run=new.id)
