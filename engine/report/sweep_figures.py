"""The plot of a sweep: what synthetic images did to the classifier beside its controls, and by how much."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from engine.configs import SweepConfig
from engine.configs.evaluation import LEARNING_CURVE
from engine.report.difference_panel import Differences, add_differences, differences_of, short
from engine.report.style import ARMS, GREY, LINE, dash_of, styled, translucent
from engine.report.sweep_axis import SweepAxis
from engine.report.tables import METRICS, cell_table, measure_of
from engine.sweep.arms import baseline_of, has_ratios
from engine.sweep.summary_model import SweepSummary

UPPER, BETWEEN, LOWER = 0.56, 0.12, 0.32
"""Of the plot's height: the panel of the metric, the gap for the title of the other, and the panel of differences."""
HEIGHT, ALONE = 500, 380
"""Pixels of both panels with their titles, and of the upper one alone."""
MARGINS = {"l": 56, "r": 78, "t": 64, "b": 76}
LETTERS = 15
"""Pixels that the name at the end of a line takes."""
SEEDS_JOINED = 64
"""Of more seeds than these the dots are not joined."""


def figure_sweep(
    trials: pd.DataFrame,
    summary: SweepSummary | None = None,
    metric: str = "accuracy",
    title: str = "",
    *,
    arms: Sequence[str] | None = None,
    config: SweepConfig | None = None,
    intervals: pd.DataFrame | None = None,
    differences: bool = True,
) -> go.Figure:
    """Two panels over the synthetic images added: the metric of every arm, and the paired difference that decides.

    Above every arm's mean with its interval, its trials behind it; `intervals` are `engine.sweep.arm_intervals`: for
    other seeds and test patients. Below the differences of the arm of the verdict to its control and to the real
    images alone, with the intervals that the verdict uses. They are of `summary`, so that without one (or with
    `differences` off: where the trials are counted otherwise than the verdict counts them) the upper panel stands
    alone.

    `customdata` of every dot is `[arm, ratio, seed]`, of every mean `[arm, ratio, None, ...]`; the line that joins the
    dots of a seed has `meta` `{"seed": seed}` and is not seen until somebody points at one of them. Works on the
    trials of a sweep that is still running; `arms` shows some only, `config` says what a percentage counts.
    """
    measure = measure_of(metric, summary.positive_class if summary else config.positive_class if config else "")
    trials = trials[trials["arm"] != LEARNING_CURVE]  # its shares are of the real images: a figure of its own
    if arms is not None:
        trials = trials[trials["arm"].isin(arms)]
    cells = cell_table(trials, metric, intervals)
    shown = [arm for arm in ARMS if (cells["arm"] == arm).any()]
    axis = SweepAxis.of(shown, [float(ratio) for ratio in trials["ratio"]])
    found = differences_of(summary, config, shown, metric) if summary is not None and differences else None
    found = found if found is not None and found.families else None
    figure = make_subplots(
        rows=2 if found else 1,
        cols=1,
        shared_xaxes=True,
        vertical_spacing=BETWEEN if found else 0,
        row_heights=[UPPER, LOWER] if found else None,
    )
    for trace in [
        *_joined(trials, metric, axis),
        *(_trials(trials[trials["arm"] == arm], metric, axis) for arm in shown),
        *(_means(cells, arm, metric, axis) for arm in shown),
    ]:
        figure.add_trace(trace, **({"row": 1, "col": 1} if found else {}))
    low, high = _fitted(trials[metric], cells, measure.scale)
    styled(
        figure,
        title=title or f"{measure.title} on {_test_words(config)}",
        x="",
        y="",
        keep_zoom=metric,
        height=HEIGHT if found else ALONE,
    )
    ticks = axis.ticks(mean=found is not None and found.has_mean)
    figure.update_xaxes(
        tickvals=list(ticks), ticktext=list(ticks.values()), range=axis.range, showgrid=False, zeroline=False,
        tickangle=0, tickfont={"size": 11},
    )  # fmt: skip
    bottom = {"row": 2, "col": 1} if found else {}
    figure.update_xaxes(title={"text": _share_title(shown, config), "font": {"size": 13}, "standoff": 6}, **bottom)
    upper = {"row": 1, "col": 1} if found else {}
    figure.update_yaxes(
        title={"text": f"{_first(measure.title)}{', %' if measure.percent else ''}", "font": {"size": 13}},
        range=[low, high],
        **upper,
    )
    inside = (HEIGHT if found else ALONE) - MARGINS["t"] - MARGINS["b"]
    height = inside * (UPPER if found else 1)
    _name_lines(figure, cells, shown, axis, measure.scale, (low, high), height)
    _chance_note(figure, metric, summary, (low, high))
    if found is not None:
        add_differences(figure, found, axis, metric)
        _title_below(figure, found, metric)
    return figure.update_layout(
        margin=MARGINS, showlegend=False, clickmode="event+select", dragmode="zoom", title={"font": {"size": 15}}
    )


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


def share_note(arms: Sequence[str], config: SweepConfig | None) -> str:
    """What a percentage counts in this sweep, to stand below the plot."""
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
    return " ".join(lines)


def how_to_read() -> str:
    """The marks of the plot in a sentence."""
    return (
        "Large symbols are means over the seeds with 95 % intervals for other seeds and test patients, small ones "
        "single trials. Arms share their test images, so overlapping intervals above say nothing of a difference: "
        "it is judged seed by seed, below."
    )


def _test_words(config: SweepConfig | None) -> str:
    with_synthetic = config is not None and "synthetic-in-test" in config.flaws
    return "real and synthetic test images" if with_synthetic else "real test images"


def _first(title: str) -> str:
    """A metric without what stands in brackets behind it, which the title of the figure has."""
    return title.split(" (")[0]


def _share_title(arms: Sequence[str], config: SweepConfig | None) -> str:
    gap = config is not None and config.ratio_of == "gap"
    added = all(arm.startswith("real") for arm in arms)
    of = "what a class lacks" if gap else "the real ones"
    return f"Synthetic images {'added' if added else 'used'}, % of {of}"


def _fitted(values: pd.Series, cells: pd.DataFrame, scale: float) -> tuple[float, float]:
    """Ends of y: all trials and intervals with a little room, and nothing else."""
    seen = np.concatenate([values.to_numpy(float), cells[["mean", "low", "high"]].to_numpy(float).ravel()]) * scale
    seen = seen[np.isfinite(seen)]
    if not len(seen):
        return 0.0, scale
    room = 0.05 * (np.ptp(seen) or 0.1 * scale)
    return float(seen.min() - room), float(seen.max() + room)


def _means(cells: pd.DataFrame, arm: str, metric: str, axis: SweepAxis) -> go.Scatter:
    measure, style = METRICS[metric], ARMS[arm]
    own = cells[cells["arm"] == arm].sort_values("ratio")
    position = [axis.place(arm, ratio) for ratio in own["ratio"]]
    if has_ratios(arm) and baseline_of(arm) == "real" and not arm.startswith("synthetic"):
        begin = cells[cells["arm"] == "real"]  # at 0 % these arms are the real images alone
        own = pd.concat([begin, own])
        position = [0.0] * len(begin) + position
    mean = own["mean"] * measure.scale
    shown = own["arm"] == arm
    return go.Scatter(
        x=position,
        y=mean,
        error_y={
            "array": (own["high"] * measure.scale - mean).where(shown),
            "arrayminus": (mean - own["low"] * measure.scale).where(shown),
            "color": translucent(style.color, 0.75),
            "thickness": 1.5,
            "width": 4,
        },
        mode="lines+markers",
        line={"color": style.color, "width": 3 if "synthetic" in arm else 2, "dash": dash_of(arm)},
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


def _trials(trials: pd.DataFrame, metric: str, axis: SweepAxis) -> go.Scatter:
    """Every trial as a dot behind its mean."""
    measure = METRICS[metric]
    arm = str(trials["arm"].iloc[0])
    return go.Scatter(
        x=_places(trials, arm, axis),
        y=trials[metric] * measure.scale,
        mode="markers",
        marker={"color": translucent(ARMS[arm].color, 0.5), "symbol": ARMS[arm].symbol, "size": 6},
        selected={"marker": {"color": ARMS[arm].color, "size": 13}},
        unselected={"marker": {"opacity": 1}},
        name=f"{ARMS[arm].title}, trials",
        legendgroup=arm,
        showlegend=False,
        customdata=trials[["arm", "ratio", "seed"]].to_numpy(dtype=object),
        hoverlabel={"bgcolor": ARMS[arm].color, "font": {"color": "white"}},
        hovertemplate=(
            ARMS[arm].title + ", one trial<br>%{y:.2f}" + measure.unit + ", seed %{customdata[2]}<extra></extra>"
        ),
    )


def _places(trials: pd.DataFrame, arm: str, axis: SweepAxis) -> list[float]:
    """x of the dots: about the mean of their arm and share, a seed at the same place in every cell."""
    seeds = sorted(set(trials["seed"]))
    middle, most = (len(seeds) - 1) / 2, 0.3 * axis.width
    aside = {seed: most * (place - middle) / max(middle, 1) for place, seed in enumerate(seeds)}
    return [axis.place(arm, ratio) + aside[seed] for ratio, seed in zip(trials["ratio"], trials["seed"], strict=True)]


def _joined(trials: pd.DataFrame, metric: str, axis: SweepAxis) -> list[go.Scatter]:
    """The dots of each seed joined, arm by arm: invisible until somebody points at one (`seed_lines.js`)."""
    seeds = sorted(set(trials["seed"]))
    if len(seeds) < 2 or len(seeds) > SEEDS_JOINED:
        return []
    scale, points = METRICS[metric].scale, []
    for arm, own in trials.groupby("arm", sort=False):
        points.append(own.assign(x=_places(own, str(arm), axis)))
    placed = pd.concat(points).sort_values("x")
    return [
        go.Scatter(
            x=own["x"],
            y=own[metric] * scale,
            mode="lines",
            line={"color": LINE, "width": 1.5},
            opacity=0,
            hoverinfo="skip",
            showlegend=False,
            name=f"Seed {int(own['seed'].iloc[0])}",
            meta={"seed": int(own["seed"].iloc[0])},
            customdata=[[None, None, None]] * len(own),
        )
        for _, own in placed.groupby("seed")
    ]


def _name_lines(
    figure: go.Figure,
    cells: pd.DataFrame,
    arms: Sequence[str],
    axis: SweepAxis,
    scale: float,
    ends: tuple[float, float],
    height: float,
) -> None:
    """The name of each line at its right end, pushed apart where they would lie on each other."""
    last = {}
    for arm in arms:
        own = cells[cells["arm"] == arm].sort_values("ratio")
        if has_ratios(arm):
            last[arm] = (axis.slot(float(own["ratio"].iloc[-1])), float(own["mean"].iloc[-1]) * scale)
    low, high = ends
    apart = LETTERS * (high - low) / height
    heights = spread([y for _, y in last.values()], apart, low + apart / 2, high - apart / 2)
    for (arm, (x, _)), y in zip(last.items(), heights, strict=True):
        figure.add_annotation(
            x=x + len(axis.side_by_side) / 2 * axis.width + 0.04,
            y=y,
            xref="x",
            yref="y",
            xanchor="left",
            text=short(arm),
            showarrow=False,
            align="left",
            font={"color": ARMS[arm].color, "size": 12},
            name="end",
        )


def spread(places: Sequence[float], apart: float, low: float, high: float) -> list[float]:
    """The places moved as little as keeps them `apart`, in their order, and where they fit between `low` and `high`."""
    order = np.argsort(places, kind="stable")
    moved = np.clip(np.array(places, float)[order], low, high)
    for place in range(1, len(moved)):
        moved[place] = max(moved[place], moved[place - 1] + apart)
    if len(moved) and moved[-1] > high:
        moved[-1] = high
        for place in range(len(moved) - 2, -1, -1):
            moved[place] = min(moved[place], moved[place + 1] - apart)
    found = np.empty(len(moved))
    found[order] = moved
    return found.tolist()


def _chance_note(figure: go.Figure, metric: str, summary: SweepSummary | None, ends: tuple[float, float]) -> None:
    """What needs no learning, as a note above the plot: as a line it would stretch the axis."""
    level = chance_level(metric, summary)
    if level is None:
        return
    value, words = level
    scaled = value * METRICS[metric].scale
    beyond = ", below this plot" if scaled < ends[0] else ", above this plot" if scaled > ends[1] else ""
    figure.add_annotation(
        text=f"{words[0].upper()}{words[1:]}: {METRICS[metric].show(value)}{beyond}",
        xref="paper", yref="paper", x=0, y=1, xanchor="left", yanchor="bottom", showarrow=False,
        font={"size": 11, "color": GREY}, name="chance",
    )  # fmt: skip


def _title_below(figure: go.Figure, found: Differences, metric: str) -> None:
    """What the lower panel is, and whose marks are whose."""
    measure = METRICS[metric]
    marks = []
    for place, family in enumerate(found.families):
        style = ARMS[family[0].against]
        mark = {"diamond": "◆◇", "circle": "●○", "square": "■□", "hexagon": "⬢⬡"}.get(
            style.symbol.removesuffix("-open"), "●○"
        )[min(place, 1)]
        marks.append(f"<span style='color:{style.color}'>{mark}</span> {short(found.arm)} − {short(family[0].against)}")
    kind = "improvement" if measure.loss else "difference"
    figure.add_annotation(
        text=f"<b>Paired {kind}</b>, {found.interval_words}<br>{'  '.join(marks)}",
        xref="paper", yref="paper", x=0, xshift=-44, y=LOWER + 0.004, xanchor="left", yanchor="bottom", showarrow=False,
        align="left", font={"size": 12}, name="differences",
    )  # fmt: skip
    unit = "Points" if measure.percent else kind.capitalize()
    figure.update_yaxes(title={"text": unit, "font": {"size": 13}}, row=2, col=1)
