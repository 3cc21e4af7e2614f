"""Figures of a generator's training, from the rows of `metrics.jsonl`: of one run, or of several overlaid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from engine.report.style import BLUE, GREEN, GREY, LINE, ORANGE, PINK, RED, SKY, styled, translucent
from engine.report.thinning import kept_places
from engine.report.training_rows import Rows as Columns

Rows = Sequence[dict[str, Any]]

AXES = {"kimg": "Real images shown, kimg", "hours": "Time trained, hours"}
SHOWN = AXES["kimg"]
MARKED = 80
"""Most points that get a marker each: more would touch, and a browser draws every one of them."""
RUN_COLORS = (BLUE, ORANGE, GREEN, PINK, RED, SKY)
"""Of overlaid runs, in the order in which they were chosen: the same in every figure."""


@dataclass(frozen=True)
class View:
    """How a reader wants to see the curves."""

    x: Literal["kimg", "hours"] = "kimg"
    smoothing: float = 0.0
    """Weight of what came before in a running mean, from 0 (none) to below 1; the numbers themselves stay behind it."""
    log: bool = False
    """Losses and scores on a logarithmic axis."""
    best: float | None = None
    """Kimg of the best checkpoint, marked in every figure."""

    def places(self, rows: Columns) -> np.ndarray:
        """Where rows lie on the x axis, `[len(rows)]`."""
        if self.x == "kimg":
            return rows.column("kimg")
        return np.nan_to_num(rows.column("seconds")) / 3600


PLAIN = View()


def smoothed(values: Sequence[float | None], weight: float) -> list[float | None]:
    """Running mean in which each value before counts `weight` times the next, not drawn towards 0 at the beginning."""
    mean, total, found = 0.0, 0.0, list[float | None]()
    for value in values:
        if value is None or not math.isfinite(value):
            found.append(None)
            continue
        mean, total = weight * mean + (1 - weight) * value, weight * total + (1 - weight)
        found.append(mean / total)
    return found


def figure_losses(rows: Rows, view: View = PLAIN) -> go.Figure:
    """The losses of both networks."""
    figure = go.Figure(
        [*_curve(rows, "g_loss", "Generator", BLUE, view), *_curve(rows, "d_loss", "Discriminator", ORANGE, view)]
    )
    return _finished(figure, rows, view, title="Losses", y="Loss", keep_zoom="losses", log=view.log)


def figure_d_outputs(rows: Rows, view: View = PLAIN) -> go.Figure:
    """What the discriminator believes of real and of generated images."""
    figure = go.Figure(
        [*_curve(rows, "d_real", "Real images", GREEN, view), *_curve(rows, "d_fake", "Generated images", PINK, view)]
    )
    _level(figure, 0.5, "cannot tell")
    _finished(figure, rows, view, title="D outputs", y="Mean probability of 'real'", keep_zoom="d-outputs")
    return figure.update_yaxes(range=[-0.02, 1.02])


def figure_gradients(rows: Rows, view: View = PLAIN) -> go.Figure:
    """Norms of both networks' gradients (logarithmic): an early sign of an explosion."""
    figure = go.Figure(
        [
            *_curve(rows, "g_grad_norm", "Generator", BLUE, view),
            *_curve(rows, "d_grad_norm", "Discriminator", ORANGE, view),
        ]
    )
    return _finished(figure, rows, view, title="Gradient norms", y="Norm", keep_zoom="gradients", log=True)


def figure_throughput(rows: Rows, view: View = PLAIN) -> go.Figure:
    """Images trained per second."""
    figure = go.Figure(_curve(rows, "images_per_second", "Speed", GREY, view))
    _finished(figure, rows, view, title="Throughput", y="Images per second", keep_zoom="throughput")
    return figure.update_layout(showlegend=False).update_yaxes(rangemode="tozero")


def figure_augmentation(rows: Rows, view: View = PLAIN) -> go.Figure:
    """ADA: the probability p of each augmentation, and r_t, how surely the discriminator knows reals."""
    figure = go.Figure([*_curve(rows, "augment_p", "p", BLUE, view), *_curve(rows, "r_t", "r_t", ORANGE, view)])
    _finished(figure, rows, view, title="Augmentation", y="p, and r_t from -1 to 1", keep_zoom="augmentation")
    return figure.update_yaxes(rangemode="tozero")


def figure_kid(rows: Rows, view: View = PLAIN) -> go.Figure:
    """KID of the snapshots, with its 95 % interval; 0 is no difference, and less can only be chance."""
    figure = _scores(rows, "kid", "KID", BLUE, view)
    both = _known(_known(rows, "kid_low"), "kid_high")
    if len(both):
        both = both.taken(kept_places(both.column("kid_high")))
        there = view.places(both)
        band = go.Scatter(
            x=np.concatenate([there, there[::-1]]),
            y=np.concatenate([both.column("kid_high"), both.column("kid_low")[::-1]]),
            fill="toself",
            fillcolor=translucent(BLUE, 0.18),
            line={"width": 0},
            mode="lines",
            name="95 % interval",
            hoverinfo="skip",
        )
        figure.add_trace(band)
    figure.add_hline(y=0, line={"color": LINE, "width": 1})
    return _finished(figure, rows, view, title="KID", y="KID to the training images", keep_zoom="kid")


def figure_fid(rows: Rows, view: View = PLAIN) -> go.Figure:
    """FID of the snapshots."""
    figure = _scores(rows, "fid", "FID", GREEN, view)
    note = "Too high below 2048 images; compare within this run only"
    _finished(figure, rows, view, title="FID", y="FID to the training images", keep_zoom="fid", note=note, log=view.log)
    figure.update_layout(showlegend=False)
    return figure if view.log else figure.update_yaxes(rangemode="tozero")


def figure_held_out(rows: Rows, view: View = PLAIN) -> go.Figure:
    """Mean logits of the discriminator on training, held-out and generated images.

    Held-out images begin beside the training images; where they drift towards the generated ones, it overfits.
    """
    judged = _known(rows, "valid_logits")
    fields = (
        ("train_logits", "Training", BLUE),
        ("valid_logits", "Held-out", GREEN),
        ("fake_logits", "Generated", PINK),
    )
    figure = go.Figure(
        [trace for field, name, color in fields for trace in _curve(judged, field, name, color, view, markers=True)]
    )
    return _finished(figure, rows, view, title="D on images it never saw", y="Mean logit", keep_zoom="held-out")


def figure_penalties(rows: Rows, view: View = PLAIN) -> go.Figure:
    """R1 and path length penalties, before their weights (logarithmic)."""
    figure = go.Figure(
        [
            *_curve(_known(rows, "r1"), "r1", "R1", ORANGE, view),
            *_curve(_known(rows, "pl"), "pl", "Path length", BLUE, view),
        ]
    )
    return _finished(figure, rows, view, title="Penalties", y="Penalty", keep_zoom="penalties", log=True)


def figure_diversity(rows: Rows, view: View = PLAIN) -> go.Figure:
    """How much the images of the sample grid differ, as a share of how much real ones do."""
    figure = _scores(rows, "diversity", "Diversity", PINK, view)
    _level(figure, 1, "real images")
    _finished(figure, rows, view, title="Diversity of the samples", y="Mean distance, real = 1", keep_zoom="diversity")
    return figure.update_layout(showlegend=False).update_yaxes(rangemode="tozero")


@dataclass(frozen=True)
class Curve:
    """One number of a training, as it is laid over that of other runs."""

    title: str
    y: str
    log: Literal["always", "asked", "never"] = "never"
    at_snapshots: bool = False
    """Only rows of snapshots have it: each is marked, and none is smoothed away."""


CURVES: dict[str, Curve] = {
    "g_loss": Curve("Generator's loss", "Loss", "asked"),
    "d_loss": Curve("Discriminator's loss", "Loss", "asked"),
    "d_real": Curve("D on real images", "Mean probability of 'real'"),
    "d_fake": Curve("D on generated images", "Mean probability of 'real'"),
    "augment_p": Curve("Augmentation p", "p"),
    "r_t": Curve("r_t", "r_t, from -1 to 1"),
    "valid_logits": Curve("D on held-out images", "Mean logit", at_snapshots=True),
    "kid": Curve("KID", "KID to the training images", at_snapshots=True),
    "fid": Curve("FID", "FID to the training images", "asked", at_snapshots=True),
    "diversity": Curve("Diversity of the samples", "Mean distance, real = 1", at_snapshots=True),
    "g_grad_norm": Curve("Generator's gradient", "Norm", "always"),
    "d_grad_norm": Curve("Discriminator's gradient", "Norm", "always"),
    "images_per_second": Curve("Throughput", "Images per second"),
}
"""Fields of the rows that runs can be compared in, in the order of the page."""


def figure_overlay(runs: Mapping[str, Rows], field: str, view: View = PLAIN) -> go.Figure:
    """One number of several runs, by their names; a run without it has an empty curve, so that colours stay."""
    curve = CURVES[field]
    figure = go.Figure(
        [
            trace
            for (name, rows), color in zip(runs.items(), RUN_COLORS, strict=False)
            for trace in _curve(_known(rows, field), field, name, color, view, markers=curve.at_snapshots)
        ]
    )
    log = curve.log == "always" or (curve.log == "asked" and view.log)
    _finished(figure, [], view, title=curve.title, y=curve.y, keep_zoom=f"overlay-{field}", log=log)
    return figure.update_layout(showlegend=True)


def _finished(
    figure: go.Figure, rows: Rows, view: View, *, title: str, y: str, keep_zoom: str, log: bool = False, note: str = ""
) -> go.Figure:
    """Axes, their titles, and the mark of the best checkpoint.

    A zoom is kept for as long as the axes mean the same.
    """
    if view.best is not None and len(rows):
        columns = Columns.of(rows)
        nearest = int(np.nanargmin(np.abs(columns.column("kimg") - view.best)))
        figure.add_vline(
            x=float(view.places(columns)[nearest]),
            line={"dash": "dot", "color": LINE, "width": 1.5},
            annotation={"text": "best", "font": {"size": 11}, "yanchor": "bottom", "showarrow": False},
            annotation_position="top",
        )
    x = AXES[view.x] + (f"<br>{note}" if note else "")
    scale = " (log scale)" if log else ""
    key = f"{keep_zoom}-{view.x}" + ("-log" if log else "")
    styled(figure, title=title, x=x, y=y + scale, keep_zoom=key, footer=bool(note))
    # a training begins at 0: markers and a single tick would stretch the axis to what cannot be
    figure.update_xaxes(rangemode="nonnegative")
    return figure.update_yaxes(type="log") if log else figure


def _level(figure: go.Figure, y: float, text: str) -> None:
    """A dashed line at a value that means something; its words stand at the left end, where curves begin."""
    words = {"text": text, "font": {"size": 11}}
    figure.add_hline(
        y=y, line={"dash": "dash", "color": LINE, "width": 1}, annotation=words, annotation_position="bottom left"
    )


def _scores(rows: Rows, field: str, name: str, color: str, view: View) -> go.Figure:
    """A curve over the snapshots, each with its marker where they are not too many."""
    return go.Figure(_curve(_known(rows, field), field, name, color, view, markers=True))


def _known(rows: Rows, field: str) -> Columns:
    """The rows that have the field: not every tick has every number, and a line would break at those without."""
    return Columns.of(rows).with_field(field)


def _curve(rows: Rows, field: str, name: str, color: str, view: View, markers: bool = False) -> list[go.Scatter]:
    """The curve; when it is to be smoothed, the numbers themselves faintly behind it. Snapshots are never smoothed."""
    columns = Columns.of(rows)
    values, places, kimg = columns.column(field), view.places(columns), columns.column("kimg")
    marked = (markers and len(rows) <= MARKED) or len(rows) == 1
    unit = "kimg" if view.x == "kimg" else "h"

    def trace(heights: np.ndarray, **changes: Any) -> go.Scatter:
        kept = kept_places(heights)
        return go.Scatter(
            # arrays: Plotly looks at every number of a list, several times
            x=places[kept],
            y=heights[kept],
            customdata=kimg[kept][:, None],
            name=name,
            mode="lines+markers" if marked else "lines",
            line={"color": color, "width": 2},
            hovertemplate=f"%{{y:.3g}} at %{{x:.2f}} {unit}<extra>{name}</extra>",
            **changes,
        )

    if markers or marked or not view.smoothing:
        return [trace(values)]
    behind = trace(values, opacity=0.25, showlegend=False, legendgroup=name)
    return [behind, trace(np.array(smoothed(values.tolist(), view.smoothing), float), legendgroup=name)]
