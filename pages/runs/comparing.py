"""Several runs beside each other: what came out, where their settings differ, and what can be done with all of them."""

from __future__ import annotations

import time
from typing import Any

import pandas as pd
import streamlit as st

from engine.configs.setting_names import setting_name
from engine.report.training_figures import CURVES, RUN_COLORS, figure_overlay
from engine.store.runs import Run, State
from pages.components.charts import chart
from pages.components.command import show_command
from pages.components.deleting import delete_button
from pages.components.format import amount, duration, moment
from pages.components.labels import short_names
from pages.components.navigation import script
from pages.components.people import Role, guarded
from pages.components.run_summary import RunSummary, summaries_of
from pages.components.widget_keys import widget_key
from pages.runs.annotate import archive, tag
from pages.runs.deleting import delete_dialog
from pages.runs.stopping import stop_all_dialog
from pages.train.reading import read_rows

NOT_SETTINGS = ("kind", "dataset_fingerprint", "pool_sha256", "start_sha256", "source_sha256", "generator_sha256")
"""Fields that follow from others."""
SCORES = {"kid": "KID", "fid": "FID"}


def compare(runs: list[Run]) -> None:
    """The marked runs, a column for each."""
    seen = summaries_of(runs)
    st.subheader(f"{len(seen)} runs")
    together(seen)
    names = short_names([one.run for one in seen])
    kinds = {one.kind for one in seen}
    if kinds == {"train"}:
        curves(seen, names)
    if kinds == {"sweep"}:
        st.page_link(
            script("evaluate"),
            label="Compare their figures and verdicts on Evaluate",
            icon=":material/query_stats:",
            query_params={"run": seen[0].run.id, "compare": ",".join(one.run.id for one in seen[1:])},
        )
    st.markdown("##### What came out")
    facts = pd.DataFrame({name: outcome(one) for name, one in zip(names, seen, strict=True)}).fillna("–")
    show(facts[(facts != "–").any(axis=1)], "What came out of each run")
    settings = pd.DataFrame({name: flat(one.config) for name, one in zip(names, seen, strict=True)})
    settings = settings.drop(index=[name for name in settings.index if name.startswith(NOT_SETTINGS)])
    settings = settings.fillna("–")
    different = settings[settings.nunique(axis=1) > 1]
    st.markdown(f"##### Settings that differ: {len(different)} of {len(settings)}")
    every = st.toggle("Show those that are the same too", key="same-too")
    shown = settings if every else different
    if shown.empty:
        st.caption("They were made with the same settings.")
    else:
        show(shown, "The settings of each run")
    show_command("\n".join(f"python -m engine about {one.run.id} --tag best --archive" for one in seen))


def together(seen: list[RunSummary]) -> None:
    """What can be done with all of them at once."""
    runs = [one.run for one in seen]
    active = [one.run for one in seen if one.state in (State.QUEUED, State.RUNNING)]
    with st.container(horizontal=True):
        tag(runs)
        archive(runs)
        if st.button(
            f"Stop {len(active)}" if active else "Stop",
            icon=":material/stop:",
            key=widget_key("stop", *[run.id for run in active]),
            **guarded(Role.EDITOR, disabled=not active),
        ):
            stop_all_dialog(active)
        if delete_button(
            f"Delete {len(runs)}",
            widget_key("delete", *[run.id for run in runs]),
            disabled=any(one.state.is_active for one in seen),
        ):
            delete_dialog(runs)


def curves(seen: list[RunSummary], names: list[str]) -> None:
    """One number of several trainings over each other."""
    if len(seen) > len(RUN_COLORS):
        st.caption(f"Mark at most {len(RUN_COLORS)} trainings to see their curves over each other.")
        return
    rows = {name: read_rows(one.run) for name, one in zip(names, seen, strict=True)}
    fields = {name for of_run in rows.values() for name in of_run.fields}
    known = [field for field in CURVES if field in fields]
    if not known:
        st.caption("None of them has a curve yet.")
        return
    shared = [field for field in known if all(of_run.knows(field) for of_run in rows.values())]
    first = "kid" if "kid" in shared else (shared or known)[0]
    field = st.selectbox(
        "Curve",
        known,
        index=known.index(first),
        format_func=lambda name: CURVES[name].title,
        key="compared-curve",
        width=320,
    )
    chart(
        figure_overlay(rows, field),
        f"compared-{field}",
        f"trainings-{field}",
        lambda: pd.concat(
            [
                of_run.with_field(field).frame(["kimg", field]).assign(run=name)[["run", "kimg", field]]
                for name, of_run in rows.items()
            ]
        ),
    )
    st.page_link(
        script("train"),
        label="All their curves and samples on Train",
        icon=":material/model_training:",
        query_params={"run": seen[0].run.id, "with": ",".join(one.run.id for one in seen[1:])},
    )


def show(table: pd.DataFrame, alt: str) -> None:
    """A table of words, a column for each run."""
    st.dataframe(
        table.rename_axis(""),
        alt=alt,
        row_height=35,
        height=35 * (1 + min(len(table), 14)) + 3,
        column_config={"_index": st.column_config.Column(width=200)},
    )


def outcome(one: RunSummary) -> dict[str, str]:
    """How a run stands and what it left, in words."""
    status, state = one.status, one.state
    end = status.ended if state.is_final else time.time()
    facts = {
        "State": state.value,
        "Data set": one.dataset,
        "Started": moment(status.started),
        "Took": duration(end - status.started) if status.started and end else "–",
        "Done": f"{amount(status.done)} of {amount(status.total)} {status.unit}" if status.total else "–",
        "Device": status.device or "–",
        "Owner": one.about.owner or "–",
        "Alarms": ", ".join(alarm.name for alarm in status.alarms) or "–",
        "Error": status.error or "–",
    }
    return facts | _last_scores(one) | {words(name): text for name, text in flat(status.result).items()}


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as one list of them, in words: `overrides.train.kimg`."""
    found: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            found[prefix + name] = ", ".join(str(part) for part in value) or "–"
        else:
            found[prefix + name] = "–" if value in ("", None) else str(value)
    return found


def words(name: str) -> str:
    """The name of a setting, or of a field of a result, for people; `overrides.train.kimg` is one within others."""
    return " · ".join(setting_name(part) for part in name.split("."))


def _last_scores(one: RunSummary) -> dict[str, str]:
    """The last KID and FID of a training."""
    if one.kind != "train":
        return {}
    rows = read_rows(one.run)
    last = {field: scored[-1][field] for field in SCORES if len(scored := rows.with_field(field))}
    return {f"Last {SCORES[field]}": f"{value:.4g}" for field, value in last.items()}
