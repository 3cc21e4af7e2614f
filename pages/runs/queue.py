"""The queue: which run starts next, what each waits for, and how to change the order."""

from __future__ import annotations

import streamlit as st

from engine.jobs.queue import waiting
from engine.jobs.slots import CPU, slots_for
from engine.jobs.submit import move
from engine.store.errors import ErsatzError
from engine.store.runs import Run, State, list_runs
from pages.components.command import show_command
from pages.components.format import plain, plain_sentence
from pages.components.home import home
from pages.components.people import Role, guarded, require
from pages.components.run_summary import config_of, state_of, status_of, summaries_of, title, where_of
from pages.components.runs import live, run_link, stop_dialog


def queue() -> None:
    """The waiting runs in the order in which they will start."""
    queue_here()
    on_cluster()


def queue_here() -> None:
    """Those that wait for a device of this machine."""
    runs = waiting(home())
    if not runs:
        return
    st.subheader("Queue")
    holders = [seen.run for seen in summaries_of(list_runs(home())) if seen.state in (State.RUNNING, State.STOPPING)]
    last = len(runs) - 1
    for place, run in enumerate(runs):
        with st.container(horizontal=True, vertical_alignment="center", border=True):
            st.markdown(f"**{place + 1}.**", width="content")
            run_link(run)
            st.caption(waits_for(run, holders), width="stretch")
            for label, icon, to, useless in (
                ("First", ":material/vertical_align_top:", 0, place == 0),
                ("Up", ":material/arrow_upward:", place - 1, place == 0),
                ("Down", ":material/arrow_downward:", place + 1, place == last),
            ):
                st.button(
                    label,
                    key=f"{label.lower()}-{run.id}",
                    icon=icon,
                    type="tertiary",
                    on_click=move_to,
                    args=(run, to),
                    **guarded(Role.EDITOR, disabled=useless),
                )
            if st.button(
                "Cancel", key=f"cancel-{run.id}", icon=":material/close:", type="tertiary", **guarded(Role.EDITOR)
            ):
                stop_dialog(run)
    show_command(f"python -m engine queue\npython -m engine queue {runs[-1].id} --to 1")


def on_cluster() -> None:
    """Those that wait on the cluster, whose order is the scheduler's affair."""
    found = [seen for seen in summaries_of(list_runs(home())) if seen.state is State.QUEUED and seen.where.job]
    if not found:
        return
    st.subheader("Waiting on the cluster")
    for seen in reversed(found):
        run = seen.run
        with st.container(horizontal=True, vertical_alignment="center", border=True):
            run_link(run)
            with st.container(width="stretch"):
                live(what_it_waits_for, True)(run)
            if st.button(
                "Cancel", key=f"cancel-{run.id}", icon=":material/close:", type="tertiary", **guarded(Role.EDITOR)
            ):
                stop_dialog(run)


def what_it_waits_for(run: Run) -> None:
    """The scheduler's reason, in words."""
    st.caption(plain_sentence(where_of(run, status_of(run), state_of(run)).told))


def move_to(run: Run, place: int) -> None:
    """Give a waiting run another place; one that has just started is said to have."""
    try:
        require(Role.EDITOR)
        move(run, place)
    except ErsatzError as error:
        st.toast(plain_sentence(error), icon=":material/info:")


def waits_for(run: Run, running: list[Run]) -> str:
    """The device that a run waits for, and what holds it."""
    try:
        slots = slots_for(config_of(run))
        holders = [other for other in running if set(slots_for(config_of(other))) & set(slots)]
    except ErsatzError as error:
        return plain_sentence(error)
    device = "the processor" if CPU in slots else " or ".join(slot.name.replace("cuda:", "GPU ") for slot in slots)
    if not holders:
        return f"waits for {device or 'its start'}"
    return f"waits for {device}, which has: {', '.join(plain(title(other)) for other in holders)}"
