"""What the Overview shows, part by part."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from engine.configs import PipelineConfig
from engine.jobs.results import PipelineResult
from engine.publications.presets import PRESETS, usual_size
from engine.store.hashing import sha256_value
from engine.store.runs import RESUMABLE, Run, State
from engine.sweep.results import SweepResult
from pages.components.format import gib, moment, plain, plain_sentence
from pages.components.headlines import headline_of
from pages.components.home import home
from pages.components.machine import machine
from pages.components.navigation import script
from pages.components.people import Role, guarded, read_only
from pages.components.run_summary import RunSummary, config_of, outcome, runs_named, state_of, status_of
from pages.components.runs import BADGE_WIDTH, badge, live, run_header, run_link, run_row, start
from pages.overview.journeys import STEPS, Journey, Next

VERDICTS = {"helps": st.success, "harms": st.error}
MOST_ACTIVE = 4
RECENT = 8


def go(step: Next) -> None:
    """The one primary button: it opens the right page with the right thing chosen."""
    if st.button(step.label, type="primary", icon=":material/arrow_forward:"):
        st.switch_page(script(step.page), query_params=step.query)


def offer_demo(primary: bool) -> None:
    """One button from nothing to a verdict."""
    st.subheader("Try the demo")
    st.write(PRESETS["demo"].story)
    st.caption(
        "It measures this machine, and chooses lengths that end within about five minutes. It goes on when you close "
        "this tab."
    )
    pressed = st.button(
        "Try the demo",
        type="primary" if primary else "secondary",
        icon=":material/play_arrow:",
        key="demo",
        **guarded(Role.EDITOR),
    )
    if pressed and start(PipelineConfig(preset="demo", size=usual_size("demo"))):
        st.rerun()


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


def steps_row(journey: Journey | None) -> None:
    """The way as two rows of cards: what is done, what is under way and what is next."""
    following = None if journey is None else next((step.kind for step in STEPS if not journey.count(step.kind)), None)
    # two rows: in a single one that wraps, the last card would stand alone
    rows = [st.container(horizontal=True, gap="small") for _ in range(2)]
    for number, step in enumerate(STEPS, start=1):
        with rows[number > len(STEPS) // 2].container(border=True, height="stretch", gap="small"):
            query = journey.link(step) if journey else None
            st.page_link(script(step.page), label=f"**{number}. {step.name}**", icon=step.icon, query_params=query)
            st.caption(step.what)
            if journey is None:
                continue
            state = journey.state(step)
            if journey.active(step.kind):
                st.badge(state, icon=":material/play_circle:", color="blue")
            elif journey.count(step.kind):
                st.badge(state, icon=":material/check_circle:", color="green")
            elif step.kind == following:
                st.badge("next", icon=":material/arrow_forward:", color="primary")
            else:
                st.badge("not yet", icon=":material/radio_button_unchecked:", color="gray")


def answer(journey: Journey) -> None:
    """The headline of the newest sweep, with the way to its figures; a control's where there is no
    other, which is no verdict on synthetic images and said to be none."""
    done = [(seen, seen.status.result_as(SweepResult)) for seen in journey.done("sweep")]
    for seen, found in sorted(done, key=lambda each: bool(each[1] and each[1].control))[:1]:
        if found:
            told = headline_of(seen.run)
            tone, word, said = (
                (told.tone, told.word, [told.line, *told.tallies[:1], *told.notes])
                if told is not None
                else ("", found.shown[0].upper() + found.shown[1:], [found.sentence])
            )
            shown = VERDICTS.get(tone, st.info)
            shown(f"**{plain(word)}.** {plain_sentence(' '.join(said))}", icon=":material/gavel:")
            run_link(seen.run, "See the figures on Evaluate")


def trouble(seen: Sequence[RunSummary], journey: Journey | None, linked: Run | None) -> Run | None:
    """The run that needs a look: the linked journey, else the newest one of this data set if it did not finish."""
    if linked is not None:
        return linked
    mine = [one for runs in journey.runs.values() for one in runs] if journey else list(seen)
    mine += [one for one in seen if one.kind == "journey" and not one.dataset]
    latest = max(mine, key=lambda one: one.status.created, default=None)
    unfinished = latest is not None and latest.state in RESUMABLE and latest.state is not State.CANCELLED
    return latest.run if latest and unfinished and not latest.about.archived else None


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
                {"Data set": journey.label, **{step.name: journey.state(step) for step in STEPS}}
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
            badge(one.state, width=BADGE_WIDTH)
            run_link(one.run)
            facts = [plain_sentence(outcome(one)) if not one.status.error else "", moment(one.status.created)]
            st.caption(" · ".join(fact for fact in facts if fact))
    st.page_link(script("runs"), label=f"All {len(seen)} runs", icon=":material/list_alt:")


def machine_state(seen: Sequence[RunSummary]) -> None:
    """Device, memory, disk and queue."""
    st.subheader("This machine")
    now = machine()
    states = [one.state for one in seen]
    running, queued = sum(s in (State.RUNNING, State.STOPPING) for s in states), states.count(State.QUEUED)
    st.markdown(f":material/developer_board: **Device**: {plain(now.device)} ({plain(now.detail)})")
    used = now.memory_used / now.memory_total
    st.progress(used, text=f":material/memory: **Memory**: {gib(now.memory_used)} of {gib(now.memory_total)} in use")
    full = 1 - now.disk_free / now.disk_total
    st.progress(full, text=f":material/hard_drive: **Disk**: {gib(now.disk_free)} of {gib(now.disk_total)} free")
    st.markdown(f":material/hourglass: **Queue**: {running} running, {queued} waiting")
    if not read_only():  # the public need not know the folders of the machine
        st.caption(f"Everything is kept in {plain(home().root)}")
