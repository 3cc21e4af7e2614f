"""The learning curve of the real images as a figure and a table, and the planned looks as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from engine.report.style import BLUE, GREY, styled
from engine.report.tables import METRICS, show_share
from engine.sweep.learning_curve import LearningCurve, more_images
from engine.sweep.look_results import LookResult
from engine.sweep.looks import SPENDING, Spending
from engine.sweep.verdict_words import percent


def figure_learning_curve(curve: LearningCurve) -> go.Figure:
    """The metric against the number of real images, and the ceiling of more of them.

    An interval at a share is that of the paired difference to all real images; it is drawn about the share's own mean.
    """
    measure, scale = METRICS[curve.metric], METRICS[curve.metric].scale
    level = percent(1 - curve.alpha)
    means = [*(point.mean for point in curve.points), curve.mean]
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(
            x=[*(point.n_real for point in curve.points), curve.n_real],
            y=[scale * mean for mean in means],
            error_y={
                "array": [*(scale * (point.gain - point.low) for point in curve.points), 0],
                "arrayminus": [*(scale * (point.high - point.gain) for point in curve.points), 0],
                "thickness": 2,
                "width": 5,
            },
            mode="lines+markers",
            line={"color": GREY, "width": 2.5},
            marker={"size": 11, "symbol": [*("circle-open" for _ in curve.points), "circle"], "color": GREY},
            name=f"Real images ({level}: of the difference to all of them)",
            hovertemplate="%{x} real images<br>mean %{y:.2f}" + measure.unit + "<extra></extra>",
        )
    )
    if math.isfinite(curve.ceiling):
        figure.add_trace(
            go.Scatter(
                x=[curve.n_real, curve.n_real * (1 + curve.more)],
                y=[scale * curve.mean, scale * (curve.mean + curve.ceiling)],
                error_y={
                    "array": [0, scale * (curve.high - curve.ceiling)],
                    "arrayminus": [0, scale * (curve.ceiling - curve.low)],
                    "thickness": 2,
                    "width": 5,
                },
                mode="lines+markers",
                line={"color": BLUE, "width": 2, "dash": "dot"},
                marker={"size": [0, 11], "symbol": "triangle-up-open", "color": BLUE},
                name=f"At most with {more_images(curve)}",
                hovertemplate=(
                    "%{x:.0f} real images<br>an estimated %{y:.2f}" + measure.unit + " at most<extra></extra>"
                ),
            )
        )
    styled(
        figure,
        title=f"{measure.title} against the number of real images",
        x="Real training images",
        y=f"{measure.title}{', %' if measure.percent else ''}",
        keep_zoom=f"curve-{curve.metric}",
        height=380,
    )
    return figure.update_xaxes(rangemode="nonnegative")


def readable_curve(curve: LearningCurve) -> pd.DataFrame:
    """One row a share of the real images, and the ceiling, in words and units."""
    measure = METRICS[curve.metric]
    rows = [
        (
            show_share(point.share),
            f"{point.n_real}",
            measure.show(point.mean),
            measure.show_difference(point.gain),
            measure.show_interval(point.low, point.high, signed=True),
        )
        for point in curve.points
    ]
    rows.append(("100 %", f"{curve.n_real}", measure.show(curve.mean), "", ""))
    rows.append(
        (
            show_share(1 + curve.more),
            f"{curve.n_real * (1 + curve.more):.0f}",
            "at most",
            measure.show_difference(curve.ceiling),
            measure.show_interval(curve.low, curve.high, signed=True),
        )
    )
    columns = ["Share of the real images", "Images", measure.title, "What the rest brought", percent(1 - curve.alpha)]
    return pd.DataFrame(rows, columns=columns)


def readable_looks(looks: Sequence[LookResult]) -> pd.DataFrame:
    """One row a look: what it could spend, and what it found."""
    return pd.DataFrame(
        [
            {
                "Look": f"{look.number} of {look.of}" if look.planned else "not planned",
                "Repetitions": look.seeds,
                "Information": percent_or_dash(look.fraction),
                "Alpha spent": percent_or_dash(look.spent),
                "Nominal alpha": percent_or_dash(look.alpha),
                "Verdict": look.verdict.verdict if look.planned else "exploratory",
            }
            for look in looks
        ]
    )


def percent_or_dash(share: float) -> str:
    return percent(share) if math.isfinite(share) else "–"


def looks_in_words(looks: Sequence[int], spending: Spending) -> str:
    """How alpha was shared, for the methods paragraph."""
    return (
        f"The verdict could be read after {', '.join(map(str, looks[:-1]))} and {looks[-1]} repetitions; alpha was "
        f"shared among these looks by the spending function of {SPENDING[spending]} type (Lan and DeMets 1983), with "
        "the information of the differences as estimated at each look."
        if len(looks) > 1
        else ""
    )
