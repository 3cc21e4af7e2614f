"""The feature map: real and synthetic images as points, near each other when their features are."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from engine.quality.quality_scores import Counts
from engine.report.figures import figure_embedding
from engine.report.quality_figures import part_on_the_map
from engine.sampling.pools import Pool
from engine.store.runs import Run
from pages.components.charts import chart, drawn
from pages.components.files import stamp
from pages.quality.clicked import clicked, marking_clicked, remember


def feature_map(
    run: Run,
    points: pd.DataFrame | None,
    counts: Counts,
    neighbours: pd.DataFrame | None,
    pool: Pool | None,
    folder: Path | None,
) -> None:
    """The map; a click on a point opens its image, and of a synthetic one the nearest training image beside it."""
    if points is None:
        st.info("This check drew no feature map.")
        return
    written = stamp(run.path / "embedding.parquet")
    figure = drawn("feature map", written, lambda: marking_clicked(figure_embedding(points)))
    key = f"map-{run.id}"
    chart(figure, key, "feature-map", lambda: points, on_select=lambda: remember(key))
    clicked(run, neighbours, pool, folder)
    st.caption(
        "Images that the features call alike lie near each other; the axes themselves mean nothing. Where real images "
        "lie without synthetic ones among them, the generator makes nothing of their kind. "
        + part_on_the_map(points, counts.train + counts.valid, counts.pool)
    )
