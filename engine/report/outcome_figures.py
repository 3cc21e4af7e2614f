"""Figures of the outcomes beside the metric: ROC and precision-recall curves, decision curves, subgroup differences."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from engine.report.difference_panel import short
from engine.report.style import ARMS, GREY, LINE, LISTED_BELOW, dash_of, styled, translucent
from engine.report.tables import METRICS, measure_of, show_p, show_share
from engine.sweep.curve_areas import AREA_OF

CURVES = {
    "roc": ("ROC curve", "False positive rate (1 - specificity), %", "Sensitivity, %"),
    "pr": ("Precision-recall curve", "Recall (sensitivity), %", "Precision, %"),
}
AREA = {"roc": "Area below the curve (95 %)", "pr": "Average precision (95 %)"}
"""What stands behind the names of the arms."""
SYMBOLS = 9
"""On each curve."""
TOP, SQUARE, AXIS, ROW = 52, 330, 56, 19
"""Pixels: the title, the axes, the words below them, and a line of the legend."""


def figure_curve(
    curves: pd.DataFrame,
    curve: str,
    class_name: str,
    prevalence: float | None = None,
    areas: pd.DataFrame | None = None,
) -> go.Figure:
    """Mean curves of `engine.sweep.curves` by arm, with their bands; `prevalence` is what precision is by chance.

    `areas` are those of `engine.sweep.curve_areas`, which stand behind the names of the arms.
    """
    title, x, y = CURVES[curve]
    rows = curves[(curves["curve"] == curve) & (curves["class"] == class_name)]
    figure = go.Figure()
    chance = 0.5 if curve == "roc" else prevalence
    if chance is not None:
        ends = [0, 100] if curve == "roc" else [100 * chance] * 2
        figure.add_trace(
            go.Scatter(x=[0, 100], y=ends, mode="lines", line={"color": GREY, "dash": "dash", "width": 1.5},
                       name="chance" + (f": {chance:.3f}" if areas is not None else ""), hoverinfo="skip")
        )  # fmt: skip
    for (arm, ratio), own in rows.groupby(["arm", "ratio"], sort=False):
        name = _name(str(arm), float(ratio), areas, curve, class_name)  # type: ignore[arg-type]
        _line(figure, str(arm), name, 100 * own["x"], own, 100.0, "%{x:.0f} %: %{y:.1f} %")
    styled(figure, title=f"{title} of {class_name}", x=x, y=y, keep_zoom=f"{curve}-{class_name}")
    figure.update_xaxes(range=[-1, 101])
    figure.update_yaxes(range=[-1, 101])
    return _listed_below(figure, AREA[curve] if areas is not None else "")


def _name(arm: str, ratio: float, areas: pd.DataFrame | None, curve: str, class_name: str) -> str:
    """An arm and its share, and the area below its curve with the interval where it is known."""
    name = _first_upper(short(arm)) + (f", {show_share(ratio)}" if ratio else "")
    if areas is None:
        return name
    wanted = (areas["arm"] == arm) & (areas["ratio"] == ratio) & (areas["curve"] == curve)
    own = areas[wanted & (areas["class"] == class_name)]
    if own.empty:
        return name
    measure, found = METRICS[AREA_OF[curve]], own.iloc[0]
    known = math.isfinite(found["low"]) and math.isfinite(found["high"])
    interval = f" ({measure.show_interval(found['low'], found['high'])})" if known else ""
    return f"{name}: {measure.show(found['mean'])}{interval}"


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _listed_below(figure: go.Figure, title: str = "") -> go.Figure:
    """The legend as a list below the axes, a line a name: beside or above them it would meet the curves or the title
    on a narrow page."""
    names = sum(trace.showlegend is not False for trace in figure.data) + bool(title)
    below = ROW * names + 12
    return figure.update_layout(
        height=TOP + SQUARE + AXIS + below,
        margin={"t": TOP, "b": AXIS + below},
        legend={**LISTED_BELOW, "title": {"text": title, "font": {"size": 12}, "side": "top"}},
    )


def figure_decisions(decisions: pd.DataFrame, class_name: str) -> go.Figure:
    """Net benefit over the thresholds by arm with its intervals, beside treating all and none."""
    rows = decisions[decisions["class"] == class_name]
    figure = go.Figure()
    one = rows.drop_duplicates("threshold").sort_values("threshold")
    for name, values, dash in (("treat all", one["treat_all"], "dash"), ("treat none", 0 * one["threshold"], "dot")):
        figure.add_trace(
            go.Scatter(x=100 * one["threshold"], y=values, mode="lines", name=name, hoverinfo="skip",
                       line={"color": GREY, "dash": dash, "width": 1.5})
        )  # fmt: skip
    for (arm, ratio), own in rows.groupby(["arm", "ratio"], sort=False):
        name = _name(str(arm), float(ratio), None, "", "")  # type: ignore[arg-type]
        _line(figure, str(arm), name, 100 * own["threshold"], own, 1.0, "from %{x:.0f} %: %{y:.3f}")
    styled(
        figure,
        title=f"Decision curve of {class_name}",
        x="Probability to treat from, %",
        y="Net benefit, true positives a patient",
        keep_zoom=f"decisions-{class_name}",
    )
    top = float(np.nanmax([rows["mean"].max(), one["treat_all"].max(), 0.05]))
    figure.update_yaxes(range=[-0.25 * top, 1.1 * top])
    return _listed_below(figure)


def figure_subgroup_differences(differences: pd.DataFrame, positive: str = "") -> go.Figure:
    """Paired differences in each subgroup with their intervals, one symbol for what they are held against.

    `differences` are the rows of `SubgroupDifference` of one arm and ratio; `positive` is the positive class of two.
    """
    measure = measure_of(str(differences["metric"].iloc[0]), positive)
    names = [f"{row.column}: {row.value} ({row.n})" for row in differences.itertuples()]
    order = list(dict.fromkeys(names))
    against = list(dict.fromkeys(differences["against"]))
    figure = go.Figure()
    for place, other in enumerate(against):
        own = differences[differences["against"] == other]
        style, mean = ARMS[str(other)], own["mean_difference"] * measure.scale
        aside = (place - (len(against) - 1) / 2) * 0.5 / len(against)
        figure.add_trace(
            go.Scatter(
                x=mean,
                y=[len(order) - 1 - order.index(f"{row.column}: {row.value} ({row.n})") - aside
                   for row in own.itertuples()],
                error_x={
                    "array": own["high"] * measure.scale - mean,
                    "arrayminus": mean - own["low"] * measure.scale,
                    "thickness": 2,
                    "width": 4,
                },
                mode="markers",
                marker={"color": style.color, "symbol": style.symbol, "size": 9},
                name=f"against {style.title.lower()}",
                customdata=[[show_p(p)] for p in own["p_apart"]],
                hovertemplate="%{x:+.3g}" + measure.difference_unit
                + "<br>apart from the others: p %{customdata[0]}<extra></extra>",
            )
        )  # fmt: skip
    figure.add_vline(x=0, line={"color": LINE, "width": 1.5})
    kind = "Improvement" if measure.loss else "Difference"
    styled(
        figure,
        title=f"{measure.title}: differences by subgroup (exploratory)",
        x=f"{kind}{',' if measure.percent else ''}{measure.difference_unit} (95 % over seeds and test images)",
        y="",
        keep_zoom="subgroup-differences",
        height=210 + 44 * len(order),
    )
    return figure.update_yaxes(
        tickvals=list(range(len(order))), ticktext=order[::-1], range=[-0.6, len(order) - 0.4], showgrid=False
    )


def _line(figure: go.Figure, arm: str, name: str, x: pd.Series, own: pd.DataFrame, scale: float, hover: str) -> None:
    """A mean line, and its band where there is one; its dashes and symbols tell it from others without colours."""
    style = ARMS[arm]
    known = own["low"].notna() & own["high"].notna()
    if known.any():
        figure.add_trace(
            go.Scatter(
                x=[*x[known], *x[known][::-1]],
                y=[*(scale * own.loc[known, "high"]), *(scale * own.loc[known, "low"][::-1])],
                fill="toself",
                fillcolor=translucent(style.color, 0.1),
                line={"width": 0},
                mode="lines",
                legendgroup=name,
                showlegend=False,
                hoverinfo="skip",
            )
        )
    figure.add_trace(
        go.Scatter(
            x=x,
            y=scale * own["mean"],
            mode="lines+markers",
            line={"color": style.color, "width": 3 if "synthetic" in arm else 2, "dash": dash_of(arm)},
            marker={"symbol": style.symbol, "size": 8, "maxdisplayed": SYMBOLS},
            name=name,
            legendgroup=name,
            hovertemplate=hover + "<extra>" + name + "</extra>",
        )
    )
