"""Figures of a generator's training, from the rows of `metrics.jsonl`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from engine.report.style import BLUE, GREEN, GREY, LINE, ORANGE, PINK, styled, translucent

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


def figure_augmentation(rows: Rows) -> go.Figure:
    """ADA against kimg: the probability p of each augmentation, and r_t, how surely the discriminator knows reals."""
    figure = go.Figure([_curve(rows, "augment_p", "p", BLUE), _curve(rows, "r_t", "r_t", ORANGE)])
    styled(figure, title="Augmentation", x=SHOWN, y="p, and r_t from -1 to 1", keep_zoom="augmentation")
    return figure.update_yaxes(rangemode="tozero")


def figure_kid(rows: Rows) -> go.Figure:
    """KID of the snapshots against kimg, with its 95 % interval; 0 is no difference, and less can only be chance."""
    figure = _scores(rows, "kid", "KID", BLUE)
    both = _known(_known(rows, "kid_low"), "kid_high")
    if both:
        there, back = thinned(both), thinned(both)[::-1]
        band = go.Scatter(
            x=[row["kimg"] for row in (*there, *back)],
            y=[*(row["kid_high"] for row in there), *(row["kid_low"] for row in back)],
            fill="toself",
            fillcolor=translucent(BLUE, 0.18),
            line={"width": 0},
            mode="lines",
            name="95 % interval",
            hoverinfo="skip",
        )
        figure.add_trace(band)
    figure.add_hline(y=0, line={"color": LINE, "width": 1})
    return styled(figure, title="KID", x=SHOWN, y="KID to the training images", keep_zoom="kid")


def figure_fid(rows: Rows) -> go.Figure:
    """FID of the snapshots against kimg."""
    figure = _scores(rows, "fid", "FID", GREEN)
    x = SHOWN + "<br>Too high below 2048 images; compare within this run only"
    styled(figure, title="FID", x=x, y="FID to the training images", keep_zoom="fid", footer=True)
    return figure.update_layout(showlegend=False).update_yaxes(rangemode="tozero")


def figure_held_out(rows: Rows) -> go.Figure:
    """Mean logits of the discriminator on training, held-out and generated images against kimg.

    Held-out images begin beside the training images; where they drift towards the generated ones, it overfits.
    """
    judged = _known(rows, "valid_logits")
    fields = (
        ("train_logits", "Training", BLUE),
        ("valid_logits", "Held-out", GREEN),
        ("fake_logits", "Generated", PINK),
    )
    figure = go.Figure([_curve(judged, field, name, color, markers=True) for field, name, color in fields])
    return styled(figure, title="D on images it never saw", x=SHOWN, y="Mean logit", keep_zoom="held-out")


def figure_penalties(rows: Rows) -> go.Figure:
    """R1 and path length penalties, before their weights (logarithmic), against kimg."""
    figure = go.Figure(
        [_curve(_known(rows, "r1"), "r1", "R1", ORANGE), _curve(_known(rows, "pl"), "pl", "Path length", BLUE)]
    )
    styled(figure, title="Penalties", x=SHOWN, y="Penalty (log scale)", keep_zoom="penalties")
    return figure.update_yaxes(type="log")


def figure_diversity(rows: Rows) -> go.Figure:
    """How much the images of the sample grid differ, as a share of how much real ones do, against kimg."""
    figure = _scores(rows, "diversity", "Diversity", PINK)
    figure.add_hline(
        y=1, line={"dash": "dash", "color": LINE, "width": 1}, annotation={"text": "real images", "font": {"size": 11}}
    )
    styled(figure, title="Diversity of the samples", x=SHOWN, y="Mean distance, real = 1", keep_zoom="diversity")
    return figure.update_layout(showlegend=False).update_yaxes(rangemode="tozero")


def _scores(rows: Rows, field: str, name: str, color: str) -> go.Figure:
    """A curve over the snapshots, each with its marker."""
    return go.Figure([_curve(_known(rows, field), field, name, color, markers=True)])


def _known(rows: Rows, field: str) -> list[dict[str, Any]]:
    """The rows that have the field: not every tick has every number, and a line would break at those without."""
    return [row for row in rows if row.get(field) is not None]


def _curve(rows: Rows, field: str, name: str, color: str, markers: bool = False) -> go.Scatter:
    kept = thinned(rows)
    return go.Scatter(
        x=[row["kimg"] for row in kept],
        y=[row.get(field) for row in kept],
        customdata=[[row["kimg"]] for row in kept],
        name=name,
        mode="lines+markers" if markers or len(kept) == 1 else "lines",
        line={"color": color, "width": 2},
        hovertemplate="%{y:.3g} at %{x:.2f} kimg<extra>" + name + "</extra>",
    )
