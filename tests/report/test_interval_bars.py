"""Bars of differences, in HTML alone: where they stand, and what they say."""

from __future__ import annotations

import math
import re

import pytest

from engine.report.interval_bars import CORNERS, Bar, interval_bars, reach, ticks
from engine.report.style import ARMS


def bar(value: float, low: float, high: float, symbol: str = "circle", name: str = "50 %") -> Bar:
    return Bar(name, value, low, high, "#123456", symbol, False, f"{value:g} ({low:g} to {high:g})")


def of_colour(html: str) -> list[tuple[float, float]]:
    """Left end and width in per cent of each box in the colour of the bars."""
    found = re.findall(r"left:([\d.-]+)%;top:[^;]+;width:([\d.]+)%;height:[^;]+;background:#123456", html)
    return [(float(left), float(width)) for left, width in found]


def test_a_bar_reaches_from_end_to_end_and_its_dot_stands_at_its_value() -> None:
    left, right = reach([2.0, -4.0, 6.0])
    line, first, last, dot = of_colour(interval_bars([bar(2, -4, 6)], "Points", "Told."))

    def at(value: float) -> float:
        return 100 * (value - left) / (right - left)

    assert line == pytest.approx((at(-4), at(6) - at(-4)), abs=0.01)
    assert (first[0], last[0], dot[0]) == pytest.approx((at(-4), at(6), at(2)), abs=0.01)


def test_what_has_no_interval_is_a_dot_alone() -> None:
    assert len(of_colour(interval_bars([bar(2, math.nan, math.nan)], "Points", "Told."))) == 1


@pytest.mark.parametrize("ends", [(1.0, 9.0), (-9.0, -1.0), (0.0,), (-0.003, 0.021), (math.nan, 4.0)])
def test_zero_and_both_sides_of_it_are_seen_with_round_numbers_below(ends: tuple[float, ...]) -> None:
    left, right = reach(ends)
    assert left < 0 < right
    known = [end for end in ends if math.isfinite(end)]
    assert left <= min(known) and max(known) <= right
    below = ticks(left, right)
    assert 0 in below and 2 <= len(below) <= 7
    assert all(left <= tick <= right for tick in below)


def test_every_arm_has_its_symbol() -> None:
    for style in ARMS.values():
        assert style.symbol.removesuffix("-open") in CORNERS
        whole = "-open" not in style.symbol
        drawn = interval_bars([bar(1, 0, 2, style.symbol)], "Points", "Told.")
        corners = drawn.split("clip-path:polygon(evenodd, ")[1].split(")")[0].split(", ")
        count = CORNERS[style.symbol.removesuffix("-open")] * (2 if style.symbol.startswith("star") else 1)
        assert len(corners) == (count + 1) * (1 if whole else 2), "closed, and with its hole"


def test_names_are_words_and_no_markup() -> None:
    drawn = interval_bars([bar(1, 0, 2, name="<b>&")], 'a "unit"', '"><script>')
    assert "&lt;b&gt;&amp;" in drawn and "<script" not in drawn and "<b>" not in drawn
