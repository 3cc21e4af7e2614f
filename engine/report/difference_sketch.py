"""The difference on which a verdict rests as a small figure: help to the right of zero, harm to the left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from engine.report.style import BLUE, GREEN, GREY, GRID, LINE, RED, styled, translucent

ROW = 30
"""Pixels of a row."""


class Row(NamedTuple):
    """A difference with its interval, in the unit of the axis."""

    name: str
    value: float
    low: float
    high: float


def figure_deciding(rows: Sequence[Row], against: str, unit: str) -> go.Figure:
    """Each of `rows` as a dot with its interval, the first on top, beside a line at zero; `against` is the control.

    The last row, of several, is what they give together and drawn heavier.
    """
    ends = [end for row in rows for end in (row.value, row.low, row.high, 0.0)]
    room = 0.08 * (max(ends) - min(ends) or 1.0)
    left, right = min(ends) - room, max(ends) + room
    figure = go.Figure()
    figure.add_vrect(x0=0, x1=right, fillcolor=translucent(GREEN, 0.08), line_width=0, layer="below")
    figure.add_vrect(x0=left, x1=0, fillcolor=translucent(RED, 0.08), line_width=0, layer="below")
    figure.add_vline(x=0, line={"color": LINE, "width": 1.5})
    for number, row in enumerate(rows):
        whole = len(rows) > 1 and number == len(rows) - 1
        colour = BLUE if whole or len(rows) == 1 else GREY
        figure.add_trace(
            go.Scatter(
                x=[row.low, row.high],
                y=[row.name, row.name],
                mode="lines",
                line={"color": colour, "width": 5 if whole else 3},
                hoverinfo="skip",
                showlegend=False,
            )
        )
        figure.add_trace(
            go.Scatter(
                x=[row.value],
                y=[row.name],
                mode="markers",
                marker={"color": colour, "size": 12 if whole else 10, "symbol": "diamond" if whole else "circle"},
                hovertemplate=f"{row.value:+.3g}{unit} ({row.low:+.3g} to {row.high:+.3g})<extra>{row.name}</extra>",
                name=row.name,
                showlegend=False,
            )
        )
    styled(figure, title="", x=f"Difference to {against}{unit and f',{unit}'}", y="", keep_zoom=against)
    figure.update_layout(
        title=None, height=76 + ROW * len(rows), margin={"l": 8, "r": 8, "t": 24, "b": 44}, dragmode=False
    )
    figure.update_xaxes(range=[left, right], zeroline=False, fixedrange=True)
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False, fixedrange=True)
    for x, words, anchor in ((left, "← harms", "left"), (right, "helps →", "right")):
        figure.add_annotation(x=x, y=1.0, yref="paper", yanchor="bottom", xanchor=anchor, text=words, showarrow=False)
    return figure


def sketch(rows: Sequence[Row], width: int = 148, height: int = 84) -> str:
    """The same without words as an SVG of so many pixels, for a thumbnail."""
    ends = [end for row in rows for end in (row.low, row.high, 0.0)]
    low, span = min(ends), (max(ends) - min(ends)) or 1.0

    def place(value: float) -> float:
        return 8 + (width - 16) * (value - low) / span

    parts = [
        f'<line x1="{place(0):.1f}" y1="4" x2="{place(0):.1f}" y2="{height - 4}" stroke="{GREY}" stroke-width="1"/>'
    ]
    for number, row in enumerate(rows):
        y = height * (number + 1) / (len(rows) + 1)
        colour = BLUE if number == len(rows) - 1 else GREY
        parts.append(
            f'<line x1="{place(row.low):.1f}" y1="{y:.1f}" x2="{place(row.high):.1f}" y2="{y:.1f}" '
            f'stroke="{colour}" stroke-width="3"/>'
            f'<circle cx="{place(row.value):.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
        )
    inside = "".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<rect width="{width}" height="{height}" fill="{GRID}" rx="4"/>{inside}</svg>'
    )
