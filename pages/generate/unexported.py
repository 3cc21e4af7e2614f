"""Trainings whose newest network is not the page's generator yet: stopped, failed or still running ones."""

from __future__ import annotations

import streamlit as st

from engine.gans.snapshots import list_snapshots
from engine.sampling.exported import has_generator
from engine.store.runs import Run, State, list_runs
from pages.components.alarms import alarms_of
from pages.components.errors import done
from pages.components.format import amount, plain
from pages.components.home import home
from pages.components.navigation import script
from pages.components.people import Role, guarded, require
from pages.components.query_params import put
from pages.components.run_summary import about_of, config_of, state_of, status_of, title
from pages.components.runs import badge, run_header, run_link
from pages.quality.ranking import exported_snapshot, run_export

MOST_SHOWN = 5
MAKING = "its generator is made of the newest snapshot first, which takes up to a minute or two."


def export_under_way(run: Run) -> bool:
    """Show an export that has not finished; one that has leads to the generator that it made."""
    if config_of(run)["kind"] != "export":
        return False
    if state_of(run) is not State.FINISHED:
        st.subheader(plain(title(run)))
        run_header(run)
        return True
    st.query_params["run"] = config_of(run)["run"]
    return False


def stopped(run: Run) -> bool:
    """Whether this training ended early, with something learned that nobody has made a generator of."""
    if config_of(run)["kind"] != "train" or has_generator(run.path) or state_of(run).is_active:
        return False
    return bool(list_snapshots(run.path))


def offer_generator(run: Run) -> None:
    """Make a generator of what a training had learned when it stopped: the next step on the way to pictures."""
    newest = list_snapshots(run.path)[0].name
    with st.container(border=True):
        st.markdown(
            f"**{plain(title(run))}** ended after {_kimg(newest)}. A generator can be made of what it learned until "
            "then."
        )
        if st.button(
            "Make its generator", type="primary", icon=":material/memory:", key=f"make-{run.id}", **guarded(Role.EDITOR)
        ):
            look(run, newest)


def generate_with(run: Run) -> None:
    """One press from a training to its pictures, which makes its generator first where nobody has."""
    if not has_generator(run.path) and (state_of(run).is_active or not list_snapshots(run.path)):
        return
    made = has_generator(run.path)
    words = None if made else f"It ended early: {MAKING}"
    pressed = st.button(
        "Generate with it",
        type="secondary" if alarms_of(status_of(run)) else "primary",  # the remedies of an alarm come first
        icon=":material/auto_awesome:",
        key=f"use-{run.id}",
        **({} if made else guarded(Role.EDITOR, help=words)),
    )
    if pressed and (made or export_newest(run)):
        st.switch_page(script("generate"), query_params={"run": run.id})


def export_newest(run: Run) -> bool:
    """Make a generator of the newest snapshot, and say so meanwhile; False, with a sentence, where that fails."""
    require(Role.EDITOR)
    if has_generator(run.path):  # a second press had to wait for the first
        return True
    snapshot = list_snapshots(run.path)[0].name
    with st.spinner(f"Making its generator of what it learned in {_kimg(snapshot)}…", show_time=True):
        return done(run_export, run, snapshot)


def unexported() -> None:
    """Offer to make a generator of the newest snapshot of trainings that have not finished."""
    waiting = [
        (run, snapshots[0].name)
        for run in list_runs(home(), "train")
        if state_of(run) is not State.FINISHED
        and not about_of(run).archived
        and (snapshots := list_snapshots(run.path))
        and snapshots[0].name != exported_snapshot(run)
    ][:MOST_SHOWN]
    if not waiting:
        return
    with st.expander(f"Trainings that have not finished ({len(waiting)})", icon=":material/hourglass_top:"):
        st.caption("Their newest snapshot can be looked at too, before they end.")
        for run, snapshot in waiting:
            with st.container(horizontal=True, vertical_alignment="center"):
                badge(state_of(run))
                run_link(run)
                st.caption(_kimg(snapshot))
                if st.button("Look at it", icon=":material/memory:", key=f"export-{run.id}", **guarded(Role.EDITOR)):
                    look(run, snapshot)


def _kimg(snapshot: str) -> str:
    return f"{amount(int(snapshot.split('-')[1].split('.')[0]) / 1000)} kimg"


def look(run: Run, snapshot: str) -> None:
    """Export a snapshot in a process of its own, and show the generator."""
    require(Role.EDITOR)
    with st.spinner("Making the generator, and trying it; this takes some seconds…"):
        exported = done(run_export, run, snapshot)
    if exported:
        put("run", run.id)
        st.rerun()
