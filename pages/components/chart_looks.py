"""How Plotly's figures look on a light and on a dark page.

Streamlit would dress them in the browser, after they were drawn once, and draw all of them a second time. The colours
are those of `.streamlit/config.toml`, the font is Streamlit's.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import plotly.graph_objects as go
import streamlit as st

FONT = '"Source Sans", "Source Sans Pro", sans-serif'
SIZES = {"ticks": 12, "axis titles": 14, "title": 16}
"""Pixels."""
USUAL = {
    "light": {"textColor": "#31333f", "backgroundColor": "#ffffff", "borderColor": "#d5d6d8"},
    "dark": {"textColor": "#fafafa", "backgroundColor": "#0e1117", "borderColor": "#404349"},
}
"""Streamlit's own colours, where somebody starts the dashboard without its settings."""
LOUDNESS = {"light": 0.72, "dark": 0.85}
"""How much of the words' colour is left to those beside the data; the rest is the page's."""


def dress(figure: go.Figure, of: str = "") -> None:
    """Give it the words' colour and font of the page that it is looked at on, and its title in bold.

    `of` is the page's `shade`, where that is known already.
    """
    looks = _looks(of or shade())
    if figure.layout.template.layout.meta == looks.layout.meta:
        return
    figure.update_layout(template=looks)


def shade() -> str:
    """`light` or `dark`, as the page is of who looks."""
    return str(st.context.theme.type or "light")


@cache
def _looks(of: str) -> go.layout.Template:
    """The template for a light or a dark page, with its name in `meta`."""

    def colour(name: str) -> str:
        return str(st.get_option(f"theme.{of}.{name}") or USUAL[of][name])

    words, back = colour("textColor"), colour("backgroundColor")
    quiet = _faded(words, back, LOUDNESS[of])
    axis: dict[str, Any] = {
        "automargin": True,
        "tickfont": {"color": quiet, "size": SIZES["ticks"]},
        "title": {"font": {"color": quiet, "size": SIZES["axis titles"]}, "standoff": 20},
    }
    layout = {
        "meta": f"ersatz {of}",
        "font": {"color": quiet, "family": FONT, "size": SIZES["ticks"]},
        "title": {"font": {"color": words, "size": SIZES["title"], "weight": "bold"}},
        "colorway": st.get_option(f"theme.{of}.chartCategoricalColors"),
        "legend": {"valign": "top", "font": {"color": quiet}},
        "xaxis": {"showgrid": False, "zeroline": False, **axis},
        "yaxis": {"ticklabelposition": "outside", **axis},
        "margin": {"pad": 8},
        "hoverlabel": {"bgcolor": back, "bordercolor": colour("borderColor"), "font": {"color": words}},
        "annotationdefaults": {"font": {"color": quiet}},
    }
    return go.layout.Template(layout=layout)


def _faded(words: str, back: str, share: float) -> str:
    """So much of the colour of the words before that of the page."""
    pairs = ((int(words[at : at + 2], 16), int(back[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(share * front + (1 - share) * behind):02x}" for front, behind in pairs)
