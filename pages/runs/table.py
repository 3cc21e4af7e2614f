"""The table of the runs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import pandas as pd
import streamlit as st

from engine.jobs.kinds import kind_shown
from engine.store.errors import ErsatzError
from engine.store.hashing import sha256_value
from engine.store.runs import ACTIVE, Run, State, damaged_runs, list_runs
from pages.components.alarms import alarm_words
from pages.components.format import duration
from pages.components.home import home
from pages.components.run_summary import RunSummary, curve, outcome, summary_of
from pages.runs.chosen import choose, chosen_ids
from pages.runs.filters import ALARM, Filter
from pages.runs.grouping import Group, groups
from pages.runs.results import results_of

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
ALARM_COLOUR = "orange"
SPARSE = ("alarm", "where", "difference", "interval", "kid", "tags", "archived", "owner")
"""Columns that are left out where no run has anything in them."""
Look = tuple[Run, RunSummary | ErsatzError]
ROW = 35
"""Pixels of a row."""
TALLEST = 12
"""Rows that are seen at once; the others are scrolled to."""


def live_table(
    chosen: Filter, columns: Sequence[str], by_journey: bool, active: frozenset[str], ids: list[str]
) -> None:
    """The table; the page is drawn again once a run begins or ends, or another one is chosen."""
    looks = [_look(run) for run in list_runs(home())]
    if active != active_of([seen for _, seen in looks if isinstance(seen, RunSummary)]) or ids != chosen_ids():
        st.rerun()
    table(looks, chosen, columns, by_journey)


def active_of(seen: Iterable[RunSummary]) -> frozenset[str]:
    """Ids and states of the runs that are queued, running or stopping."""
    return frozenset(f"{one.run.id} {one.state}" for one in seen if one.state in ACTIVE)


def table(looks: list[Look], chosen: Filter, columns: Sequence[str], by_journey: bool) -> None:
    """Every run that passes the filter; those that are marked are in the link."""
    seen = [one for look in looks if (one := _passing(look, chosen))]
    of_journey = groups(seen) if by_journey else {}
    seen = sorted(seen, key=lambda one: of_journey[one.run.id].place) if by_journey else seen
    rows = [row for one in seen if (row := _line(one, of_journey.get(one.run.id)))]
    if chosen in (Filter(), Filter(archived=True)):
        rows += [_damaged(run_id, sentence) for run_id, sentence in damaged_runs(home()).items()]
    if not rows:
        st.caption("No run passes this filter.")
        return
    shown = [row["run"] for row in rows]
    empty = [name for name in SPARSE if not any(row[name] or row[name] == 0 for row in rows)]
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
        placeholder="–",
        selection_default={
            "selection": {"rows": [shown.index(run_id) for run_id in chosen_ids() if run_id in shown], "columns": []}
        },
        alt="The runs with their state, progress and results; mark one to see it, several to compare them.",
        column_order=[name for name in columns if name not in empty],
        column_config={
            "state": st.column_config.MultiselectColumn(
                "State",
                options=[*STATE_COLOURS, ALARM],
                color=[*STATE_COLOURS.values(), ALARM_COLOUR],
                width=105 if "alarm" in empty else 150,
            ),
            "alarm": st.column_config.TextColumn("Alarm", width=130, help="What is wrong with what it made."),
            "what": st.column_config.LinkColumn(
                "Run", width=290, display_text="#(.*)$", alignment="left", help="Opens its page in a new tab."
            ),
            "journey": st.column_config.TextColumn(
                "Journey", width=180, help="The journey that made it; else the data set that it was made for."
            ),
            "progress": st.column_config.ProgressColumn(
                "Progress", format="%.0f %%", min_value=0, max_value=100, width=100
            ),
            "curve": st.column_config.LineChartColumn(
                "Trend",
                width=110,
                help="Over time: KID of a training where it was measured (less is better), else the generator's loss; "
                "the distance of a projection. Of a sweep: mean accuracy with more and more synthetic images.",
            ),
            "difference": st.column_config.NumberColumn(
                "Difference",
                format="%+.3g",
                width=90,
                help="Of a sweep: what its verdict rests on, synthetic images against as many repeated real ones (a "
                "harm: against the real images alone), on the mean over the shares. In points of the sweep's metric, "
                "or in its own unit.",
            ),
            "interval": st.column_config.TextColumn(
                "Interval", width=175, help="The 95 % interval of the difference, as the verdict uses it."
            ),
            "kid": st.column_config.NumberColumn(
                "KID",
                format="%.4f",
                width=80,
                help="Distance of synthetic images to real ones; less is better. Of a training its newest, of a "
                "ranking its lowest, of a check that of the pool. Only those with the same features compare.",
            ),
            "outcome": st.column_config.TextColumn("Result", width=120),
            "where": st.column_config.TextColumn(
                "Where", width=210, help="Of a run on the cluster: its job and node, or what it waits for."
            ),
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


def _passing(look: Look, chosen: Filter) -> RunSummary | None:
    """The run, if it is listed; none that was just deleted or damaged."""
    _, seen = look
    try:
        return None if isinstance(seen, ErsatzError) or not chosen.passes(seen) else seen
    except ErsatzError:
        return None


def _damaged(run_id: str, sentence: str) -> dict[str, Any]:
    """The line of a damaged run: what is wrong with it."""
    empty: dict[str, Any] = dict.fromkeys(("progress", "started", "difference", "kid"))
    empty |= dict.fromkeys(("alarm", "where", "journey", "interval", "outcome", "dataset", "duration", "owner"), "")
    link = _link("runs", run_id, sentence)
    return {"state": [State.DAMAGED.value], "what": link, "run": run_id, **empty} | {
        "curve": [],
        "tags": [],
        "archived": False,
    }


def _line(seen: RunSummary, group: Group | None) -> dict[str, Any] | None:
    """One line of the table; none of a run that was just deleted or damaged."""
    status, state = seen.status, seen.state
    end = status.ended if state.is_final else time.time() if state.is_active else None
    alarm = alarm_words(status)
    try:
        found = results_of(seen)
        title = f"↳ {seen.title}" if group and group.inside else seen.title
        return {
            "state": [state.value, *([ALARM] if alarm else [])],
            "alarm": alarm,
            "what": _link(kind_shown(seen.kind).page, seen.run.id, title),
            "journey": group.title if group else "",
            "progress": None if seen.share is None else 100 * seen.share,
            "curve": curve(seen.run, seen.kind),
            "difference": found.difference,
            "interval": found.interval,
            "kid": found.kid,
            "outcome": outcome(seen),
            "where": seen.where.short,
            "dataset": seen.dataset,
            "tags": list(seen.about.tags),
            "archived": seen.about.archived,
            "started": datetime.fromtimestamp(status.started) if status.started else None,
            "duration": duration(end - status.started) if status.started and end else "–",
            "owner": seen.about.owner,
            "run": seen.run.id,
        }
    except ErsatzError:
        return None


def _link(page: str, run_id: str, words: str) -> str:
    """The address of a run's page from that of this one; what the table shows of it stands behind the `#`."""
    return f"{page}?run={quote(run_id)}#{quote(words)}"
