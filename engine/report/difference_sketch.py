"""The difference on which a verdict rests as a small figure: help to the right of zero, harm to the left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engine.report.interval_bars import Bar, interval_bars
from engine.report.style import BLUE, GREY, GRID


class Row(NamedTuple):
    """A difference with its interval, in the unit of the axis."""

    name: str
    value: float
    low: float
    high: float


def deciding_bars(rows: Sequence[Row], against: str, unit: str, alt: str) -> str:
    """Each of `rows` as HTML, the first on top; `against` is the control.

    The last row, of several, is what they give together and drawn heavier.
    """
    bars = []
    for number, row in enumerate(rows):
        whole = number == len(rows) - 1
        tip = f"{row.name}: {row.value:+.3g}{unit} ({row.low:+.3g} to {row.high:+.3g})"
        look = (BLUE, "diamond", True) if whole else (GREY, "circle", False)
        bars.append(Bar(row.name, row.value, row.low, row.high, *look, tip))
    return interval_bars(bars, f"Difference to {against}{unit and f',{unit}'}", alt)


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
