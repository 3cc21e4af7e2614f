"""Plotly figures as every page shows them: they keep their zoom, and can be taken away as PNG, SVG and CSV."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

PICTURE = {"format": "svg", "scale": 2}


def chart(
    figure: go.Figure,
    key: str,
    name: str,
    table: Callable[[], pd.DataFrame] | None = None,
    on_select: Literal["ignore", "rerun"] | Callable[[], None] = "ignore",
) -> Any:
    """Show a figure; `name` is the file name of what is downloaded, `table` makes the numbers behind it.

    Returns what `st.plotly_chart` returns.
    """
    config = {"displaylogo": False, "toImageButtonOptions": {**PICTURE, "filename": name}}
    chosen = st.plotly_chart(figure, key=key, config=config, on_select=on_select)
    if table is not None:
        st.download_button(
            "CSV",
            lambda: table().to_csv(index=False),
            f"{name}.csv",
            "text/csv",
            icon=":material/download:",
            key=f"{key}-csv",
            type="tertiary",
            on_click="ignore",
        )
    return chosen
