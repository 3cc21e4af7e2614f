"""The tabs below the plot of a sweep: comparisons, means, classes, subgroups and confidence."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from engine.configs import SweepConfig
from engine.report.data_facts import without_value
from engine.report.detail_tables import (
    class_table,
    readable_classes,
    readable_subgroups,
    reliability_table,
    subgroup_table,
)
from engine.report.external_results import external_words, readable_external_cells, readable_external_comparisons
from engine.report.figures import figure_differences, figure_reliability, figure_subgroups
from engine.report.style import ARMS
from engine.report.tables import METRICS, comparison_table, p_in_words, readable_cells, readable_comparisons, show_share
from engine.store.csv_cells import read_table
from engine.store.parquet import read_parquet
from engine.store.runs import Run
from engine.sweep.headline import external_headline
from engine.sweep.summary_model import SUMMARY_FILE, SweepSummary
from pages.components.charts import chart, drawn
from pages.components.files import stamp
from pages.components.format import plain
from pages.evaluate.outcomes import calibration, subgroup_gains
from pages.evaluate.verdicts import show_headline


def comparisons(run: Run, summary: SweepSummary, metric: str) -> None:
    """Paired differences of an arm to its controls, as a figure and as a table."""
    table = comparison_table(summary.comparisons)
    compared = list(dict.fromkeys(table["metric"]))
    if metric not in compared:
        words = ", ".join(METRICS[name].title for name in compared)
        st.caption(f"Paired comparisons are made of {words}; the means are of every metric.")
        return
    arms = [arm for arm in ARMS if (table["arm"] == arm).any()]
    arm = arms[0]
    if len(arms) > 1:
        primary = summary.primary_arm
        arm = st.selectbox(
            "Arm",
            arms,
            index=arms.index(primary) if primary in arms else 0,
            format_func=lambda arm: ARMS[arm].title + (" (the verdict is about it)" if arm == primary else ""),
            key=f"compared-{run.id}",
            width=420,
        )
    chosen = table[(table["metric"] == metric) & (table["arm"] == arm)]
    figure = drawn(
        "differences",
        (*stamp(run.path / SUMMARY_FILE), metric, arm),
        lambda: figure_differences(table, metric, arm, summary.positive_class),
    )
    chart(figure, f"differences-{run.id}", f"differences-{metric}", lambda: chosen)
    chosen = comparison_table(
        [found for found in (*summary.comparisons, *summary.averages) if (found.metric, found.arm) == (metric, arm)]
    )
    st.dataframe(readable_comparisons(chosen).drop(columns=["Arm", "Metric"]), hide_index=True, height="content")
    st.caption(p_in_words(summary))


def means(trials: pd.DataFrame, metric: str, intervals: pd.DataFrame | None, positive: str) -> None:
    """Every arm and share with the chosen metric's interval, and the means of the others."""
    st.dataframe(readable_cells(trials, metric, intervals, positive), hide_index=True, height="content")
    st.caption(
        "95 % interval: for other seeds and test patients. Arms share their test images, so that overlapping intervals "
        "say nothing of a difference: see the comparisons."
    )


def by_class(trials: pd.DataFrame, classes: list[str]) -> None:
    """Of each class, how much was found and how much of what was called it was right."""
    st.dataframe(readable_classes(class_table(trials, classes)), hide_index=True, height="content")


def subgroups(run: Run, summary: SweepSummary, arms: set[str]) -> None:
    """The metric that the verdict is about, by the values of the chosen metadata columns."""
    table = subgroup_table(summary.subgroups)
    table = table[table["arm"].isin(arms)]
    metric = str(table["metric"].iloc[0])
    ratios = sorted(set(table["ratio"]) - {0.0})
    ratio = ratios[-1] if ratios else None
    if len(ratios) > 1:
        ratio = st.segmented_control(
            "Share", ratios, default=ratio, required=True, format_func=show_share, key=f"subgroup-ratio-{run.id}"
        )
    figure = figure_subgroups(table, metric, ratio, summary.positive_class)
    chart(figure, f"subgroups-{run.id}", f"subgroups-{metric}", lambda: table)
    rows = readable_subgroups(table[table["ratio"].isin((0.0, ratio))], summary.positive_class).drop(columns="Metric")
    st.dataframe(rows, hide_index=True, height="content")
    subgroup_gains(run, summary, ratio)
    st.caption("Subgroups are small and were not what the sweep was planned for: reasons to look again, no results.")
    images = read_table(run.path / "test_images.csv", dtype=str, keep_default_na=False)
    for sentence in without_value(images, list(dict.fromkeys(row.column for row in summary.subgroups))):
        st.caption(plain(sentence))


def external(summary: SweepSummary, config: SweepConfig) -> None:
    """The same trials on a second data set, beside the sweep's own test images."""
    assert summary.external is not None
    show_headline(external_headline(summary, config))
    st.caption(plain(summary.external.verdict.sentence))
    st.dataframe(readable_external_cells(summary), hide_index=True, height="content")
    st.dataframe(
        readable_external_comparisons(summary).drop(columns=["Arm", "Metric"]),
        hide_index=True,
        height="content",
    )
    st.caption(plain(external_words(summary)))


def confidence(run: Run, trials: pd.DataFrame, summary: SweepSummary, config: SweepConfig) -> None:
    """How often the classifier is right where it claims to be sure: real images alone, and the largest share."""
    arm = summary.primary_arm or "real+synthetic"
    ratios = trials.loc[trials["arm"] == arm, "ratio"]
    cells = [("real", 0.0), *([(arm, float(ratios.max()))] if len(ratios) else [])]
    table = read_reliability(*stamp(run.path / "trials.parquet"), summary.classes, cells)
    chart(figure_reliability(table), f"reliability-{run.id}", "confidence", lambda: table)
    st.caption("Dots grow with the number of scores. Below the dashed line the classifier is surer than it may be.")
    calibration(run, summary, config, trials, [arm for arm, _ in cells])


@st.cache_data(max_entries=16, show_spinner=False)
def read_reliability(
    path: Path, written: float, size: int, classes: list[str], cells: list[tuple[str, float]]
) -> pd.DataFrame:
    """`reliability_table` of some cells; their scores are read, and no others."""
    wanted = [[("arm", "=", arm), ("ratio", "=", ratio)] for arm, ratio in cells]
    test_images = read_table(path.with_name("test_images.csv"), dtype=str, keep_default_na=False)
    return reliability_table(read_parquet(path, filters=wanted), test_images, classes)
