"""Plotly figures as every page shows them: they keep their zoom, and can be taken away as PNG, SVG and CSV."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

FORMATS = {"PNG": "png", "SVG": "svg"}
FORMAT = "picture-format"
"""What the camera of every figure saves, in the session: chosen once, it holds for all figures."""
SCALE = 2
"""Pixels of a PNG for each pixel on the page."""


def chart(
    figure: go.Figure,
    key: str,
    name: str,
    table: Callable[[], pd.DataFrame] | None = None,
    on_select: Literal["ignore", "rerun"] | Callable[[], None] = "ignore",
    *,
    alt: str = "",
) -> Any:
    """Show a figure; `name` is the file name of what is downloaded, `table` makes the numbers behind it.

    `alt` describes the figure to who cannot see it; without it, the figure's title and axes do. `table` is called when
    somebody asks for the CSV. Returns what `st.plotly_chart` returns.
    """
    picture = st.session_state.get(FORMAT, "PNG")
    chosen = st.plotly_chart(
        figure,
        key=key,
        config={"toImageButtonOptions": {"format": FORMATS[picture], "scale": SCALE, "filename": name}},
        on_select=on_select,
        selection_mode="points",
        alt=alt or description(figure),
    )
    _take_away(key, name, picture, table)
    return chosen


def description(figure: go.Figure) -> str:
    """What a figure shows, from its title, its axes and the names of what it draws."""
    layout = figure.layout
    title = layout.title.text or "Figure"
    axes = [axis.title.text for axis in (layout.yaxis, layout.xaxis) if axis.title.text]
    names = list(dict.fromkeys(trace.name for trace in figure.data if trace.name and trace.showlegend is not False))
    parts = [title, " by ".join(axes), ", ".join(names)]
    return ". ".join(_plain(part) for part in parts if part)


def _take_away(key: str, name: str, picture: str, table: Callable[[], pd.DataFrame] | None) -> None:
    """The CSV, and what the camera saves: the browser draws the picture, so that the server needs no program for it."""
    with (
        st.container(horizontal=True, horizontal_alignment="right"),
        st.popover("Save", icon=":material/download:", type="tertiary", key=f"{key}-save"),
    ):
        choice = f"{key}-format"
        st.session_state[choice] = picture

        def choose() -> None:
            st.session_state[FORMAT] = st.session_state[choice]

        st.segmented_control("Picture", list(FORMATS), required=True, key=choice, on_change=choose)
        st.caption(
            "Point at the figure and press the camera :material/photo_camera: in its corner. "
            "PNG suits slides, SVG print: it stays sharp at every size."
        )
        if table is not None:
            st.download_button(
                "Numbers (CSV)",
                lambda: table().to_csv(index=False),
                f"{name}.csv",
                "text/csv",
                icon=":material/table:",
                key=f"{key}-csv",
                on_click="ignore",
            )


def _plain(text: str) -> str:
    """A title without its small print and its tags."""
    return re.sub(r"<[^>]+>", "", text.split("<br>")[0])
