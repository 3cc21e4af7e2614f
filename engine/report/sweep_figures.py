"""Figures of a sweep: what adding synthetic images did to the classifier, beside its controls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from engine.report.style import ARMS, GREY, LINE, styled, translucent
from engine.report.tables import METRICS, cell_table, show_p, show_share

SHARE = (
    "Images added per class, % of its real training images"
    "<br><span style='font-size: 11px'>Added to the real images, never instead of them: "
    "100 % = one synthetic image for each real one. All arms take equally many optimiser steps.</span>"
)
# Places along x, in 25ths of the gap between two ratios (points of percentage at 0, 25, 50, 75 and 100 %).
OFFSETS = {"real": 0.0, "real+classical": -6.0, "real+duplicates": 1.2, "real+synthetic": -1.2}
"""Place of an arm's mean beside its percentage, so that intervals do not hide each other."""
TRIALS = {"real": -2.0, "real+classical": -8.0, "real+duplicates": 3.4, "real+synthetic": -3.4}
"""Middle of the place of its single trials."""
JITTER = 1.1


def figure_sweep(
    trials: pd.DataFrame, summary: dict[str, Any] | None = None, metric: str = "accuracy", title: str = ""
) -> go.Figure:
    """A metric of the classifier against the synthetic percentage: means with intervals, and every trial as a dot.

    `customdata` of every dot is `[arm, ratio, seed]`. Works on the trials of a sweep that is still running;
    `summary` adds the majority baseline.
    """
    measure = METRICS[metric]
    cells = cell_table(trials, metric)
    ratios = sorted({0.0, *trials["ratio"]})
    gap = 4 * min(np.diff(ratios), default=0.25)
    figure = go.Figure()
    _band_of_real(figure, cells, measure.scale)
    for arm in ARMS:
        if (cells["arm"] == arm).any():
            figure.add_trace(_trials(trials[trials["arm"] == arm], metric, gap))
    for arm in ARMS:
        if (cells["arm"] == arm).any():
            figure.add_trace(_means(cells, arm, metric, gap))
    baseline = chance_level(metric, summary)
    levels = [] if baseline is None else [baseline[0] * measure.scale]
    if baseline is not None:
        value, words = baseline
        figure.add_hline(
            y=value * measure.scale,
            line={"dash": "dash", "color": LINE, "width": 1.5},
            annotation={"text": f"{words} ({measure.show(value)})", "font": {"size": 12}},
            annotation_position="top right",
        )
    styled(
        figure,
        title=title or f"{measure.title} against synthetic images added",
        x=SHARE,
        y=f"{measure.title}{', %' if measure.percent else ''} (real test images)",
        keep_zoom=metric,
        height=480,
        footer=True,
    )
    figure.update_xaxes(tickvals=[100 * ratio for ratio in ratios], ticktext=[show_share(ratio) for ratio in ratios])
    figure.update_xaxes(range=[-11 * gap, 100 * max(ratios) + 6 * gap], showgrid=False, zeroline=False)
    values = trials[metric].dropna() * measure.scale
    lowest, highest = min([*values, *levels]), max([*values, *levels])
    room = 0.06 * (highest - lowest or measure.scale)
    figure.update_yaxes(range=[lowest - room, highest + room])
    return figure.update_layout(clickmode="event+select", dragmode="zoom")


def chance_level(metric: str, summary: dict[str, Any] | None) -> tuple[float, str] | None:
    """The value that needs no learning, and its name; None where there is no single one."""
    if not summary:
        return None
    levels = {
        "accuracy": (summary.get("majority_accuracy"), "always the largest class"),
        "balanced_accuracy": (1 / len(summary["classes"]), "always one class"),
        "auroc": (0.5, "chance"),
    }
    value, words = levels.get(metric, (None, ""))
    return None if value is None else (float(value), words)


def figure_differences(comparisons: pd.DataFrame, metric: str = "accuracy") -> go.Figure:
    """Paired differences of real+synthetic to its controls with their intervals and Holm-corrected p."""
    measure = METRICS[metric]
    rows = comparisons[comparisons["metric"] == metric].sort_values(["ratio", "against"], ascending=[False, True])
    labels = [f"+{show_share(ratio)} against {arm}" for ratio, arm in zip(rows["ratio"], rows["against"], strict=True)]
    figure = go.Figure()
    for arm, style in ARMS.items():
        chosen = (rows["against"] == arm).to_numpy()
        if not chosen.any():
            continue
        part = rows[chosen]
        mean = part["mean_difference"] * measure.scale
        figure.add_trace(
            go.Scatter(
                x=mean,
                y=[label for label, wanted in zip(labels, chosen, strict=True) if wanted],
                error_x={
                    "array": part["high"] * measure.scale - mean,
                    "arrayminus": mean - part["low"] * measure.scale,
                    "thickness": 2,
                    "width": 5,
                },
                mode="markers",
                marker={"color": style.color, "symbol": style.symbol, "size": 11},
                name=f"against {style.title.lower()}",
                customdata=[
                    [ratio, arm, measure.show_difference(low), measure.show_difference(high), show_p(p), show_p(holm)]
                    for ratio, low, high, p, holm in zip(
                        part["ratio"], part["low"], part["high"], part["p"], part["p_holm"], strict=True
                    )
                ],
                hovertemplate=(
                    "%{x:+.2f}" + measure.difference_unit + " (%{customdata[2]} to %{customdata[3]})<br>"
                    "p %{customdata[4]}, Holm %{customdata[5]}<extra>%{y}</extra>"
                ),
            )
        )
    for label, holm in zip(labels, rows["p_holm"], strict=True):
        figure.add_annotation(
            x=1.0, xref="paper", xanchor="left", y=label, text=f"  {show_p(holm)}", showarrow=False, font={"size": 12}
        )
    figure.add_annotation(
        x=1.0, xref="paper", xanchor="left", y=1.0, yref="paper", yanchor="bottom", text="  p (Holm)", showarrow=False
    )
    figure.add_vline(x=0, line={"color": LINE, "width": 1.5})
    styled(
        figure,
        title=f"{measure.title}: paired differences of real + synthetic",
        x=f"Difference{',' if measure.percent else ''}{measure.difference_unit} (95 % interval over seeds)",
        y="",
        keep_zoom=metric,
        height=190 + 34 * len(rows),
    )
    return figure.update_layout(margin={"r": 90}).update_yaxes(
        categoryorder="array", categoryarray=labels, showgrid=False
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


def _means(cells: pd.DataFrame, arm: str, metric: str, gap: float) -> go.Scatter:
    measure, style = METRICS[metric], ARMS[arm]
    own = cells[cells["arm"] == arm]
    position = own["ratio"] * 100 + OFFSETS[arm] * gap
    if arm in ("real+duplicates", "real+synthetic"):
        # Both begin at 0 % added, which is the arm real.
        own = pd.concat([cells[cells["arm"] == "real"], own])
        position = pd.concat([pd.Series([0.0] * int((cells["arm"] == "real").sum())), position])
    mean = own["mean"] * measure.scale
    shown = own["arm"] == arm
    return go.Scatter(
        x=position,
        y=mean,
        error_y={
            "array": (own["high"] * measure.scale - mean).where(shown),
            "arrayminus": (mean - own["low"] * measure.scale).where(shown),
            "thickness": 2,
            "width": 5,
        },
        mode="lines+markers",
        line={"color": style.color, "width": 2.5},
        marker={"symbol": style.symbol, "size": [11 if own_point else 0 for own_point in shown], "color": style.color},
        unselected={"marker": {"opacity": 1}},
        name=style.title,
        legendgroup=arm,
        customdata=[
            [cell, ratio, None, n, measure.show(low), measure.show(high)]
            for cell, ratio, n, low, high in zip(
                own["arm"], own["ratio"], own["n"], own["low"], own["high"], strict=True
            )
        ],
        hoverlabel={"bgcolor": style.color, "font": {"color": "white"}},
        hovertemplate=(
            style.title + ", %{customdata[3]} trials<br>mean %{y:.2f}" + measure.unit + "<br>"
            "95 % interval %{customdata[4]} to %{customdata[5]}<extra></extra>"
        ),
    )


def _trials(trials: pd.DataFrame, metric: str, gap: float) -> go.Scatter:
    """Every trial as a dot; a seed has the same place in every cell, so that pairs can be followed."""
    measure = METRICS[metric]
    arm = str(trials["arm"].iloc[0])
    seeds = sorted(set(trials["seed"]))
    place = {seed: (i / max(len(seeds) - 1, 1) - 0.5) * 2 * JITTER for i, seed in enumerate(seeds)}
    return go.Scatter(
        x=trials["ratio"] * 100 + (TRIALS[arm] + trials["seed"].map(place)) * gap,
        y=trials[metric] * measure.scale,
        mode="markers",
        marker={"color": translucent(ARMS[arm].color, 0.55), "symbol": ARMS[arm].symbol, "size": 7},
        selected={"marker": {"color": ARMS[arm].color, "size": 13}},
        unselected={"marker": {"opacity": 1}},
        name=f"{ARMS[arm].title}, trials",
        legendgroup=arm,
        showlegend=False,
        customdata=trials[["arm", "ratio", "seed"]].to_numpy().tolist(),
        hoverlabel={"bgcolor": ARMS[arm].color, "font": {"color": "white"}},
        hovertemplate=(
            ARMS[arm].title + ", one trial<br>%{y:.2f}" + measure.unit + ", seed %{customdata[2]}<extra></extra>"
        ),
    )


def _band_of_real(figure: go.Figure, cells: pd.DataFrame, scale: float) -> None:
    """The interval of the arm real across the whole plot, to hold the other arms against."""
    real = cells[cells["arm"] == "real"]
    if real.empty or not np.isfinite(real["low"].iloc[0]):
        return
    figure.add_hrect(
        y0=real["low"].iloc[0] * scale,
        y1=real["high"].iloc[0] * scale,
        fillcolor=translucent(GREY, 0.15),
        line_width=0,
        layer="below",
    )
