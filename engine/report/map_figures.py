"""The map of a data set: its images as points, near each other where their features are alike."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from engine.report.style import BLUE, GREEN, GREY, ORANGE, PINK, RED, SKY, styled

COLOURS = (BLUE, ORANGE, GREEN, PINK, RED, SKY, GREY)
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "star", "x")


def figure_dataset_map(points: pd.DataFrame, by: str) -> go.Figure:
    """The points `path, name, x, y` in the colours and symbols of their values in the column `by`.

    `customdata` of a point is its path; a lasso or a box chooses points.
    """
    figure = go.Figure()
    for place, (value, own) in enumerate(points.groupby(by, sort=True)):
        figure.add_trace(
            go.Scattergl(
                x=own["x"],
                y=own["y"],
                mode="markers",
                name=str(value) or "none",
                marker={
                    "color": COLOURS[place % len(COLOURS)],
                    "symbol": SYMBOLS[place % len(SYMBOLS)],
                    "size": 8,
                    "opacity": 0.75,
                },
                customdata=own[["path"]].to_numpy(dtype=object),
                text=own["name"],
                hovertemplate="%{text}<extra>" + (str(value) or "none") + "</extra>",
                selected={"marker": {"opacity": 1, "size": 11}},
                unselected={"marker": {"opacity": 0.3}},
            )
        )
    styled(figure, title="Map of the images by their features", x="", y="", keep_zoom="dataset-map", height=520)
    bare = {"showticklabels": False, "zeroline": False, "showgrid": False, "showline": True, "mirror": True}
    figure.update_xaxes(**bare).update_yaxes(**bare)
    figure.update_layout(margin={"t": 48, "b": 64}, legend={"y": -0.02, "yanchor": "top"})
    return figure.update_layout(clickmode="event+select", dragmode="lasso")
