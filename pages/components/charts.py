"""Plotly figures as every page shows them: they keep their zoom, and can be taken away as PNG, SVG and CSV."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any, Literal

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from engine.store.csv_cells import table_text
from pages.components.chart_looks import dress, shade

FORMATS = {"PNG": "png", "SVG": "svg"}
FORMAT = "picture-format"
"""What the camera of every figure saves, in the session: chosen once, it holds for all figures."""
SCALE = 2
"""Pixels of a PNG for each pixel on the page."""
TINY = 1e-12
"""In place of 0 on a logarithmic axis."""
REVISIONS = itertools.count()
BROWSERS_ZOOM = ["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "autoScale2d", "resetScale2d"]


def chart(
    figure: go.Figure,
    key: str,
    name: str,
    table: Callable[[], pd.DataFrame] | None = None,
    on_select: Literal["ignore", "rerun"] | Callable[[], None] = "ignore",
    *,
    alt: str = "",
    live: bool = False,
    several: bool = False,
    save_in: DeltaGenerator | None = None,
) -> Any:
    """Show a figure; `name` is the file name of what is downloaded, `table` makes the numbers behind it.

    `alt` describes the figure to who cannot see it; without it, the figure's title and axes do. `table` is called when
    somebody asks for the CSV. `live` says that its data grow while it is looked at: the part that a reader marks stays
    in view then. With `several`, a lasso or a box chooses points beside a click on one. `save_in` is where the button
    that saves it stands, by default below it. Returns what
    `st.plotly_chart` returns.
    """
    picture = st.session_state.get(FORMAT, "PNG")
    config: dict[str, Any] = {
        "toImageButtonOptions": {"format": FORMATS[picture], "scale": SCALE, "filename": name},
    }
    live = live and on_select == "ignore"
    if live:
        _zoom(figure, key)
        config["modeBarButtonsToRemove"] = BROWSERS_ZOOM
    alt = alt or description(figure)
    dress(figure)
    if on_select != "ignore":  # what Streamlit sets after the first drawing, and then draws again for
        figure.update_layout(hovermode="closest", clickmode="event+select", dragmode=figure.layout.dragmode or "pan")
    chosen = st.plotly_chart(
        figure,
        theme=None,
        key=key,
        config=config,
        on_select=(lambda: _remember_zoom(key)) if live else on_select,
        selection_mode="box" if live else ("points", "box", "lasso") if several else "points",
        alt=alt,
    )
    with save_in or nullcontext():
        _take_away(key, name, picture, table, zoomed=live and _zoom_of(key) in st.session_state)
    return chosen


def drawn(what: str, shown: tuple[Any, ...], draw: Callable[[], go.Figure]) -> go.Figure:
    """The figure that `draw` makes, drawn once for all that it shows: `what` with `shown`, which are the stamps of
    the files it is made from and every choice of the reader's.

    Building one takes longer than all else of most pages. It is the same for all who look: nobody changes it, and no
    `live` one comes from here.
    """
    return to_be_drawn(what, shown, draw)()


def to_be_drawn(what: str, shown: tuple[Any, ...], draw: Callable[[], go.Figure]) -> Callable[[], go.Figure]:
    """What makes the figure of `drawn`, for this reader's page; it may be called on another thread."""
    return partial(_drawn, what, shade(), shown, draw)


@st.cache_resource(max_entries=128, show_spinner=False)
def _drawn(what: str, of: str, shown: tuple[Any, ...], _draw: Callable[[], go.Figure]) -> go.Figure:
    """For all whose page is light, or dark: `of` says which."""
    figure = _draw()
    dress(figure, of)
    # Streamlit's copy of the figure makes Plotly draw all of it again, unless the data say that they are the same
    return figure.update_layout(datarevision=next(REVISIONS))


def description(figure: go.Figure) -> str:
    """What a figure shows, from its title, its axes and the names of what it draws."""
    layout = figure.layout
    title = layout.title.text or "Figure"
    axes = [axis.title.text for axis in (layout.yaxis, layout.xaxis) if axis.title.text]
    names = list(dict.fromkeys(trace.name for trace in figure.data if trace.name and trace.showlegend is not False))
    parts = [title, " by ".join(axes), ", ".join(names)]
    return ". ".join(_plain(part) for part in parts if part)


def _zoom_of(key: str) -> str:
    return f"{key}-zoom"


def _zoom(figure: go.Figure, key: str) -> None:
    """Show what was marked before, and let a drag mark a part anew.

    Streamlit draws a figure whose data changed from scratch, and the browser forgets what it had zoomed into. A mark
    however reaches the server, which can ask for the same part again.
    """
    for axis, ends in st.session_state.get(_zoom_of(key), {}).items():
        shown = [math.log10(max(end, TINY)) for end in ends] if figure.layout[axis].type == "log" else ends
        figure.update_layout({axis: {"range": shown, "autorange": False}})
    figure.update_layout(dragmode="select")


def _remember_zoom(key: str) -> None:
    boxes = st.session_state[key].selection.box
    if boxes:
        box = boxes[-1]
        axes = {"x": box["xref"], "y": box["yref"]}
        st.session_state[_zoom_of(key)] = {
            axis.replace(letter, f"{letter}axis", 1): sorted(box[letter]) for letter, axis in axes.items()
        }


def _take_away(
    key: str, name: str, picture: str, table: Callable[[], pd.DataFrame] | None, *, zoomed: bool = False
) -> None:
    """The CSV, and what the camera saves: the browser draws the picture, so that the server needs no program for it."""
    with st.container(horizontal=True, horizontal_alignment="right"):
        if zoomed:
            st.button(
                "Show all",
                icon=":material/zoom_out_map:",
                type="tertiary",
                key=f"{key}-all",
                on_click=lambda: st.session_state.pop(_zoom_of(key), None),
            )
        with st.popover("Save", icon=":material/download:", type="tertiary", key=f"{key}-save"):
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
                    lambda: table_text(table()),
                    f"{name}.csv",
                    "text/csv",
                    icon=":material/table:",
                    key=f"{key}-csv",
                    on_click="ignore",
                )


def _plain(text: str) -> str:
    """A title without its small print and its tags."""
    return re.sub(r"<[^<>]+>", "", text.split("<br>")[0])
