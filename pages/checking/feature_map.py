"""The feature map: real and synthetic images as points, near each other when their features are."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from engine.report.figures import figure_embedding
from engine.store.runs import Run
from pages.parts.home import home
from pages.parts.images import picture
from pages.parts.runs import config_of

WIDTH = 192
SYNTHETIC = "synthetic"


def feature_map(run: Run, points: pd.DataFrame | None, neighbours: pd.DataFrame | None) -> None:
    """The map; a click on a point opens its image, and of a synthetic one the nearest training image beside it."""
    if points is None:
        st.info("This check drew no feature map.")
        return
    plot, opened = st.columns([3, 1], gap="medium")
    with plot:
        figure = figure_embedding(points)
        # else all points but the clicked one fade
        figure.update_traces(selected={"marker": {"size": 14, "opacity": 1}}, unselected={"marker": {"opacity": 0.75}})
        event = st.plotly_chart(figure, key=f"map-{run.id}", on_select="rerun", selection_mode=["points"])
    with opened:
        chosen = [point["customdata"] for point in event.selection.points if "customdata" in point]
        if not chosen:
            st.caption("Hover over a point for its name; click on it to see the image.")
            return
        show(run, *chosen[0][:2], neighbours)


def show(run: Run, path: str, split: str, neighbours: pd.DataFrame | None) -> None:
    """The image of a point."""
    config = config_of(run)
    dataset = home().dataset(config["dataset"])
    if split != SYNTHETIC:
        _picture(dataset / path, f"Real: {path}")
        return
    _picture(home().run(config["pool"]) / path, f"Synthetic: {path}")
    rows = neighbours[neighbours["path"] == path] if neighbours is not None else pd.DataFrame()
    if not rows.empty:
        row = rows.iloc[0]
        _picture(dataset / row["neighbour"], f"Its nearest training image: {row['neighbour']}")


def _picture(file: Path, caption: str) -> None:
    if file.is_file():
        st.image(picture(file, file.stat().st_mtime, WIDTH), caption=caption, width=WIDTH)
    else:
        st.caption(f"{caption} (the file is gone)")
