"""All images of a pool by their distances to the training images."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from engine.report.figures import figure_neighbour_distances, figure_neighbour_map
from engine.sampling.pools import Pool
from engine.store.runs import Run
from pages.components.charts import chart, drawn
from pages.components.files import stamp
from pages.quality.clicked import clicked, marking_clicked, remember


def distances(run: Run, neighbours: pd.DataFrame | None, pool: Pool | None, folder: Path | None) -> None:
    """Every image by both distances, with the one that was clicked, and how the distances are spread."""
    if neighbours is None:
        st.info("This check wrote no table of nearest neighbours.")
        return
    key = f"neighbour-map-{run.id}"
    written = stamp(run.path / "neighbours.parquet")
    chart(
        drawn("neighbour map", written, lambda: marking_clicked(figure_neighbour_map(neighbours))),
        key,
        "neighbours",
        lambda: neighbours,
        on_select=lambda: remember(key),
    )
    clicked(run, neighbours, pool, folder)
    st.caption("Copies lie at the lower left: near a training image by features and by pixels.")
    chart(
        drawn("neighbour distances", written, lambda: figure_neighbour_distances(neighbours)),
        f"neighbour-distances-{run.id}",
        "neighbour-distances",
        lambda: neighbours[["path", "class", "distance", "own_distance"]],
    )
    st.caption(
        "A heap of synthetic images left of where the training images lie from each other is what copying looks like."
    )
