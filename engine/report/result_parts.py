"""What the report of a sweep says of its results: the figures, tables and words of each part."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go
from markupsafe import Markup

from engine.configs import SweepConfig
from engine.configs.evaluation import LEARNING_CURVE
from engine.report.data_facts import (
    without_value,
)
from engine.report.detail_tables import (
    readable_dropped,
    readable_subgroups,
    reliability_table,
    subgroup_table,
)
from engine.report.difference_panel import verdict_bars
from engine.report.external_results import external_words, readable_external_cells, readable_external_comparisons
from engine.report.figures import (
    figure_confusion,
    figure_reliability,
    figure_subgroups,
    figure_sweep,
)
from engine.report.headline_answers import primary_arm, told
from engine.report.numbered import Plot, html_table, inline
from engine.report.outcome_figures import figure_curve, figure_decisions, figure_subgroup_differences
from engine.report.outcome_tables import (
    CALIBRATION,
    DECISIONS,
    differences_table,
    interaction_sentences,
    operating_words,
    readable_calibration,
    readable_operating_points,
    readable_subgroup_differences,
)
from engine.report.outcome_tables import CURVES as CURVES_IN_WORDS
from engine.report.outcomes import Scored
from engine.report.pool_ranking import alike, rank_sweeps, readable_ranking, where_ranked
from engine.report.sources import Sources
from engine.report.style import ARMS
from engine.report.tables import (
    confusion_of,
    level_trials,
    measure_of,
    present_metrics,
    readable_cells,
    show_share,
)
from engine.store.errors import ErsatzError
from engine.sweep.arms import baseline_of, control_of, has_ratios
from engine.sweep.headline import Headline, external_headline, headline
from engine.sweep.protocol_deviations import DroppedRuns
from engine.sweep.summary_model import SweepSummary

MAY_STAND_TOGETHER = 5
"""Most arms in one figure; more are shown family by family."""


def verdict_bar(sources: Sources) -> Plot | None:
    """The interval of the comparisons that the headline quotes."""
    rows, summary = told(sources).rows, sources.summary
    if not rows:
        return None
    return Plot(Markup(verdict_bars(rows, summary.metric, summary.positive_class, told(sources).line)), "")


def other_verdicts(sources: Sources) -> list[tuple[str, Headline]]:
    """The verdicts on the arms that the sweep is not about, by their titles; exploratory."""
    primary, summary = primary_arm(sources), sources.summary
    return [(ARMS[arm].title, headline(summary, sources.config, arm)) for arm in summary.verdicts if arm != primary]


def external_part(summary: SweepSummary, config: SweepConfig) -> dict[str, Any] | None:
    """What the trials found on a second data set; None where there was none."""
    external = summary.external
    if external is None:
        return None
    return {
        "verdict": external.verdict,
        "told": external_headline(summary, config),
        "words": external_words(summary),
        "cells": html_table(readable_external_cells(summary)),
        "comparisons": html_table(readable_external_comparisons(summary)),
    }


def figures_of_sweep(sources: Sources, metric: str, outcomes: Scored | None) -> list[go.Figure]:
    """One figure of all arms, or, when there are many, one for each family of arms beside its controls."""
    summary, config = sources.summary, sources.config
    trials, level = sources.trials, summary.level
    if (config.folds or level == "patient") and sources.metrics is not None:
        trials = level_trials(sources.metrics, level)  # as judged: the folds of a seed together
    intervals = None if outcomes is None else outcomes.intervals(level)
    title = measure_of(metric, summary.positive_class).title + (" by patient" if level == "patient" else "")
    present = [arm for arm in ARMS if (trials["arm"] == arm).any() and arm != LEARNING_CURVE]
    if len(present) <= MAY_STAND_TOGETHER:
        whole = f"{title} on real test images" if level == "patient" else ""
        return [figure_sweep(trials, summary, metric, whole, config=config, intervals=intervals)]
    plain = [arm for arm in present if not arm.endswith("+classical") or not has_ratios(arm)]
    families = {
        "added": [arm for arm in plain if arm.startswith("real")],
        "in place of real ones": ["real", *(arm for arm in plain if arm.startswith(("replaced", "synthetic")))],
        "with classical augmentation": ["real", *(arm for arm in present if arm.endswith("+classical"))],
    }
    return [
        figure_sweep(
            trials,
            summary,
            metric,
            f"{title}: synthetic images {name}",
            arms=arms,
            config=config,
            intervals=intervals,
        )
        for name, arms in families.items()
        if any(has_ratios(arm) for arm in arms)
    ]


def _largest(sources: Sources, arm: str) -> pd.DataFrame:
    """The trials of an arm at its largest ratio."""
    trials = sources.trials[sources.trials["arm"] == arm]
    return trials[trials["ratio"] == trials["ratio"].max()]


def _key_cells(sources: Sources) -> dict[str, pd.DataFrame]:
    """By title: the baseline, the control and the arm of the verdict, those with ratios at the largest one."""
    arm = primary_arm(sources)
    found = {}
    for name in (baseline_of(arm) or "real", control_of(arm), arm):
        if name is not None and not (cell := _largest(sources, name)).empty:
            ratio = cell["ratio"].iloc[0]
            found[ARMS[name].title + (f", {show_share(ratio)}" if ratio else "")] = cell
    return found


def confusions(sources: Sources) -> list[Plot]:
    """Confusion matrices summed over the seeds: the baseline beside the largest share of synthetic images."""
    cells = list(_key_cells(sources).items())
    return [
        inline(figure_confusion(confusion_of(cell), sources.summary.classes, f"{title}: {_trials(len(cell))}"))
        for title, cell in ([cells[0], cells[-1]] if len(cells) > 1 else cells)
    ]


def _trials(count: int) -> str:
    return "1 trial" if count == 1 else f"all {count} trials"


def reliability(sources: Sources) -> Plot | None:
    cells = list(_key_cells(sources).values())
    if sources.test_images is None or "scores" not in sources.trials or not cells:
        return None
    table = reliability_table(pd.concat(cells), sources.test_images, sources.summary.classes)
    return inline(figure_reliability(table))


def means_tables(
    trials: pd.DataFrame, metric: str, intervals: pd.DataFrame | None, positive: str
) -> tuple[Markup, Markup | str]:
    """The means of the metric with their intervals, and those of the other metrics: one table of both would be wider
    than a page."""
    cells = readable_cells(trials, metric, intervals, positive)
    others = [measure_of(name, positive).title for name in present_metrics(trials) if name != metric]
    first = html_table(cells[[name for name in cells if name not in others]])
    return first, html_table(cells[["Arm", "Share", *others]]) if others else ""


def patients_part(sources: Sources, metric: str, outcomes: Scored | None) -> tuple[Markup, Markup | str] | None:
    """`means_tables` by patient, where patients are known and have several images."""
    if sources.metrics is None:
        return None
    counts = sources.metrics[sources.metrics["subgroup"] == ""].groupby("level")["n"].max()
    if counts.get("patient", counts["image"]) == counts["image"]:
        return None  # not known, or one image each: the table by image again
    intervals = None if outcomes is None else outcomes.intervals("patient")
    return means_tables(level_trials(sources.metrics, "patient"), metric, intervals, sources.summary.positive_class)


def outcomes_part(sources: Sources, outcomes: Scored | None) -> dict[str, Any] | None:
    """Calibration, curves, decision curves and the threshold that the validation images fixed, with their words."""
    if outcomes is None:
        return None
    ece = sources.trials.groupby(["arm", "ratio"])["ece"].mean() if "ece" in sources.trials else None
    points, units = outcomes.operating_points, outcomes.judged.units
    keep = [name for name in ("real", "real+classical", control_of(primary_arm(sources)), primary_arm(sources)) if name]
    curves, decisions = outcomes.curves, outcomes.decisions
    largest = decisions[decisions.groupby("arm")["ratio"].transform("max") == decisions["ratio"]]
    curves, largest = curves[curves["arm"].isin(keep)], largest[largest["arm"].isin(keep)]
    figures = []
    for name in dict.fromkeys(curves["class"]):
        share = float((units.labels == outcomes.classes.index(name)).mean())
        figures.append(
            {
                "roc": inline(figure_curve(curves, "roc", name, areas=outcomes.areas)),
                "pr": inline(figure_curve(curves, "pr", name, share, outcomes.areas)),
                "decisions": inline(figure_decisions(largest, name)),
            }
        )
    return {
        "figures": figures,
        "curve_words": CURVES_IN_WORDS,
        "decision_words": DECISIONS,
        "calibration": html_table(readable_calibration(outcomes.calibration, ece)),
        "calibration_words": CALIBRATION,
        "points": "" if points is None or points.empty else html_table(readable_operating_points(points)),
        "points_words": outcomes.no_operating_point
        or ("" if points is None or points.empty else operating_words(points, outcomes.classes[outcomes.positive])),
    }


def subgroups_part(sources: Sources, metric: str) -> dict[str, Any] | None:
    rows = subgroup_table(sources.summary.subgroups)
    own = rows[rows["metric"] == metric]
    missing = without_value(sources.test_images, sources.config.subgroups)
    if own.empty:
        return {"figure": "", "table": "", "missing": missing} if missing else None
    return {
        "figure": inline(figure_subgroups(rows, metric, positive=sources.summary.positive_class)),
        "table": html_table(readable_subgroups(own, sources.summary.positive_class)),
        "missing": missing,
        **_subgroup_differences(sources),
    }


def _subgroup_differences(sources: Sources) -> dict[str, Any]:
    """Whether the gain differs between subgroups, at the largest share; empty of sweeps of before."""
    table = differences_table(sources.summary.subgroup_differences)
    if table.empty:
        return {"differences": "", "differences_table": "", "interactions": []}
    largest, positive = float(table["ratio"].max()), sources.summary.positive_class
    return {
        "differences": inline(figure_subgroup_differences(table[table["ratio"] == largest], positive)),
        "differences_table": html_table(readable_subgroup_differences(table, positive)),
        "interactions": interaction_sentences(sources.summary.interactions, largest),
    }


def ranked_part(sources: Sources) -> dict[str, Any] | None:
    """The pools of all sweeps that differ from this one in the pool alone, where there are several."""
    runs = alike(sources.run)
    if len(runs) < 2:
        return None
    try:
        found = rank_sweeps(runs)
    except ErsatzError as error:  # one of them was tested on other images, or is damaged
        return {"sentences": [str(error)], "table": "", "where": ""}
    return {
        "sentences": found.ranking.sentences,
        "table": html_table(readable_ranking(found)),
        "where": where_ranked(found.ranking) if found.ranking.pools else "",
    }


def dropped_part(dropped: DroppedRuns | None, trials: pd.DataFrame) -> dict[str, Any] | None:
    """What the published rule that leaves runs out would show, beside all runs."""
    if dropped is None:
        return None
    return {"rule": dropped.rule, "count": len(dropped.trials), "table": html_table(readable_dropped(dropped, trials))}
