"""The image whose point was clicked in a figure of a check: kept in the URL, and shown beside its neighbour."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from engine.sampling.pools import Pool
from engine.store.runs import Run
from pages.components.format import plain
from pages.components.home import home
from pages.components.picture_dialog import look_closer, pressable_picture
from pages.components.picture_viewer import Pane
from pages.components.query_params import put
from pages.components.run_summary import config_of
from pages.quality.copies import FEATURES, pair

IMAGE = "image"
"""Of the URL: `split:path` of the image that is looked at."""
SYNTHETIC = "synthetic"
WIDTH = 192


def marking_clicked(figure: go.Figure) -> go.Figure:
    """The figure, in which the point that is clicked stands out; else all points but that one fade."""
    return figure.update_traces(
        selected={"marker": {"size": 14, "opacity": 1}}, unselected={"marker": {"opacity": 0.75}}
    )


def remember(key: str) -> None:
    """Put the image that was clicked in the figure `key` into the URL; `customdata` of its points is `[path, split]`,
    or `[path, neighbour]` of a synthetic one."""
    points = [point["customdata"] for point in st.session_state[key].selection.points if "customdata" in point]
    if not points:
        put(IMAGE, "")
        return
    path, split = points[0][:2]
    put(IMAGE, f"{split if split in ('train', 'valid') else SYNTHETIC}:{path}")


def clicked(run: Run, neighbours: pd.DataFrame | None, pool: Pool | None, folder: Path | None) -> None:
    """The image that the URL names; of a synthetic one the nearest training image beside it."""
    split, _, path = st.query_params.get(IMAGE, "").partition(":")
    if not path:
        st.caption("Point at a dot for its name; click on it to see the image and, of a synthetic one, its neighbour.")
        return
    rows = neighbours[neighbours["path"] == path] if neighbours is not None else pd.DataFrame()
    if split == SYNTHETIC and len(rows) and pool is not None and folder is not None:
        excluded = pool.manifest.set_index("path")["excluded"].get(path, "")
        pair(run, rows.iloc[0].to_dict() | {"excluded": excluded}, FEATURES, pool, folder)
        return
    config = config_of(run)
    within = home().run(config["pool"]) if split == SYNTHETIC else home().dataset(config["dataset"])
    file = within / path
    words = "Synthetic" if split == SYNTHETIC else "Real"
    # the path comes from a link: nothing but the stored pictures of this folder is opened
    if file.suffix == ".png" and file.is_file() and file.resolve().is_relative_to(within.resolve()):
        pane = Pane(file, f"{words}: {path}", f"{words} image {path}")
        if pressable_picture(pane, "clicked", WIDTH):
            look_closer(lambda _: [pane])
    else:
        st.caption(f"{words}: {plain(path)} (the file is gone)")
