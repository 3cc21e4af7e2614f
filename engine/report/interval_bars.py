"""Differences with their intervals as bars beside a zero line, in HTML alone: there at once, and the same on paper.

Positions are shares of the width, so that a drawing fits every width and its words keep their size. Streamlit lets no
SVG through.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from engine.report.style import GREEN, RED, translucent

ROW, ABOVE, BELOW = 34, 20, 40
"""Pixels of a row, of the words above the rows, and of the axis below them."""
NAMES_WIDTH = 92
SHADES = {GREEN: 0.1, RED: 0.2}
"""How opaque the sides of help and harm are: told apart in grey too."""
CORNERS = {"circle": 24, "square": 4, "diamond": 4, "triangle-up": 3, "triangle-down": 3, "hexagon": 6, "star": 5}
TURNED = {"square": 45.0, "triangle-down": 180.0}
"""Of Plotly's symbols, by name: corners, the first of which is on top, and by how many degrees they are turned."""
HOLLOW = 0.6
"""Of a symbol whose name ends in `-open`: the width of its hole."""
MOST_TICKS = 6


class Bar(NamedTuple):
    """A difference with its interval, in the unit of the axis; the ends are NaN where there is none."""

    name: str
    value: float
    low: float
    high: float
    colour: str
    symbol: str
    heavy: bool
    tip: str
    """What is said to who points at it."""


def interval_bars(bars: Sequence[Bar], axis: str, alt: str) -> str:
    """The bars from above as HTML: help to the right of zero, harm to the left; `axis` names the unit, and `alt` tells
    who cannot see it.

    Words and lines have the colour of the text around.
    """
    left, right = reach([end for bar in bars for end in (bar.value, bar.low, bar.high)])
    high = ROW * len(bars)

    def at(value: float) -> float:
        return 100 * (value - left) / (right - left)

    parts = [
        _box(0, 0, at(0), high, translucent(RED, SHADES[RED])),
        _box(at(0), 0, 100 - at(0), high, translucent(GREEN, SHADES[GREEN])),
        _box(at(0), 0, 0, high, "currentColor", "width:1.5px;opacity:0.6"),
        _box(0, high, 100, 1, "currentColor", "opacity:0.5"),
        _words(0, -ABOVE, "◀ harms", 0),
        _words(100, -ABOVE, "helps ▶", 1),
        *(_words(at(tick), high + 3, f"{tick:g}".replace("-", "\u2212"), 0.5) for tick in ticks(left, right)),
        _words(50, high + 21, axis, 0.5),
    ]
    parts += [_bar(bar, ROW * (place + 0.5), at) for place, bar in enumerate(bars)]
    names = "".join(
        f'<div style="height:{ROW}px;display:flex;align-items:center;justify-content:flex-end">{escape(bar.name)}</div>'
        for bar in bars
    )
    return (
        f'<div role="img" aria-label="{escape(alt)}" style="display:flex;padding:{ABOVE}px 4px {BELOW}px 0;'
        'font-size:12px;line-height:1.2;print-color-adjust:exact;-webkit-print-color-adjust:exact">'
        f'<div style="width:{NAMES_WIDTH}px;flex:none;margin-right:8px;text-align:right;opacity:0.8">{names}</div>'
        f'<div style="position:relative;flex:1;height:{high}px">{"".join(parts)}</div></div>'
    )


def reach(ends: Sequence[float], least: float = 1.0) -> tuple[float, float]:
    """Both ends of an axis: of all `ends` that are numbers and of 0, with a little of either side always to be seen;
    `least` is the span where all are 0."""
    known = [end for end in ends if math.isfinite(end)]
    low, high = min([0.0, *known]), max([0.0, *known])
    span = high - low or least
    return min(low - 0.08 * span, -0.22 * span), max(high + 0.08 * span, 0.22 * span)


def ticks(left: float, right: float) -> list[float]:
    """At most `MOST_TICKS` round numbers from left to right, 0 among them."""
    rough = (right - left) / MOST_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(each * power for each in (1, 2, 5, 10) if each * power >= rough)
    return [round(float(step * place), 12) for place in np.arange(math.ceil(left / step), math.floor(right / step) + 1)]


def _bar(bar: Bar, y: float, at: Callable[[float], float]) -> str:
    parts = []
    if math.isfinite(bar.low) and math.isfinite(bar.high):
        thick = 4 if bar.heavy else 2
        parts.append(_box(at(bar.low), y - thick / 2, at(bar.high) - at(bar.low), thick, bar.colour))
        parts += [_box(at(end), y - 5, 0, 10, bar.colour, "width:2px;margin-left:-1px") for end in (bar.low, bar.high)]
    size = 15 if bar.heavy else 12
    shape = f"width:{size}px;margin-left:-{size / 2}px;clip-path:{_outline(bar.symbol)}"
    parts.append(_box(at(bar.value), y - size / 2, 0, size, bar.colour, shape))
    # over the whole row, so that it is easily pointed at
    parts.append(
        f'<div title="{escape(bar.tip)}" style="position:absolute;left:0;top:{y - ROW / 2}px;width:100%;'
        f'height:{ROW}px"></div>'
    )
    return "".join(parts)


def _outline(symbol: str) -> str:
    """The CSS polygon of one of Plotly's symbols, in a square."""
    name = symbol.removesuffix("-open")
    count, turned = CORNERS[name], TURNED.get(name, 0.0)
    radii = [1.0, 0.45] * count if name == "star" else [1.0] * count
    angles = [math.radians(turned + 360 * corner / len(radii)) for corner in range(len(radii))]
    ring = [(radius * math.sin(angle), -radius * math.cos(angle)) for radius, angle in zip(radii, angles, strict=True)]
    rings = [ring] if name == symbol else [ring, [(HOLLOW * x, HOLLOW * y) for x, y in ring]]
    points = [f"{50 + 50 * x:.1f}% {50 + 50 * y:.1f}%" for each in rings for x, y in [*each, each[0]]]
    return f"polygon(evenodd, {', '.join(points)})"


def _box(x: float, y: float, width: float, height: float, colour: str, more: str = "") -> str:
    """A filled box: x and width in per cent, y and height in pixels."""
    return (
        f'<div style="position:absolute;left:{x:.2f}%;top:{y:g}px;width:{width:.2f}%;height:{height:g}px;'
        f'background:{colour};{more}"></div>'
    )


def _words(x: float, y: float, words: str, back: float) -> str:
    """Words at x per cent and y pixels; `back` is the share of them that stands left of x."""
    return (
        f'<div style="position:absolute;left:{x:.2f}%;top:{y:g}px;transform:translateX(-{100 * back:g}%);'
        f'white-space:nowrap;opacity:0.8">{escape(words)}</div>'
    )
