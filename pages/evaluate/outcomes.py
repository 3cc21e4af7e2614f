"""Outcomes beside the metric, from the stored scores: intervals, calibration, curves, decisions, a fixed threshold."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import streamlit as st

from engine.configs import SweepConfig
from engine.report.outcome_figures import figure_curve, figure_decisions, figure_subgroup_differences
from engine.report.outcome_tables import (
    CALIBRATION,
    CURVES,
    DECISIONS,
    EXPLORATORY,
    differences_table,
    interaction_sentences,
    operating_words,
    readable_calibration,
    readable_operating_points,
    readable_subgroup_differences,
)
from engine.report.outcomes import Scored, scored
from engine.report.style import ARMS
from engine.store.csv_cells import read_table
from engine.store.parquet import read_parquet
from engine.store.runs import Run
from engine.sweep.analysis_units import Level
from engine.sweep.arm_intervals import arm_intervals, counted
from engine.sweep.rejudging import TRIALS_FILE
from engine.sweep.summary_model import SweepSummary
from pages.components.charts import chart, drawn
from pages.components.files import stamp
from pages.components.format import plain

NO_SCORES = "The scores of single images are not there, from which this would be computed."


def intervals_of(
    run: Run, classes: list[str], positive: str, config: SweepConfig, metric: str, level: Level, column: str, value: str
) -> pd.DataFrame | None:
    """`arm_intervals` of a metric, of all test images or of a subgroup, of as many trials as there are by now."""
    return _intervals(*stamp(run.path / TRIALS_FILE), classes, positive, config, metric, level, column, value)


@st.cache_data(max_entries=64, show_spinner=False)
def _intervals(
    path: Path,
    written: float,
    size: int,
    classes: list[str],
    positive: str,
    _config: SweepConfig,
    metric: str,
    level: Level,
    column: str,
    value: str,
) -> pd.DataFrame | None:
    found = _read(path, written, size, classes, positive, _config)
    if found is None:
        return None
    among = None if not column else (found.test_images[column].astype(str) == value).to_numpy()
    own = counted(found.trials, found.test_images, found.classes, found.positive, level, among)
    return arm_intervals(own, [metric])


@st.cache_resource(max_entries=4, show_spinner=False)
def _read(
    path: Path, written: float, size: int, classes: list[str], positive: str, _config: SweepConfig
) -> Scored | None:
    """The scores of a sweep; not copied, and not to be changed."""
    tables = [
        read_table(each, dtype=str, keep_default_na=False) if each.is_file() else None
        for each in (path.with_name("test_images.csv"), path.with_name("valid_images.csv"))
    ]
    return scored(read_parquet(path), tables[0], tables[1], classes, positive, _config)


def _scored(run: Run, summary: SweepSummary, config: SweepConfig) -> Scored | None:
    found = _read(*stamp(run.path / TRIALS_FILE), summary.classes, summary.positive_class, config)
    if found is None:
        st.caption(NO_SCORES)
    return found


def of_tabs(run: Run, summary: SweepSummary, config: SweepConfig) -> list[Callable[[], object]]:
    """What the tabs below compute from the scores, for `compute_ahead`: each takes a moment, once."""

    def compute(name: str) -> object:
        found = _read(*stamp(run.path / TRIALS_FILE), summary.classes, summary.positive_class, config)
        return found and getattr(found, name)

    return [partial(compute, name) for name in ("curves", "areas", "calibration", "decisions", "operating_points")]


def calibration(run: Run, summary: SweepSummary, config: SweepConfig, trials: pd.DataFrame, arms: list[str]) -> None:
    """Intercept and slope of some arms, beside their calibration error."""
    found = _scored(run, summary, config)
    if found is None:
        return
    table = found.calibration[found.calibration["arm"].isin(arms)]
    ece = trials.groupby(["arm", "ratio"])["ece"].mean() if "ece" in trials else None
    st.dataframe(readable_calibration(table, ece), hide_index=True, height="content")
    st.caption(CALIBRATION)


def curves(run: Run, summary: SweepSummary, config: SweepConfig, arms: set[str]) -> None:
    """ROC and precision-recall curve of the chosen arms."""
    found = _scored(run, summary, config)
    if found is None:
        return
    with st.spinner("Drawing seeds and patients anew"):
        table = found.curves[found.curves["arm"].isin(arms)]
    name = _class(run, found, "curves")
    share = float((found.judged.units.labels == found.classes.index(name)).mean())
    left, right = st.columns(2, gap="medium")
    for column, curve in ((left, "roc"), (right, "pr")):
        figure = drawn(
            "curve",
            (*stamp(run.path / TRIALS_FILE), curve, name, *sorted(arms)),
            partial(figure_curve, table, curve, name, share, found.areas),
        )
        own = table[table["curve"] == curve]
        with column:
            chart(figure, f"{curve}-{run.id}", f"{curve}-{name}", partial(pd.DataFrame, own))
    st.caption(CURVES)


def decisions(run: Run, summary: SweepSummary, config: SweepConfig, arms: set[str]) -> None:
    """Net benefit over the thresholds, of the chosen arms at their largest share."""
    found = _scored(run, summary, config)
    if found is None:
        return
    table = found.decisions
    table = table[table["arm"].isin(arms) & (table.groupby("arm")["ratio"].transform("max") == table["ratio"])]
    name = _class(run, found, "decisions")
    figure = drawn(
        "decisions",
        (*stamp(run.path / TRIALS_FILE), name, *sorted(arms)),
        lambda: figure_decisions(table, name),
    )
    chart(figure, f"decisions-{run.id}", f"decisions-{name}", lambda: table)
    st.caption(DECISIONS)


def threshold(run: Run, summary: SweepSummary, config: SweepConfig, arms: set[str]) -> None:
    """Sensitivity and specificity at the threshold that the validation images fixed."""
    found = _scored(run, summary, config)
    if found is None:
        return
    points = found.operating_points
    if points is None or points.empty:
        st.caption(found.no_operating_point or "One of the classes has no validation images, so there is no threshold.")
        return
    st.markdown(f"Positive: **{plain(found.classes[found.positive])}**")
    st.dataframe(readable_operating_points(points[points["arm"].isin(arms)]), hide_index=True, height="content")
    st.caption(plain(operating_words(points, found.classes[found.positive])))


def subgroup_gains(run: Run, summary: SweepSummary, ratio: float | None) -> None:
    """Whether the gain differs between subgroups, at one share: a figure, the test in words, and a table."""
    table = differences_table(summary.subgroup_differences)
    table = table[table["ratio"] == ratio]
    if table.empty:
        return
    arm = ARMS[str(table["arm"].iloc[0])].title
    st.markdown(f"**Does the gain of {arm} differ between subgroups?**")
    figure = figure_subgroup_differences(table, summary.positive_class)
    chart(figure, f"gains-{run.id}", "subgroup-differences", lambda: table)
    for sentence in interaction_sentences(summary.interactions, ratio):
        st.markdown(f"* {plain(sentence)}")
    with st.expander("Differences as a table"):
        rows = readable_subgroup_differences(table, summary.positive_class)
        st.dataframe(rows, hide_index=True, height="content")
    st.caption(EXPLORATORY)


def _class(run: Run, found: Scored, of: str) -> str:
    """The positive class of two, or the one that the reader chooses of more."""
    if len(found.classes) == 2:
        return found.classes[found.positive]
    return st.selectbox("Class, against the rest", found.classes, key=f"{of}-class-{run.id}", width=260)
