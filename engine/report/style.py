"""The style of all figures: colours safe for colour-blind readers, and a layout for light and dark pages."""

from __future__ import annotations

from dataclasses import dataclass

import plotly.graph_objects as go

BLUE, ORANGE, GREEN, PINK, GREY = "#2b83c6", "#c78400", "#009e73", "#cc79a7", "#8c8c8c"
RED, SKY = "#d55e00", "#56b4e9"
"""From the palette of Okabe and Ito (2008), the blue a little lighter and the yellow darker, to read on any page."""

GRID = "rgba(128, 128, 128, 0.25)"
LINE = "rgba(128, 128, 128, 0.8)"


@dataclass(frozen=True)
class ArmStyle:
    """The look of an arm of a sweep: its own symbol and colour, and dashes for classical augmentation."""

    title: str
    color: str
    symbol: str
    dash: str = "solid"


ARMS: dict[str, ArmStyle] = {
    "real": ArmStyle("Real only", GREY, "circle"),
    "real-subset": ArmStyle("Part of the real images", GREY, "circle-open", "dot"),
    "real+classical": ArmStyle("Real + classical augmentation", PINK, "square"),
    "real+duplicates": ArmStyle("Real + repeated real", ORANGE, "diamond"),
    "real+synthetic": ArmStyle("Real + synthetic", BLUE, "triangle-up"),
    "replaced+duplicates": ArmStyle("Real replaced by repeats", RED, "hexagon"),
    "replaced+synthetic": ArmStyle("Real replaced by synthetic", GREEN, "triangle-down"),
    "synthetic": ArmStyle("Synthetic only", SKY, "star"),
    "real+duplicates+classical": ArmStyle("Real + repeated real, classical", ORANGE, "diamond-open", "dash"),
    "real+synthetic+classical": ArmStyle("Real + synthetic, classical", BLUE, "triangle-up-open", "dash"),
    "replaced+duplicates+classical": ArmStyle("Replaced by repeats, classical", RED, "hexagon-open", "dash"),
    "replaced+synthetic+classical": ArmStyle("Replaced by synthetic, classical", GREEN, "triangle-down-open", "dash"),
    "synthetic+classical": ArmStyle("Synthetic only, classical", SKY, "star-open", "dash"),
}
"""In the order of the legend and of tables."""

FLAGS: dict[str, tuple[str, str, str]] = {
    "": ("not flagged", BLUE, "circle"),
    "repeat": ("repeat of another", GREEN, "square"),
    "near-copy": ("near copy", ORANGE, "diamond"),
    "copy": ("copy", RED, "x"),
}
"""Title, colour and symbol of the flags of a quality run, the worst last, so that it lies on top."""

SPLITS: dict[str, str] = {"train": BLUE, "valid": ORANGE, "test": GREEN}


LISTED_BELOW: dict[str, object] = {
    "orientation": "h", "entrywidth": 300, "tracegroupgap": 0, "font": {"size": 12},
    "x": 0, "xanchor": "left", "xref": "container", "y": 0, "yanchor": "bottom", "yref": "container",
}  # fmt: skip
"""A legend as a list below the axes, for long names and narrow pages. A vertical one would push the axes to the right;
of a horizontal one with so many pixels for a name each stands on a line of its own."""


def dash_of(arm: str) -> str:
    """The dashes of an arm's line: dotted for repeated reals, so that they are told from synthetic images in grey."""
    style = ARMS[arm]
    return "dot" if style.dash == "solid" and "duplicates" in arm else style.dash


def translucent(color: str, opacity: float) -> str:
    """`color` (`#rrggbb`) as an `rgba(...)`."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity})"


def styled(
    figure: go.Figure, *, title: str, x: str, y: str, keep_zoom: str, height: int = 360, footer: bool = False
) -> go.Figure:
    """Give `figure` its title, axis titles with units, and colours that suit a light and a dark page.

    `keep_zoom` names what is shown: while it stays the same, new data does not undo a reader's zoom.
    `footer` leaves room for two small lines under the title of the x axis.
    """
    figure.update_layout(
        title={"text": title, "x": 0, "xanchor": "left", "xref": "container", "pad": {"l": 8}, "font": {"size": 16}},
        height=height,
        margin={"l": 64, "r": 24, "t": 84, "b": 96 if footer else 60},
        paper_bgcolor="rgba(0, 0, 0, 0)",
        plot_bgcolor="rgba(0, 0, 0, 0)",
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "xanchor": "left"},
        hoverlabel={"align": "left"},
        modebar={"bgcolor": "rgba(0, 0, 0, 0)", "color": GREY, "activecolor": BLUE},
        uirevision=keep_zoom,
    )
    axis = {"gridcolor": GRID, "zerolinecolor": GRID, "linecolor": LINE, "automargin": True}
    figure.update_xaxes(title={"text": x}, **axis)
    figure.update_yaxes(title={"text": y}, **axis)
    return figure
