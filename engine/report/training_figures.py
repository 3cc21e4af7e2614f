"""Figures of a generator's training, from the rows of `metrics.jsonl`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from engine.report.style import BLUE, GREEN, GREY, LINE, ORANGE, PINK, styled

Rows = Sequence[dict[str, Any]]

SHOWN = "Real images shown, kimg"
MAX_POINTS = 1000


def thinned(rows: Rows, limit: int = MAX_POINTS) -> list[dict[str, Any]]:
    """At most `limit` of the rows, evenly spaced, the last one always among them."""
    if len(rows) <= limit:
        return list(rows)
    last = len(rows) - 1
    return [rows[round(i * last / (limit - 1))] for i in range(limit)]


def figure_losses(rows: Rows) -> go.Figure:
    """The losses of both networks against kimg."""
    figure = go.Figure([_curve(rows, "g_loss", "Generator", BLUE), _curve(rows, "d_loss", "Discriminator", ORANGE)])
    return styled(figure, title="Losses", x=SHOWN, y="Loss", keep_zoom="losses")


def figure_d_outputs(rows: Rows) -> go.Figure:
    """What the discriminator believes of real and of generated images, against kimg."""
    figure = go.Figure([_curve(rows, "d_real", "Real images", GREEN), _curve(rows, "d_fake", "Generated images", PINK)])
    figure.add_hline(
        y=0.5,
        line={"dash": "dash", "color": LINE, "width": 1},
        annotation={"text": "cannot tell", "font": {"size": 11}},
    )
    styled(figure, title="D outputs", x=SHOWN, y="Mean probability of 'real'", keep_zoom="d-outputs")
    return figure.update_yaxes(range=[-0.02, 1.02])


def figure_gradients(rows: Rows) -> go.Figure:
    """Norms of both networks' gradients (logarithmic) against kimg: an early sign of an explosion."""
    figure = go.Figure(
        [_curve(rows, "g_grad_norm", "Generator", BLUE), _curve(rows, "d_grad_norm", "Discriminator", ORANGE)]
    )
    styled(figure, title="Gradient norms", x=SHOWN, y="Norm (log scale)", keep_zoom="gradients")
    return figure.update_yaxes(type="log")


def figure_throughput(rows: Rows) -> go.Figure:
    """Images trained per second against kimg."""
    figure = go.Figure([_curve(rows, "images_per_second", "Speed", GREY)])
    styled(figure, title="Throughput", x=SHOWN, y="Images per second", keep_zoom="throughput")
    return figure.update_layout(showlegend=False).update_yaxes(rangemode="tozero")


def _curve(rows: Rows, field: str, name: str, color: str) -> go.Scatter:
    kept = thinned(rows)
    return go.Scatter(
        x=[row["kimg"] for row in kept],
        y=[row.get(field) for row in kept],
        customdata=[[row["kimg"]] for row in kept],
        name=name,
        mode="lines+markers" if len(kept) == 1 else "lines",
        line={"color": color, "width": 2},
        hovertemplate="%{y:.3g} at %{x:.2f} kimg<extra>" + name + "</extra>",
    )
