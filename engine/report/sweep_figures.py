"""The figure of a sweep: what synthetic images did to the classifier, beside its controls."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from engine.configs import SweepConfig
from engine.configs.evaluation import LEARNING_CURVE
from engine.report.style import ARMS, GREY, LINE, styled, translucent
from engine.report.tables import METRICS, cell_table, measure_of, show_share
from engine.sweep.arms import baseline_of, has_ratios
from engine.sweep.summary_model import SweepSummary

# Places along x, in 25ths of the gap between two ratios (points of percentage at 0, 25, 50, 75 and 100 %).
ROOM = 18.0
"""What the arms at one ratio take together at most."""
WIDEST = 4.6
"""What one arm takes at most: its mean, and beside it its trials."""
NOTE_WIDTH = 110
"""Characters in a line below the x axis; more would be cut off on paper."""
CLASSICAL_AT = -7.0
"""Place of the arm real+classical, which has no ratio."""


def figure_sweep(
    trials: pd.DataFrame,
    summary: SweepSummary | None = None,
    metric: str = "accuracy",
    title: str = "",
    *,
    arms: Sequence[str] | None = None,
    config: SweepConfig | None = None,
    intervals: pd.DataFrame | None = None,
) -> go.Figure:
    """A metric of the classifier against the synthetic percentage: means with intervals, and every trial as a dot.

    `intervals` are `engine.sweep.arm_intervals`: for other seeds and test patients.

    `customdata` of every dot is `[arm, ratio, seed]`. Works on the trials of a sweep that is still running;
    `summary` adds the majority baseline, `arms` shows some only, `config` says what a percentage counts.
    """
    measure = measure_of(metric, summary.positive_class if summary else config.positive_class if config else "")
    trials = trials[trials["arm"] != LEARNING_CURVE]  # its shares are of the real images: a figure of its own
    if arms is not None:
        trials = trials[trials["arm"].isin(arms)]
    cells = cell_table(trials, metric, intervals)
    shown = [arm for arm in ARMS if (cells["arm"] == arm).any()]
    ratios = sorted({0.0, *trials["ratio"]})
    gap = 4 * min(np.diff(ratios), default=0.25)
    places = {arm: (centre * gap, width * gap) for arm, (centre, width) in _places(shown).items()}
    figure = go.Figure()
    _band_of_real(figure, cells, measure.scale)
    for arm in shown:
        figure.add_trace(_trials(trials[trials["arm"] == arm], metric, *places[arm]))
    for arm in shown:
        figure.add_trace(_means(cells, arm, metric, places))
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
    many = len(shown) > 4
    styled(
        figure,
        title=title or f"{measure.title} against the share of synthetic images",
        x=_share_words(shown, config),
        y=f"{measure.title}{', %' if measure.percent else ''} ({_test_words(config)})",
        keep_zoom=metric,
        height=560 if many else 480,
        footer=True,
    )
    if many:  # the legend takes several lines; below the axis it has room for them
        figure.update_layout(
            margin={"t": 56, "b": 170},
            legend={"yref": "container", "y": 0.0, "yanchor": "bottom", "font": {"size": 12}},
        )
    left = min(centre - width for centre, width in places.values()) if places else 0.0
    right = max((centre + width for arm, (centre, width) in places.items() if has_ratios(arm)), default=gap)
    figure.update_xaxes(tickvals=[100 * ratio for ratio in ratios], ticktext=[show_share(ratio) for ratio in ratios])
    figure.update_xaxes(range=[left - gap, 100 * max(ratios) + right + gap], showgrid=False, zeroline=False)
    values = trials[metric].dropna() * measure.scale
    ends = (cells[["low", "high"]] * measure.scale).to_numpy().ravel()
    seen = [*values, *levels, *ends[np.isfinite(ends)]]
    lowest, highest = min(seen), max(seen)
    room = 0.06 * (highest - lowest or measure.scale)
    figure.update_yaxes(range=[lowest - room, highest + room])
    return figure.update_layout(clickmode="event+select", dragmode="zoom")


def chance_level(metric: str, summary: SweepSummary | None) -> tuple[float, str] | None:
    """The value that needs no learning, and its name; None where there is no single one."""
    if summary is None:
        return None
    levels = {
        "accuracy": (summary.majority_accuracy, "always the largest class"),
        "balanced_accuracy": (1 / len(summary.classes), "always one class"),
        "auroc": (0.5, "chance"),
    }
    value, words = levels.get(metric, (math.nan, ""))
    return None if math.isnan(value) else (value, words)


def _test_words(config: SweepConfig | None) -> str:
    with_synthetic = config is not None and "synthetic-in-test" in config.flaws
    return "real and synthetic test images" if with_synthetic else "real test images"


def _share_words(arms: Sequence[str], config: SweepConfig | None) -> str:
    """The title of the x axis, and below it what a percentage counts in this sweep."""
    gap = config is not None and config.ratio_of == "gap"
    lines = []
    if any(arm.startswith("real+") and has_ratios(arm) for arm in arms) or not any(map(has_ratios, arms)):
        one = "all that a class lacks to the largest one" if gap else "one synthetic image for each real one"
        lines.append(f"Added to the real images, never instead of them: 100 % = {one}.")
    if any(arm.startswith("replaced") for arm in arms):
        lines.append("In the replaced arms so many reals give way, and the total stays.")
    if any(arm.startswith("synthetic") for arm in arms):
        lines.append("Synthetic only: 100 % = as many as there are reals.")
    if config is not None and config.extra_classes:
        lines.append(f"Only {' and '.join(config.extra_classes)} gets images.")
    if config is not None and config.epochs:
        times = "once" if config.epochs == 1 else f"{config.epochs} times"
        lines.append(f"Every trial passes {times} over its own images: larger sets are trained for longer.")
    elif config is None or not (config.patience or config.head == "probe"):
        lines.append("All arms take equally many optimiser steps.")
    note = "<br>".join(textwrap.wrap(" ".join(lines), NOTE_WIDTH))
    unit = "Share of what a class lacks, %" if gap else "Images per class, % of its real training images"
    return f"{unit}<br><span style='font-size: 11px'>{note}</span>"


def _places(arms: Sequence[str]) -> dict[str, tuple[float, float]]:
    """For each arm the middle of its place beside a percentage, and half the width of that place."""
    side_by_side = [arm for arm in arms if has_ratios(arm)]
    width = min(WIDEST, ROOM / max(1, len(side_by_side)))
    places = {arm: (width * (index - (len(side_by_side) - 1) / 2), width / 2) for index, arm in enumerate(side_by_side)}
    return {"real": (0.0, WIDEST / 2), "real+classical": (CLASSICAL_AT, WIDEST / 2)} | places


def _means(cells: pd.DataFrame, arm: str, metric: str, places: dict[str, tuple[float, float]]) -> go.Scatter:
    measure, style = METRICS[metric], ARMS[arm]
    own = cells[cells["arm"] == arm]
    centre, half = places[arm]
    position = own["ratio"] * 100 + centre - half * 0.4
    if has_ratios(arm) and arm.startswith(("real", "replaced")):
        # At 0 % these arms are the real images alone, augmented as they are themselves.
        begin = cells[cells["arm"] == baseline_of(arm)]
        own = pd.concat([begin, own])
        position = pd.concat([pd.Series([places[baseline_of(arm) or ""][0]] * len(begin), dtype=float), position])
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
        line={"color": style.color, "width": 2.5, "dash": style.dash},
        marker={
            "symbol": style.symbol,
            "size": [11 if own_point else 0 for own_point in shown],
            "color": style.color,
            # Where sizes differ, Plotly outlines dots in white; hollow symbols are nothing but their line.
            "line": {"width": 2 if style.symbol.endswith("-open") else 0},
            "opacity": 1,
        },
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
            style.title + ", %{customdata[3]} seeds<br>mean %{y:.2f}" + measure.unit + "<br>"
            "95 % for other seeds and patients: %{customdata[4]} to %{customdata[5]}<extra></extra>"
        ),
    )


def _trials(trials: pd.DataFrame, metric: str, centre: float, half: float) -> go.Scatter:
    """Every trial as a dot; a seed has the same place in every cell, so that pairs can be followed."""
    measure = METRICS[metric]
    arm = str(trials["arm"].iloc[0])
    seeds = sorted(set(trials["seed"]))
    jitter = 0.45 * half
    place = {seed: (i / max(len(seeds) - 1, 1) - 0.5) * 2 * jitter for i, seed in enumerate(seeds)}
    return go.Scatter(
        x=trials["ratio"] * 100 + centre + 0.5 * half + trials["seed"].map(place),
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
    """The interval of the arm real across the whole plot: how far other patients alone could move any arm."""
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
