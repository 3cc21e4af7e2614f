"""Figures that compare arms of a sweep: paired differences, confusion, subgroups, and how far scores can be trusted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from engine.report.difference_panel import short
from engine.report.style import ARMS, GREY, LINE, styled
from engine.report.tables import Measure, level_of, measure_of, show_p, show_share


def figure_differences(
    comparisons: pd.DataFrame, metric: str = "accuracy", arm: str = "", positive: str = ""
) -> go.Figure:
    """Paired differences of an arm to its controls with their intervals and corrected p.

    `comparisons` is `comparison_table`; `arm` is by default the first in it. Intervals are for seeds and test images;
    those of sweeps that have none are over the seeds alone, and the axis says so. `positive` is the positive class of
    two.
    """
    measure = measure_of(metric, positive)
    rows = comparisons[comparisons["metric"] == metric]
    arm = arm or (str(rows["arm"].iloc[0]) if len(rows) else "real+synthetic")
    rows = rows[rows["arm"] == arm].sort_values(["ratio", "against"], ascending=[False, True])
    labels = [
        f"+{show_share(ratio)} against {short(str(other))}"
        for ratio, other in zip(rows["ratio"], rows["against"], strict=True)
    ]
    if not arm.startswith("real"):
        labels = [label.removeprefix("+") for label in labels]
    figure = go.Figure()
    both = bool(rows["low_total"].notna().any())
    for against, style in ARMS.items():
        chosen = (rows["against"] == against).to_numpy()
        if not chosen.any():
            continue
        part, places = rows[chosen], [label for label, wanted in zip(labels, chosen, strict=True) if wanted]
        ends = ("low_total", "high_total") if both else ("low", "high")
        trace = _interval(part, places, measure, style.color, ends, 2.5, 6)
        trace.update(
            mode="markers",
            marker={"color": style.color, "symbol": style.symbol, "size": 11},
            name=style.title,
            customdata=[
                [
                    ratio,
                    against,
                    measure.show_interval(low, high, signed=True),
                    measure.show_interval(seeds_low, seeds_high, signed=True),
                    show_p(p),
                    show_p(all_p),
                ]
                for ratio, low, high, seeds_low, seeds_high, p, all_p in zip(
                    part["ratio"],
                    part[ends[0]],
                    part[ends[1]],
                    part["low"],
                    part["high"],
                    part["p"],
                    part["p_corrected"],
                    strict=True,
                )
            ],
            hovertemplate=(
                "%{x:+.3g}" + measure.difference_unit + " (%{customdata[2]})<br>"
                "over seeds alone, on these test images: %{customdata[3]}<br>"
                "p %{customdata[4]}, corrected %{customdata[5]}<extra>%{y}</extra>"
            ),
        )
        figure.add_trace(trace)
    for label, all_p in zip(labels, rows["p_corrected"], strict=True):
        figure.add_annotation(
            x=1.0,
            xref="paper",
            xanchor="left",
            y=label,
            text=f"  {show_p(all_p)}",
            showarrow=False,
            font={"size": 12},
        )
    figure.add_annotation(
        x=1.0,
        xref="paper",
        xanchor="left",
        y=1.0,
        yref="paper",
        yanchor="bottom",
        text="  p (corrected)",
        showarrow=False,
    )
    figure.add_vline(x=0, line={"color": LINE, "width": 1.5})
    level = level_of(rows)
    noise = f"{level} over seeds and test images" if both else "95 % interval over seeds alone, on these test images"
    kind = "Improvement" if measure.loss else "Difference"
    styled(
        figure,
        title=f"{measure.title}: paired differences of {ARMS[arm].title[0].lower()}{ARMS[arm].title[1:]}",
        x=f"{kind}{',' if measure.percent else ''}{measure.difference_unit}<br>({noise})",
        y="",
        keep_zoom=f"{metric}-{arm}",
        height=196 + 34 * len(rows),
    )
    # the labels say what each line is held against: a legend would meet the words above p on a narrow page
    return figure.update_layout(margin={"r": 112, "t": 74}, showlegend=False).update_yaxes(
        categoryorder="array", categoryarray=labels, showgrid=False
    )


def _interval(
    part: pd.DataFrame,
    places: list[str],
    measure: Measure,
    color: str,
    ends: tuple[str, str],
    thickness: float,
    cap: int,
) -> go.Scatter:
    mean = part["mean_difference"] * measure.scale
    return go.Scatter(
        x=mean,
        y=places,
        error_x={
            "array": part[ends[1]] * measure.scale - mean,
            "arrayminus": mean - part[ends[0]] * measure.scale,
            "thickness": thickness,
            "width": cap,
            "color": color,
        },
        mode="markers",
        marker={"color": color, "size": 1},
    )


def figure_confusion(matrix: np.ndarray, classes: Sequence[str], title: str = "Confusion matrix") -> go.Figure:
    """Heat map of a confusion matrix `[true class, predicted class]`: share of the true class, and counts."""
    matrix = np.asarray(matrix)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    figure = go.Figure(
        go.Heatmap(
            z=100 * share,
            x=list(classes),
            y=list(classes),
            zmin=0,
            zmax=100,
            text=[
                [f"{n}<br>{show_share(s)}" for n, s in zip(*rows, strict=True)]
                for rows in zip(matrix, share, strict=True)
            ],
            texttemplate="%{text}",
            colorscale="Cividis",
            xgap=2,
            ygap=2,
            colorbar={"title": {"text": "% of true class"}, "thickness": 12},
            hovertemplate="%{y} called %{x}: %{text}<extra></extra>",
        )
    )
    styled(figure, title=title, x="Predicted class", y="True class", keep_zoom="confusion")
    figure.update_xaxes(type="category", showgrid=False)
    return figure.update_yaxes(type="category", autorange="reversed", showgrid=False)


def figure_subgroups(
    subgroups: pd.DataFrame, metric: str = "accuracy", ratio: float | None = None, positive: str = ""
) -> go.Figure:
    """A metric by the values of metadata columns, an arm beside the other, with intervals for seeds and test images.

    `subgroups` is `subgroup_table`; of arms with ratios `ratio` is shown, by default the largest.
    """
    measure = measure_of(metric, positive)
    rows = subgroups[subgroups["metric"] == metric]
    ratio = float(rows["ratio"].max()) if ratio is None else ratio
    rows = rows[rows["ratio"].isin((0.0, ratio))]
    names = list(dict.fromkeys(_subgroup_names(rows)))
    arms = [arm for arm in ARMS if (rows["arm"] == arm).any()]
    figure = go.Figure()
    for place, arm in enumerate(arms):
        own, style = rows[rows["arm"] == arm], ARMS[arm]
        mean = own["mean"] * measure.scale
        aside = (place - (len(arms) - 1) / 2) * 0.7 / max(len(arms), 1)
        figure.add_trace(
            go.Scatter(
                x=mean,
                y=[len(names) - 1 - names.index(name) - aside for name in _subgroup_names(own)],
                error_x={
                    "array": own["high"] * measure.scale - mean,
                    "arrayminus": mean - own["low"] * measure.scale,
                    "thickness": 2,
                    "width": 4,
                },
                mode="markers",
                marker={"color": style.color, "symbol": style.symbol, "size": 9},
                name=style.title + (f", {show_share(ratio)}" if own["ratio"].max() > 0 else ""),
                customdata=list(zip(_subgroup_names(own), own["n"], strict=True)),
                hovertemplate="%{x:.2f}" + measure.unit + "<br>%{customdata[0]}<extra>" + style.title + "</extra>",
            )
        )
    styled(
        figure,
        title=f"{measure.title} by subgroup of the test images",
        x=f"{measure.title}{', %' if measure.percent else ''} (95 % over seeds and test images)",
        y="",
        keep_zoom=f"subgroups-{metric}",
        height=190 + 30 * len(names) + 12 * len(names) * len(arms),
    )
    places = list(range(len(names)))
    return figure.update_yaxes(tickvals=places, ticktext=names[::-1], range=[-0.6, len(names) - 0.4], showgrid=False)


def _subgroup_names(rows: pd.DataFrame) -> list[str]:
    return [
        f"{column}: {value or 'not known'} ({n})"
        for column, value, n in zip(rows["column"], rows["value"], rows["n"], strict=True)
    ]


def figure_reliability(table: pd.DataFrame) -> go.Figure:
    """Confidence against how often it was right, one line an arm; on the diagonal scores can be taken at their word.

    `table` is `reliability_table`, of the cells that are to be shown; dots grow with the number of scores.
    """
    figure = go.Figure()
    ends = [50, 100] if table["confidence"].min() >= 0.5 else [0, 100]
    figure.add_trace(
        go.Scatter(x=ends, y=ends, mode="lines", line={"color": GREY, "dash": "dash", "width": 1.5}, name="as claimed")
    )
    for (arm, ratio), own in table.groupby(["arm", "ratio"], sort=False):
        style = ARMS[str(arm)]
        figure.add_trace(
            go.Scatter(
                x=100 * own["confidence"],
                y=100 * own["accuracy"],
                mode="lines+markers",
                line={"color": style.color, "width": 2, "dash": style.dash},
                marker={
                    "symbol": style.symbol,
                    "size": 6 + 12 * np.sqrt(own["n"] / table["n"].max()),
                    "line": {"width": 2 if style.symbol.endswith("-open") else 0},
                },
                name=style.title + (f", {show_share(float(ratio))}" if ratio else ""),  # type: ignore[arg-type]
                customdata=own[["n"]].to_numpy(dtype=object),
                hovertemplate=(
                    "claims %{x:.0f} %, is right in %{y:.0f} %<br>%{customdata[0]} scores<extra>"
                    + style.title
                    + "</extra>"
                ),
            )
        )
    styled(
        figure,
        title="Confidence of the classifier, and how often it is right",
        x="Score of the class that it names, %",
        y="Named rightly, %",
        keep_zoom="reliability",
        height=440,
    )
    return figure.update_layout(margin={"t": 110})
