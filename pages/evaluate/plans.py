"""Registered plans: freeze what is planned before it reads the test images, and start it later as it is."""

from __future__ import annotations

import shlex

import streamlit as st

from engine.configs import SweepConfig
from engine.jobs.prepare import prepare_plan
from engine.store.runs import Run
from engine.sweep import plans
from engine.sweep.plans import Plan
from engine.sweep.standing import before_start, day, read_by, standing_of_plan
from pages.components.command import show_command
from pages.components.errors import done
from pages.components.format import plain
from pages.components.home import home
from pages.components.people import Role, guarded, person, require
from pages.components.place import choose_place, place_option
from pages.components.runs import run_link, start
from pages.components.views import go
from pages.evaluate.views import READ


def told_before_start(config: SweepConfig) -> None:
    """How often the test set of a planned sweep was read, and what that means for its words."""
    standing = standing_of_plan(home(), config)
    st.caption(f":material/menu_book: {plain(before_start(standing))}")


def register(config: SweepConfig) -> None:
    """Freeze the plan; a press on the same plan again changes nothing."""
    require(Role.EDITOR)

    def freeze() -> None:
        plan = plans.register(home(), prepare_plan(home(), config), person().name)
        st.toast(f"{plan.id} is registered.", icon=":material/event_available:")

    with st.spinner("Freezing the plan…"):
        if done(freeze):
            st.rerun()


def show_plans() -> None:
    """The plans of this home, each with what became of it and the button that starts it."""
    listed = plans.plans(home())
    if not listed:
        return
    with st.expander(f"Registered plans ({len(listed)})", icon=":material/event_available:"):
        for plan in reversed(listed):
            show_plan(plan)


def show_plan(plan: Plan) -> None:
    """One plan: when it was registered, what it froze, its sweeps."""
    with st.container(border=True):
        config = plan.sweep()
        readings = read_by(home(), plan)
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"**{plain(plan.name)}** · `{plan.id}`", width="content")
            st.badge("started" if readings else "not started", color="green" if readings else "gray")
        read = f"{plan.read_before or 'no'} sweep{'s' * (plan.read_before > 1)} had read its test images by then"
        st.caption(
            f"Registered {day(plan.time)}{f' by {plain(plan.by)}' if plan.by else ''}, SHA-256 `{plan.sha256[:16]}`; "
            f"{read}. Data set {plain(config.dataset)}, {config.classifier}, {config.metric}, {config.seeds} seeds, "
            f"shares {', '.join(f'{ratio:g}' for ratio in config.ratios)}."
        )
        for reading in readings:
            if reading.deleted:
                st.caption(f"{plain(reading.run)} (deleted since)")
            else:
                run_link(Run(home(), reading.run))
        label, icon = "Start this plan", ":material/play_arrow:"
        place = "" if readings else choose_place("sweep", plan.id)
        pressed = not readings and st.button(label, icon=icon, key=f"start-{plan.id}", **guarded(Role.EDITOR))
        if pressed and (run := start(config, place=place)) is not None:
            go(READ, run=run.id)
        show_command(shlex.join(["python", "-m", "engine", "sweep", "--plan", plan.id, *place_option(place, "sweep")]))
