"""What was reported, the published protocol repeated here, and the sound one: laid over each other in one figure.

Each is a line from its real images alone to its largest share of synthetic images, so that what each protocol makes of
the same question is read off one axis; the control that decides is a line of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from engine.configs import SweepConfig
from engine.publications.publication import Publication
from engine.report.style import BLUE, GREEN, GREY, LISTED_BELOW, ORANGE, PINK, RED, styled
from engine.report.tables import METRICS, cell_table, measure_of, show_share
from engine.sweep.arms import baseline_of, control_of, primary_arm
from engine.sweep.checks import CheckId, check_published
from engine.sweep.statistics import wilson_interval

REPORTED = "As reported"
POINTS = ["protocol", "arm", "share", "alone", "n", "mean", "low", "high"]
ASIDE = 0.09
"""How far the protocols stand apart at one share."""
TOP, AXES, BELOW, ROW = 52, 300, 74, 19
"""Pixels: the title, the axes, the words below them, and a line of the legend."""


@dataclass(frozen=True)
class Protocol:
    """A sweep as the figure needs it: its trials and `arm_intervals`, both by image and of all test images."""

    name: str
    config: SweepConfig
    trials: pd.DataFrame
    intervals: pd.DataFrame | None

    @property
    def title(self) -> str:
        """What its line is called."""
        return f"{self.name} ({self.config.seeds} seed{'' if self.config.seeds == 1 else 's'})"

    @property
    def control_title(self) -> str:
        """What its control is called."""
        return f"{self.name}: repeated reals"


def protocol_of(config: SweepConfig, trials: pd.DataFrame, intervals: pd.DataFrame | None) -> Protocol:
    """A sweep under the name of its protocol."""
    return Protocol("Sound" if config.claims else "As published, here", config, trials, intervals)


def overlay_points(publication: Publication | None, protocols: Sequence[Protocol], metric: str) -> pd.DataFrame:
    """One row a point: `protocol, arm, share, alone, n, mean, low, high`.

    `share` is 0 for the real images alone; `alone` says that there were synthetic images alone. `n` counts seeds, and
    is 0 for what was reported, whose interval is Wilson's where it is a whole number of the test images.
    """
    rows = [] if publication is None else _reported(publication, metric)
    for each in _told_apart(protocols):
        arm = primary_arm(each.config)
        if metric not in each.trials or arm is None:
            continue
        cells = cell_table(each.trials, metric, each.intervals)
        rows += _line(cells, each.title, arm)
        if (control := control_of(arm)) is not None and (cells["arm"] == control).any():
            rows += _line(cells, each.control_title, control)
        for other in ("synthetic", "synthetic+classical"):
            if other != arm:
                rows += [_row(each.title, cell, alone=True) for cell in _of(cells, other)]
    return pd.DataFrame(rows, columns=POINTS)


def figure_protocols(points: pd.DataFrame, metric: str, positive: str = "") -> go.Figure:
    """`overlay_points` over the share of synthetic images; `customdata` of a point is `[protocol, arm, share]`."""
    measure = measure_of(metric, positive)
    slots = _slots(points)
    names = list(dict.fromkeys(points["protocol"]))
    figure = go.Figure()
    for place, (name, look) in enumerate(zip(names, _looks(names), strict=True)):
        colour, symbol, dash = look
        own = points[points["protocol"] == name].sort_values(["alone", "share"])
        gap = [None] if own["alone"].any() and not own["alone"].all() else []  # synthetic images alone stand apart
        added, alone = own[~own["alone"]], own[own["alone"]]
        ordered = pd.concat([added, alone])
        mean, high, low = (ordered[column] * measure.scale for column in ("mean", "high", "low"))
        aside = (place - (len(names) - 1) / 2) * ASIDE
        figure.add_trace(
            go.Scatter(
                x=_with_gap([slots[_slot(row)] + aside for row in ordered.itertuples()], gap, len(added)),
                y=_with_gap(mean.tolist(), gap, len(added)),
                error_y={
                    "array": _with_gap((high - mean).fillna(0).tolist(), gap, len(added)),
                    "arrayminus": _with_gap((mean - low).fillna(0).tolist(), gap, len(added)),
                    "color": colour,
                    "thickness": 1.5,
                    "width": 4,
                },
                mode="lines+markers",
                line={"color": colour, "width": 3 if dash == "solid" else 2, "dash": dash},
                marker={"color": colour, "symbol": symbol, "size": 10},
                name=_first_to_last(name, added, metric),
                customdata=_with_gap(
                    [
                        [name, row.arm, row.share, measure.show_interval(row.low, row.high)]
                        for row in ordered.itertuples()
                    ],
                    [[None] * 4] if gap else [],
                    len(added),
                ),
                hovertemplate=("%{y:.2f}" + measure.unit + "<br>95 %: %{customdata[3]}<extra>%{customdata[0]}</extra>"),
            )
        )
    styled(
        figure,
        title=f"{measure.title}: as published, and sound",
        x="Synthetic images, % of the real ones",
        y=f"{measure.title.split(' (')[0]}{', %' if measure.percent else ''}",
        keep_zoom=f"protocols-{metric}",
    )
    figure.update_xaxes(
        tickvals=list(slots.values()),
        ticktext=[_tick(slot) for slot in slots],
        range=[-0.45, len(slots) - 0.55],
        showgrid=False,
        zeroline=False,
        tickangle=0,
    )
    below = ROW * len(names) + BELOW
    return figure.update_layout(
        height=TOP + AXES + below,
        margin={"t": TOP, "b": below, "r": 12},
        legend=LISTED_BELOW,
    )


def overlay_words(points: pd.DataFrame) -> str:
    """How to read the figure, and what it does not say."""
    reported = (
        " What was reported is of the authors' own images, with Wilson's interval where it is a whole number of their "
        "test images; compare the lines' directions with it, not their heights."
        if (points["protocol"] == REPORTED).any()
        else ""
    )
    return (
        "Each line goes from the real images alone to the largest share of synthetic ones, by image, on all test "
        "images; 95 % intervals for other seeds and test patients, none of a single seed. Whether synthetic images "
        f"help is read from the sound protocol, against its repeated reals.{reported}"
    )


def _told_apart(protocols: Sequence[Protocol]) -> list[Protocol]:
    """With their names behind them where two are of one title."""
    names = [each.name for each in protocols]
    whole = [f"{each.name}, {each.config.name}" for each in protocols]
    found = []
    for place, each in enumerate(protocols):
        name = whole[place] if names.count(each.name) > 1 else each.name
        found.append(replace(each, name=f"{name}, {place + 1}" if whole.count(name) > 1 else name))
    return found


def _line(cells: pd.DataFrame, title: str, arm: str) -> list[dict[str, object]]:
    baseline = baseline_of(arm) or "real"
    return [
        *(_row(title, cell) for cell in _of(cells, baseline)),
        *(_row(title, cell, alone=arm.startswith("synthetic")) for cell in _of(cells, arm)),
    ]


def _of(cells: pd.DataFrame, arm: str) -> list[dict[str, object]]:
    return cells[cells["arm"] == arm].to_dict("records")  # type: ignore[return-value]


def _row(title: str, cell: dict[str, object], alone: bool = False) -> dict[str, object]:
    return {
        "protocol": title,
        "share": cell["ratio"],
        "alone": alone,
        **{key: cell[key] for key in ("arm", "n", "mean", "low", "high")},
    }


def _reported(publication: Publication, metric: str) -> list[dict[str, object]]:
    rows = []
    for row in publication.rows:
        value = getattr(row, metric, None)
        if not isinstance(value, float):
            continue
        whole = any(each.id == CheckId.WHOLE_IMAGES and each.ok for each in check_published([row]))
        interval = wilson_interval(value, row.n_test) if whole and metric == "accuracy" and row.n_test else None
        rows.append(
            {
                "protocol": REPORTED,
                "arm": row.arm,
                "share": row.ratio,
                "alone": row.arm.startswith("synthetic"),
                "n": 0,
                "mean": value,
                "low": math.nan if interval is None else interval.low,
                "high": math.nan if interval is None else interval.high,
            }
        )
    return rows


def _slot(row: object) -> tuple[bool, float]:
    return bool(row.alone), float(row.share)  # type: ignore[attr-defined]


def _slots(points: pd.DataFrame) -> dict[tuple[bool, float], int]:
    """Where each share stands: in order and equally far apart, synthetic images alone at the right."""
    return {slot: place for place, slot in enumerate(sorted({_slot(row) for row in points.itertuples()}))}


def _tick(slot: tuple[bool, float]) -> str:
    alone, share = slot
    if alone:
        return f"{show_share(share)}<br>alone"
    return show_share(share) if share else "0<br>real only"


def _looks(names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Colour, symbol and dashes by name: what is told by colour is told by the others too, for paper in grey."""
    spare = iter(((GREEN, "hexagon", "longdash"), (PINK, "x", "longdashdot"), (BLUE, "star", "dot")))
    looks: dict[str, tuple[str, str, str]] = {}
    for name in names:
        if name == REPORTED:
            look = (GREY, "circle-open", "dash")
        elif name.startswith("As published") and "repeated reals" not in name:
            look = (RED, "square", "dashdot")
        elif name.startswith("Sound") and "repeated reals" not in name:
            look = (BLUE, "triangle-up", "solid")
        elif name.startswith("Sound"):
            look = (ORANGE, "diamond", "dot")
        else:
            look = next(spare)
        looks[name] = look if look not in looks.values() else next(spare)
    return list(looks.values())


def _first_to_last(name: str, added: pd.DataFrame, metric: str) -> str:
    """The name of a line, with what stands at its ends."""
    if len(added) < 2 or added["share"].min() > 0:
        return name
    measure = METRICS[metric]
    return f"{name}: {measure.show(added['mean'].iloc[0])} → {measure.show(added['mean'].iloc[-1])}"


def _with_gap(values: list[Any], gap: list[Any], place: int) -> list[Any]:
    """The values with the gap between two of them, which breaks the line there."""
    return [*values[:place], *gap, *values[place:]]
