"""What the Overview shows, part by part."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from engine.configs import PipelineConfig
from engine.jobs.results import PipelineResult
from engine.publications.presets import PRESETS, usual_size
from engine.store.hashing import sha256_value
from engine.store.runs import Run, State
from pages.components.alarms import alarm_badges, alarms_of
from pages.components.format import moment, plain, plain_sentence
from pages.components.home import home
from pages.components.machine import machine
from pages.components.navigation import script
from pages.components.people import Role, guarded, read_only
from pages.components.place import choose_place
from pages.components.run_summary import RunSummary, config_of, outcome, runs_named, state_of, status_of
from pages.components.runs import BADGE_WIDTH, badge, live, run_header, run_link, run_row, start
from pages.overview.journeys import BROKEN, Journey
from pages.overview.next_steps import Next
from pages.overview.steps import STEPS
from pages.overview.thumbnails import phantom_pictures

MOST_ACTIVE = 4
RECENT = 8


def show_next(journey: Journey, step: Next) -> None:
    """What comes next, in a line with the one primary button: it opens the right page with the right thing chosen."""
    with st.container(border=True):
        words, ways = st.columns([3, 1], vertical_alignment="center")
        words.markdown(f"**Next for {plain(journey.label)}:** {plain_sentence(step.sentence)}")
        with ways:
            pressed = st.button(
                step.label, type="primary", icon=":material/arrow_forward:", key="next", width="stretch"
            )
            if step.other is not None:
                label, page, query = step.other
                st.page_link(script(page), label=label, query_params=query)
        if pressed:
            st.switch_page(script(step.page), query_params=step.query)


def offer_demo(primary: bool) -> str:
    """One button from nothing to a verdict; where it will be done, as `choose_place` says it."""
    st.subheader("Try the demo")
    url, words = phantom_pictures()
    st.image(url, caption=words, alt=words)
    st.write(PRESETS["demo"].story)
    st.caption(
        "It measures this machine, and chooses lengths that end within about five minutes. It goes on when you close "
        "this tab."
    )
    place = choose_place("journey", "demo")
    pressed = st.button(
        "Try the demo",
        type="primary" if primary else "secondary",
        icon=":material/play_arrow:",
        key="demo",
        **guarded(Role.EDITOR),
    )
    if pressed and start(PipelineConfig(preset="demo", size=usual_size("demo")), place=place):
        st.rerun()
    return place


def offer_import() -> None:
    """The way for people who have images."""
    st.subheader("Start with your own images")
    st.write(
        "A folder of images with a subfolder for each class is all it takes; a ZIP, a CSV, an .npz or DICOM files do "
        "as well. You see what was found before anything is written."
    )
    st.caption("The images stay on this machine.")
    if st.button("Choose the images", icon=":material/photo_library:"):
        st.switch_page(script("datasets"))


def trouble(seen: Sequence[RunSummary], journey: Journey | None, linked: Run | None) -> list[Run]:
    """The runs that need a look: the linked journey, else what broke and nothing has made since, newest first."""
    if linked is not None:
        return [linked]
    broken = [one for step in STEPS for one in journey.broken(step.kind)] if journey else []
    wholes = [one for one in seen if one.kind == "journey" and one.dataset in ("", journey.name if journey else "")]
    others = [one for one in seen if not journey or one.dataset in ("", journey.name)]
    last = max(others, key=lambda one: one.status.created, default=None)
    inside = {run.id for one in wholes for run in children_of(one.run)}
    for one in [*wholes[:1], *([last] if last else [])]:
        since = [other for other in others if other.status.created > one.status.created and other.run.id not in inside]
        if not since or one is last:
            broken.append(one)
    found = {one.run.id: one for one in broken if one.state in BROKEN and not one.about.archived}
    return [one.run for one in sorted(found.values(), key=lambda one: one.status.created, reverse=True)]


def card(run: Run) -> None:
    """A run under way or in trouble: state, progress, what went wrong, and Stop or Resume."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            run_link(run)
            if config_of(run).get("preset") == "demo":
                st.badge("Phantom: drawn by the program, not by a scanner", icon=":material/science:", color="orange")
        run_header(run)
        if config_of(run)["kind"] == "journey":
            live(children, state_of(run).is_active)(run)


def children(journey: Run) -> None:
    """How long a journey was made, and its runs as they come."""
    made = status_of(journey).result_as(PipelineResult)
    if made and made.size_sentence:
        st.caption(made.size_sentence)
    for child in children_of(journey):
        run_row(child)


def children_of(journey: Run) -> list[Run]:
    """The runs that a journey has made so far, those that still exist."""
    made = status_of(journey).result_as(PipelineResult)
    return runs_named(made.runs()) if made else []


def under_way(seen: Sequence[RunSummary]) -> list[Run]:
    """What runs now; runs of a journey are shown in its card."""
    running = [one for one in seen if one.state in (State.RUNNING, State.STOPPING)]
    inside = {child.id for one in running if one.kind == "journey" for child in children_of(one.run)}
    return [one.run for one in running if one.run.id not in inside]


def show_under_way(runs: list[Run], waiting: int) -> None:
    """A card for each of the first few that run, and how many wait."""
    if not runs and not waiting:
        return
    st.subheader("Under way")
    for run in runs[:MOST_ACTIVE]:
        card(run)
    more = len(runs) - MOST_ACTIVE
    facts = [f"{more} more running" if more > 0 else "", f"{waiting} waiting in the queue" if waiting else ""]
    if label := " and ".join(fact for fact in facts if fact):
        st.page_link(script("runs"), label=label, icon=":material/hourglass_empty:")


def all_datasets(found: list[Journey], chosen: str) -> None:
    """A line for each data set: how far it is; marking one shows its way above."""
    st.subheader(f"All {len(found)} data sets")
    names = [journey.name for journey in found]
    key = f"overview-datasets-{sha256_value([chosen, *names])[:12]}"  # the mark is a place, which the order moves

    def choose() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        if rows and rows[0] < len(names):
            st.query_params["dataset"] = names[rows[0]]

    st.dataframe(
        pd.DataFrame(
            [
                {"Data set": journey.label, **{step.name: journey.state(step).words for step in STEPS}}
                | {"Last change": moment(journey.latest)}
                for journey in found
            ]
        ),
        key=key,
        hide_index=True,
        row_height=35,
        height=35 * (1 + min(len(found), 8)) + 3,
        on_select=choose,
        selection_mode="single-row",
        selection_default={"selection": {"rows": [names.index(chosen)] if chosen in names else [], "columns": []}},
        column_config={"Data set": st.column_config.TextColumn(width="medium")},
        alt="Every data set with how far it has come; mark one to see its next step.",
    )


def recent(seen: Sequence[RunSummary]) -> None:
    """The newest runs with their state and what came out."""
    st.subheader("Recent runs")
    shown = [one for one in seen if not one.about.archived][:RECENT]
    if not shown:
        st.caption("Nothing has run here yet.")
        return
    for one in shown:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            badge(one.state, BADGE_WIDTH, bool(alarms_of(one.status)))
            run_link(one.run)
            alarm_badges(one.status)
            facts = [plain_sentence(outcome(one)) if not one.status.error else "", moment(one.status.created)]
            st.caption(" · ".join(fact for fact in facts if fact))
    st.page_link(script("runs"), label=f"All runs ({len(seen)})", icon=":material/list_alt:")


def machine_state(seen: Sequence[RunSummary]) -> None:
    """Device, memory, disk and queue."""
    st.subheader("This machine")
    now = machine()
    states = [one.state for one in seen]
    running, queued = sum(s in (State.RUNNING, State.STOPPING) for s in states), states.count(State.QUEUED)
    st.markdown(f":material/developer_board: **Device**: {plain(now.device)} ({plain(now.detail)})")
    st.progress(now.memory.share, text=f":material/memory: **Memory**: {now.memory.words}")
    st.progress(now.disk.share, text=f":material/hard_drive: **Disk**: {now.disk.words}")
    st.markdown(f":material/hourglass: **Queue**: {running} running, {queued} waiting")
    if not read_only():  # the public need not know the folders of the machine
        st.caption(f"Everything is kept in {plain(home().root)}")
