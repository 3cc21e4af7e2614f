"""Figures of a data set, from its manifest."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from engine.datasets.manifest import usable
from engine.report.style import BLUE, ORANGE, SPLITS, styled

NUMBERED = 40
"""Most classes whose bars stand side by side with their numbers; more are too narrow to read them."""


def class_counts(manifest: pd.DataFrame) -> pd.DataFrame:
    """Images by class (index) and split (columns), excluded images left out."""
    kept = usable(manifest)
    counts = pd.crosstab(kept["class"], kept["split"])
    return counts.reindex(columns=[split for split in SPLITS if split in counts.columns])


def figure_class_counts(manifest: pd.DataFrame) -> go.Figure:
    """Bars of the number of images by class, one bar a split; of many classes on top of each other, without numbers."""
    counts = class_counts(manifest)
    many = len(counts) > NUMBERED
    figure = go.Figure(
        [
            go.Bar(
                x=[str(name) for name in counts.index],
                y=counts[split],
                text=None if many else counts[split],
                name=str(split),
                marker={"color": SPLITS[str(split)]},
                customdata=[[name, split] for name in counts.index],
                hovertemplate="%{x}, %{customdata[1]}: %{y} images<extra></extra>",
            )
            for split in counts.columns
        ]
    )
    styled(figure, title="Images by class and split", x="Class", y="Images", keep_zoom="class-counts")
    return figure.update_layout(barmode="stack" if many else "group").update_xaxes(type="category")


def figure_sizes(manifest: pd.DataFrame) -> go.Figure:
    """Histogram of the source images' widths and heights, before they were brought to one size."""
    figure = go.Figure(
        [
            go.Histogram(
                x=manifest[side],
                name=side.capitalize(),
                marker={"color": color},
                nbinsx=40,
                hovertemplate="%{x} px: %{y} images<extra>" + side + "</extra>",
            )
            for side, color in (("width", BLUE), ("height", ORANGE))
        ]
    )
    styled(figure, title="Sizes of the source images", x="Pixels", y="Images", keep_zoom="sizes")
    return figure.update_layout(barmode="group", bargap=0.1)
