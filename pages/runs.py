"""Runs: every run with its state; the queue; stop, resume, delete; log and settings."""

from __future__ import annotations

import shlex
import time
from typing import Any

import pandas as pd
import streamlit as st

from engine.jobs.queue import waiting
from engine.jobs.submit import delete, move
from engine.store.errors import ErsatzError
from engine.store.runs import ACTIVE, Run, State, list_runs
from pages.parts.home import home
from pages.parts.runs import config_of, live, run_header, run_in_url, run_link, title
from pages.parts.words import amount, duration, moment

LOG_BYTES = 20_000
KINDS = ("journey", "import", "dry-run", "train", "network", "projection", "pool", "quality", "ranking", "sweep")
STATE_COLOURS = {
    State.QUEUED: "#8a97a1",
    State.RUNNING: "#3a8fc4",
    State.STOPPING: "#d98a1f",
    State.FINISHED: "#2f9d5f",
    State.FAILED: "#cf4a4a",
    State.STOPPED: "#d98a1f",
    State.CANCELLED: "#8a97a1",
    State.INTERRUPTED: "#8f6fc9",
}


def row(run: Run) -> dict[str, Any]:
    """One line of the table; a run whose folder is damaged is listed with what is wrong."""
    try:
        status, config, state = run.status(), config_of(run), run.state()
    except ErsatzError as error:
        return {"state": ["damaged"], "run": run.id, "what": str(error)}
    end = status.ended if state.is_final else time.time() if state.is_active else None
    return {
        "state": [state.value],
        "what": title(run),
        "progress": min(100.0, 100 * status.done / status.total) if status.total else None,
        "started": moment(status.started),
        "duration": duration(end - status.started) if status.started and end else "–",
        "dataset": config.get("dataset") or config.get("name") or "",
        "run": run.id,
    }


def table(states: list[str], kinds: list[str], text: str) -> None:
    """Every run that passes the filter; a click on one puts it into the URL."""
    rows = [row(run) for run in list_runs(home())]
    rows = [
        entry
        for entry in rows
        if (not states or entry["state"][0] in states)
        and (not kinds or entry["what"].split()[0].lower() in kinds)
        and text.lower() in f"{entry['what']} {entry['run']}".lower()
    ]
    if not rows:
        st.caption("No run passes this filter.")
        return
    shown = [entry["run"] for entry in rows]

    def choose() -> None:
        chosen = st.session_state["runs-table"]["selection"]["rows"]
        if chosen and chosen[0] < len(shown):
            st.query_params["run"] = shown[chosen[0]]

    st.dataframe(
        pd.DataFrame(rows),
        key="runs-table",
        hide_index=True,
        height=min(38 + 35 * len(rows), 420),
        on_select=choose,
        selection_mode="single-row",
        column_config={
            "state": st.column_config.MultiselectColumn(
                "State",
                options=[state.value for state in STATE_COLOURS],
                color=list(STATE_COLOURS.values()),
                width=110,
            ),
            "what": st.column_config.TextColumn("Run", width="medium"),
            "progress": st.column_config.ProgressColumn("Progress", format="%.0f %%", min_value=0, max_value=100),
            "started": "Started",
            "duration": "Duration",
            "dataset": "Data set",
            "run": st.column_config.TextColumn("Id"),
        },
    )


def live_table(states: list[str], kinds: list[str], text: str, active: frozenset[str], chosen: str | None) -> None:
    """The table; the page is drawn again once a run begins, ends or is chosen."""
    if active != active_runs() or chosen != st.query_params.get("run"):
        st.rerun()
    table(states, kinds, text)


def active_runs() -> frozenset[str]:
    """Ids and states of the runs that are queued, running or stopping."""
    return frozenset(f"{run.id} {run.state()}" for run in list_runs(home()) if run.state() in ACTIVE)


def queue(runs: list[Run]) -> None:
    """The waiting runs in the order in which they will start, with buttons that move one up."""
    st.subheader("Queue")
    for position, run in enumerate(runs):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"{position + 1}.")
            run_link(run)
            up = st.button("Move up", key=f"up-{run.id}", icon=":material/arrow_upward:", disabled=position == 0)
        if up:
            move(run, position - 1)
            st.rerun()


@st.dialog("Delete this run?")
def delete_dialog(run: Run) -> None:
    """Say what goes with it, then delete."""
    st.write(f"**{title(run)}** (`{run.id}`)")
    size = sum(file.stat().st_size for file in run.path.rglob("*") if file.is_file())
    st.write(f"Its folder with {amount(size / 2**20)} MiB is removed: settings, log, figures and what it made.")
    users = [other for other in list_runs(home()) if other.id != run.id and run.id in str(config_of(other))]
    if users:
        st.warning(
            "It is named by: " + "; ".join(title(user) for user in users) + ". What these have made stays, "
            "but they cannot be repeated without it.",
            icon=":material/link_off:",
        )
    st.write("This cannot be undone.")
    with st.container(horizontal=True):
        if st.button("Delete it", type="primary", icon=":material/delete:"):
            try:
                delete(run)
            except ErsatzError as error:
                st.error(str(error), icon=":material/error:")
            else:
                st.query_params.clear()
                st.rerun()
        if st.button("Keep it"):
            st.rerun()


def log_tail(run: Run) -> None:
    """The last lines of what the worker printed."""
    if not run.log_path.is_file() or not run.log_path.stat().st_size:
        st.caption("Nothing was printed yet.")
        return
    with run.log_path.open("rb") as file:
        file.seek(max(0, run.log_path.stat().st_size - LOG_BYTES))
        text = file.read().decode(errors="replace")
    st.code(text, language=None, height=320)


def details(run: Run) -> None:
    """State and buttons, log and settings of the chosen run."""
    st.subheader(title(run))
    st.caption(f"`{run.id}` · {run.path}")
    state = run.state()
    run_header(run)
    with st.container(horizontal=True, vertical_alignment="center"):
        run_link(run, "Open on its page")
        if st.button("Delete", icon=":material/delete:", disabled=state.is_active, key=f"delete-{run.id}"):
            delete_dialog(run)
    log, settings, command = st.tabs(["Log", "Settings", "Command line"])
    with log:
        live(log_tail, state.is_active)(run)
    with settings:
        st.json(config_of(run))
    with command:
        st.code(f"python -m engine runs {shlex.quote(run.id)}\npython -m engine resume {shlex.quote(run.id)}", "bash")


st.title("Runs")
all_runs = list_runs(home())
if not all_runs:
    st.info("Nothing has run here yet. Start with the demo on the Overview page, or import a data set.")
    st.page_link("pages/overview.py", label="Go to Overview", icon=":material/home:")
    st.stop()

left, middle, right = st.columns([2, 2, 1])
chosen_states = left.multiselect("State", [state.value for state in State], placeholder="All states")
chosen_kinds = middle.multiselect("Kind", KINDS, placeholder="All kinds")
search = right.text_input("Search", placeholder="name or id")
now_active = active_runs()
live(live_table, bool(now_active))(chosen_states, chosen_kinds, search, now_active, st.query_params.get("run"))

if len(queued := waiting(home())) > 1:
    queue(queued)

if (chosen_run := run_in_url()) is not None:
    details(chosen_run)
elif wanted := st.query_params.get("run"):
    st.warning(f"There is no run {wanted} here; it may have been deleted.", icon=":material/link_off:")
else:
    st.caption("Choose a run in the table to see its log and settings.")
