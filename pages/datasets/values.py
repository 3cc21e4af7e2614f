"""Values of the images of more than 8 bits before an import: their histogram, and what becomes black and white."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from engine.configs import ImportConfig
from engine.configs.windows import CT_WINDOWS, window_name
from engine.datasets.previewing import Preview
from engine.datasets.value_histogram import Histogram
from engine.datasets.value_range import number
from pages.components.charts import chart
from pages.components.format import plain_sentence

NONE, OWN = "none", "own"


def is_deep(seen: Preview) -> bool:
    """Whether any image has more than 8 bits, so that there is something to choose."""
    return any(int(bits) > 8 for bits in seen.bits)


def show_values(config: ImportConfig, seen: Preview, key: str, choose: Callable[[str], None]) -> None:
    """The window in use, to be changed, and the histogram; `choose` gets the chosen window as the form takes it."""
    if not is_deep(seen):
        return
    st.markdown("**From more than 8 bits to 8**")
    window = f"{key}-chosen"
    in_use = window_name(config.window) or (OWN if config.window else NONE)
    st.session_state[window] = in_use
    st.selectbox(
        "Window of grey images",
        [NONE, *([OWN] if in_use == OWN else []), *CT_WINDOWS],
        format_func=lambda name: told(name, config.window),
        help="Windows of computed tomography in Hounsfield units; enter another under “How the images are stored”.",
        key=window,
        on_change=lambda: choose("" if st.session_state[window] == NONE else st.session_state[window]),
        width=420,
    )
    if seen.values:
        chart(figure(seen.values), f"{key}-histogram", "values", lambda: table(seen.values), alt=seen.values.text())
        st.caption(plain_sentence(seen.values.text()))


def told(name: str, window: tuple[float, float] | None) -> str:
    """What a choice is called."""
    if name == NONE:
        return "Each DICOM file's own, else one range for all"
    centre, width = window if name == OWN and window else CT_WINDOWS.get(name, (0.0, 0.0))
    title = "Own" if name == OWN else name.capitalize().replace("-", " ")
    return f"{title} (centre {number(centre)}, width {number(width)})"


def figure(values: Histogram) -> go.Figure:
    """The histogram with a line at black and one at white."""
    widths = [right - left for left, right in zip(values.edges, values.edges[1:], strict=False)]
    middles = [left + width / 2 for left, width in zip(values.edges, widths, strict=False)]
    shown = go.Figure(go.Bar(x=middles, y=[100 * share for share in values.shares], width=widths, name="pixels"))
    for value, word, side in ((values.black, "black", "left"), (values.white, "white", "right")):
        shown.add_vline(value, line_dash="dash", annotation_text=word, annotation_position=f"top {side}")
    shown.update_layout(height=220, showlegend=False, bargap=0, margin={"t": 24, "b": 44, "l": 64, "r": 48})
    shown.update_xaxes(title="value")
    shown.update_yaxes(title="pixels, %", type="log", dtick=1)
    return shown


def table(values: Histogram | None) -> pd.DataFrame:
    """The numbers behind the figure."""
    if values is None:
        return pd.DataFrame()
    return pd.DataFrame({"from": values.edges[:-1], "to": values.edges[1:], "share": values.shares})
