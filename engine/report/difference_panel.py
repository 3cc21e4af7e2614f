"""Paired differences with the intervals that the verdict uses: below the plot of a sweep, and on the verdict's card."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from engine.configs import SweepConfig
from engine.report.interval_bars import SHADES, Bar, interval_bars, reach
from engine.report.style import ARMS, GREEN, LINE, RED, translucent
from engine.report.sweep_axis import SweepAxis
from engine.report.tables import Measure, measure_of, show_p, show_share
from engine.sweep.comparisons import Comparison
from engine.sweep.headline import deciding
from engine.sweep.statistics import QUICK_LOOK_BELOW
from engine.sweep.summary_model import SweepSummary
from engine.sweep.verdict_words import level

ASIDE = 0.13
"""How far the two comparisons at one share stand from its tick."""
SHORT = {
    "real": "real only",
    "real-subset": "a share of the reals",
    "real+classical": "classical",
    "real+duplicates": "repeated real",
    "real+synthetic": "synthetic",
    "replaced+duplicates": "replaced by repeats",
    "replaced+synthetic": "replaced by synthetic",
    "synthetic": "synthetic alone",
}
"""Arms in the few letters that stand at the end of a line."""


def short(arm: str) -> str:
    """An arm in a few letters."""
    if arm in SHORT:
        return SHORT[arm]
    return f"{SHORT[arm.removesuffix('+classical')]} + aug."


@dataclass(frozen=True)
class Differences:
    """Of the arm of a verdict against the control that decides, and against the real images alone."""

    arm: str
    families: tuple[tuple[Comparison, ...], ...]
    """One of each, that of the deciding control first, as far as there are any."""

    @property
    def has_mean(self) -> bool:
        return any(row.is_mean for family in self.families for row in family)

    @property
    def quick(self) -> bool:
        """Whether there are too few repetitions for the intervals to mean much."""
        return any(row.n < QUICK_LOOK_BELOW for family in self.families for row in family)

    @property
    def interval_words(self) -> str:
        """What the intervals are: `95 % intervals of the verdict`."""
        rows = [row for family in self.families for row in family]
        if all(row.n < 2 for row in rows):
            return "one repetition has no interval"
        if not any(math.isfinite(row.low_total) for row in rows):
            return "95 % over seeds alone, on these test images"
        return f"{level(rows[0])} intervals" + (", no verdict from so few" if self.quick else " of the verdict")


def differences_of(summary: SweepSummary, config: SweepConfig | None, arms: Sequence[str], metric: str) -> Differences:
    """What there is to show of the comparisons in a metric: of the arm of the verdict, or the first of these that has
    any; none where the metric was not compared."""
    rows = (*summary.comparisons, *summary.averages)
    primary = config.primary_ratio if config is not None and len(config.ratios) > 1 else None
    if metric != summary.metric:
        primary = None  # declared for the metric of the verdict alone
    wanted = [summary.primary_arm, *(row.arm for row in summary.comparisons)]
    for arm in dict.fromkeys(arm for arm in wanted if arm in arms):
        found = [tuple(family) for family in deciding(rows, arm, metric, primary) if family]
        if found:
            return Differences(str(arm), tuple(found))
    return Differences("", ())


def ends(row: Comparison) -> tuple[float, float]:
    """The interval as the verdict uses it; of sweeps that have none that over the seeds."""
    both = math.isfinite(row.low_total) or row.n < 2
    return (row.low_total, row.high_total) if both else (row.low, row.high)


def add_differences(figure: go.Figure, found: Differences, axis: SweepAxis, metric: str) -> None:
    """The lower panel of a `make_subplots` figure: a point and interval a share and control, and the zero line."""
    measure = measure_of(metric)
    low, high = _range(found, measure)
    _sides(figure, axis.range, (low, high), {"row": 2, "col": 1})
    for place, family in enumerate(found.families):
        aside = (place - (len(found.families) - 1) / 2) * 2 * ASIDE
        style, first = ARMS[family[0].against], place == 0
        figure.add_trace(
            go.Scatter(
                x=[axis.slot(row.ratio) + aside for row in family],
                y=[row.mean_difference * measure.scale for row in family],
                error_y=_bars(family, measure, style.color, 2.5 if first else 1.25),
                mode="markers",
                marker={
                    "symbol": style.symbol.removesuffix("-open") + ("" if first else "-open"),
                    "color": style.color,
                    "size": 10 if first else 8,
                    "line": {"width": 0 if first else 2, "color": style.color},
                },
                unselected={"marker": {"opacity": 1}},
                name=f"Difference to {short(family[0].against)}",
                customdata=[[row.arm, row.ratio, None, *_hover(row, measure)] for row in family],
                hoverlabel={"bgcolor": style.color, "font": {"color": "white"}},
                hovertemplate=(
                    f"{ARMS[found.arm].title} minus {short(family[0].against)}, %{{customdata[6]}}<br>"
                    "%{customdata[3]} (%{customdata[4]})<br>p %{customdata[5]}, corrected<extra></extra>"
                ),
            ),
            row=2,
            col=1,
        )
    if found.has_mean:  # which is no share, and stands apart
        edge = axis.mean_slot - 0.5
        figure.add_shape(
            type="line",
            x0=edge,
            x1=edge,
            y0=low,
            y1=high,
            line={"color": LINE, "width": 1, "dash": "dot"},
            row=2,
            col=1,
        )
    figure.update_yaxes(range=[low, high], row=2, col=1)


def verdict_bars(found: Sequence[Comparison], metric: str, positive: str, alt: str) -> str:
    """The comparisons of a verdict as HTML, each on one line, the first drawn heavier."""
    measure = measure_of(metric, positive)
    bars: list[Bar] = []
    for row in found:
        style, (difference, interval, p, _) = ARMS[row.against], _hover(row, measure)
        value, low, high = (measure.scale * each for each in _seen(row))
        tip, name = f"{difference} ({interval}), p {p}", f"against {short(row.against)}"
        bars.append(Bar(name, value, low, high, style.color, style.symbol, not bars, tip))
    kind = "Improvement" if measure.loss else "Difference"
    return interval_bars(bars, f"{kind}{',' if measure.percent else ''}{measure.difference_unit}", alt)


def _range(found: Differences, measure: Measure) -> tuple[float, float]:
    values = [measure.scale * value for family in found.families for row in family for value in _seen(row)]
    return reach(values, measure.scale * 0.02)


def _seen(row: Comparison) -> tuple[float, float, float]:
    return (row.mean_difference, *ends(row))


def _bars(family: Sequence[Comparison], measure: Measure, colour: str, thickness: float) -> dict[str, Any]:
    values = np.array([_seen(row) for row in family]) * measure.scale
    return {
        "array": values[:, 2] - values[:, 0],
        "arrayminus": values[:, 0] - values[:, 1],
        "color": colour,
        "thickness": thickness,
        "width": 5,
    }


def _hover(row: Comparison, measure: Measure) -> list[str]:
    where = "mean of the shares" if row.is_mean else show_share(row.ratio)
    return [
        measure.show_difference(row.mean_difference),
        measure.show_interval(*ends(row), signed=True),
        show_p(row.p_corrected),
        where,
    ]


def _sides(figure: go.Figure, across: list[float], ends_of_y: tuple[float, float], panel: dict[str, int]) -> None:
    low, high = ends_of_y
    for y0, y1, colour, words, anchor in (
        (0.0, high, GREEN, "▲ helps", "top"),
        (low, 0.0, RED, "▼ harms", "bottom"),
    ):
        figure.add_shape(
            type="rect", x0=across[0], x1=across[1], y0=y0, y1=y1, fillcolor=translucent(colour, SHADES[colour]),
            line_width=0,
            layer="below", **panel,
        )  # fmt: skip
        figure.add_annotation(
            x=across[0], xanchor="left", y=high if anchor == "top" else low, yanchor=anchor, text=words,
            showarrow=False, font={"size": 12}, **panel,
        )  # fmt: skip
    figure.add_shape(
        type="line", x0=across[0], x1=across[1], y0=0, y1=0, line={"color": LINE, "width": 2}, layer="below", **panel
    )
