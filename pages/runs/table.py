"""The table of the runs."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from engine.store.errors import ErsatzError
from engine.store.hashing import sha256_value
from engine.store.runs import ACTIVE, Run, State, damaged_runs, list_runs
from pages.components.format import duration
from pages.components.home import home
from pages.components.run_summary import RunSummary, curve, outcome, summary_of
from pages.runs.chosen import choose, chosen_ids
from pages.runs.filters import Filter

STATE_COLOURS = {
    State.QUEUED.value: "gray",
    State.RUNNING.value: "blue",
    State.STOPPING.value: "orange",
    State.FINISHED.value: "green",
    State.FAILED.value: "red",
    State.STOPPED.value: "orange",
    State.CANCELLED.value: "gray",
    State.INTERRUPTED.value: "violet",
    State.DAMAGED.value: "red",
}
COLUMNS = (
    "state",
    "what",
    "progress",
    "curve",
    "outcome",
    "dataset",
    "tags",
    "archived",
    "started",
    "duration",
    "owner",
    "run",
)
Look = tuple[Run, RunSummary | ErsatzError]
ROW = 35
"""Pixels of a row."""
TALLEST = 12
"""Rows that are seen at once; the others are scrolled to."""


def live_table(chosen: Filter, active: frozenset[str], ids: list[str]) -> None:
    """The table; the page is drawn again once a run begins or ends, or another one is chosen."""
    looks = [_look(run) for run in list_runs(home())]
    if active != active_of([seen for _, seen in looks if isinstance(seen, RunSummary)]) or ids != chosen_ids():
        st.rerun()
    table(looks, chosen)


def active_of(seen: Iterable[RunSummary]) -> frozenset[str]:
    """Ids and states of the runs that are queued, running or stopping."""
    return frozenset(f"{one.run.id} {one.state}" for one in seen if one.state in ACTIVE)


def table(looks: list[Look], chosen: Filter) -> None:
    """Every run that passes the filter; those that are marked are in the link."""
    rows = [row for look in looks if (row := _row(look, chosen))]
    if chosen in (Filter(), Filter(archived=True)):
        rows += [_damaged(run_id, sentence) for run_id, sentence in damaged_runs(home()).items()]
    if not rows:
        st.caption("No run passes this filter.")
        return
    shown = [row["run"] for row in rows]
    sparse = [name for name in ("tags", "archived", "owner") if not any(row[name] for row in rows)]
    key = f"runs-table-{sha256_value(shown)[:12]}"  # the marks are places, which mean other runs once rows come or go

    def mark() -> None:
        places = st.session_state[key]["selection"]["rows"]
        choose([shown[place] for place in places if place < len(shown)])

    st.dataframe(
        pd.DataFrame(rows),
        key=key,
        hide_index=True,
        row_height=ROW,
        height=ROW * (1 + min(len(rows), TALLEST)) + 3,
        on_select=mark,
        selection_mode="multi-row",
        selection_default={
            "selection": {"rows": [shown.index(run_id) for run_id in chosen_ids() if run_id in shown], "columns": []}
        },
        alt="The runs with their state, progress and course; mark one to see it, several to compare them.",
        column_order=[name for name in COLUMNS if name not in sparse],
        column_config={
            "state": st.column_config.MultiselectColumn(
                "State", options=list(STATE_COLOURS), color=list(STATE_COLOURS.values()), width=105
            ),
            "what": st.column_config.TextColumn("Run", width=300),
            "progress": st.column_config.ProgressColumn(
                "Progress", format="%.0f %%", min_value=0, max_value=100, width=100
            ),
            "curve": st.column_config.LineChartColumn(
                "Course",
                width=110,
                help="Over time: KID of a training where it was measured (less is better), else the generator's loss; "
                "the distance of a projection. Of a sweep: mean accuracy with more and more synthetic images.",
            ),
            "outcome": st.column_config.TextColumn("Came out", width=120),
            "dataset": st.column_config.TextColumn("Data set", width=130),
            "tags": st.column_config.ListColumn("Tags", width=140),
            "archived": st.column_config.CheckboxColumn("Archived", width=80),
            "started": st.column_config.DatetimeColumn("Started", format="D MMM, HH:mm", width=110),
            "duration": st.column_config.TextColumn("Duration", width=110),
            "owner": st.column_config.TextColumn("Owner", width=100),
            "run": st.column_config.TextColumn("Id", width=260),
        },
    )


def _look(run: Run) -> Look:
    """What is to be known of a run, or what is wrong with its folder."""
    try:
        return run, summary_of(run)
    except ErsatzError as error:
        return run, error


def _row(look: Look, chosen: Filter) -> dict[str, Any] | None:
    """One line of the table, if it passes; none of a run that was just deleted or damaged."""
    _, seen = look
    try:
        if isinstance(seen, ErsatzError):
            return None
        return _line(seen) if chosen.passes(seen) else None
    except ErsatzError:
        return None


def _damaged(run_id: str, sentence: str) -> dict[str, Any]:
    """The line of a damaged run: what is wrong with it."""
    empty: dict[str, Any] = {
        "progress": None,
        "curve": [],
        "outcome": "",
        "dataset": "",
        "tags": [],
        "archived": False,
        "started": None,
    }
    return {"state": [State.DAMAGED.value], "what": sentence, **empty, "duration": "", "owner": "", "run": run_id}


def _line(seen: RunSummary) -> dict[str, Any]:
    status, state = seen.status, seen.state
    end = status.ended if state.is_final else time.time() if state.is_active else None
    return {
        "state": [state.value],
        "what": seen.title,
        "progress": None if seen.share is None else 100 * seen.share,
        "curve": curve(seen.run, seen.kind),
        "outcome": outcome(seen),
        "dataset": seen.dataset,
        "tags": list(seen.about.tags),
        "archived": seen.about.archived,
        "started": datetime.fromtimestamp(status.started) if status.started else None,
        "duration": duration(end - status.started) if status.started and end else "–",
        "owner": seen.about.owner,
        "run": seen.run.id,
    }
