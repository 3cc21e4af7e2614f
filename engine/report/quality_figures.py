"""Figures of a quality run: scores beside their floors, neighbours, and the map of features."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from engine.quality.snapshot_ranking import Ranking, remark
from engine.report.quality_tables import score_of
from engine.report.style import BLUE, FLAGS, GREEN, GREY, LINE, ORANGE, PINK, RED, SKY, styled, translucent

MAX_CLASSES = 6
"""Most classes shown beside the whole pool in the figure of scores."""
BINS = 30
"""Bars of a histogram."""
MAX_DOTS, MAX_POINTS = 1000, 4000
"""Most marks of a kind of pair, and of a group in the map of features: the browser stays quick and the file small."""
COLUMNS = 4
CHECKS = ((BLUE, "circle"), (ORANGE, "square"), (GREEN, "triangle-up"))
"""Colours and symbols of the checks in the figure of scores."""


def figure_scores(
    scores: pd.DataFrame, class_name: str = "", *, beside: Mapping[str, pd.DataFrame] | None = None
) -> go.Figure:
    """Every score as a small panel: synthetic images with their interval, beside the floor of real against real.

    `scores` are the scores of a check as a table. The whole pool and its classes, or `class_name` alone; each panel
    has its own unit. `beside` are the scores of several checks by name, shown instead beside the floor of `scores`.
    """
    present = set(scores["class"])  # a pool without some class has no scores of all classes together
    classes = [class_name] if class_name else [*[""] * ("" in present), *sorted(present - {""})[:MAX_CLASSES]]
    shown = scores[scores["class"].isin(classes)]
    metrics = list(dict.fromkeys(shown["metric"]))
    rows = max(1, -(-len(metrics) // COLUMNS))
    panel, gap = 30 + 26 * len(classes), 92  # pixels
    plot = rows * panel + (rows - 1) * gap
    figure = make_subplots(
        rows=rows,
        cols=COLUMNS,
        subplot_titles=[_panel_title(metric) for metric in metrics],
        shared_yaxes=True,
        horizontal_spacing=0.05,
        vertical_spacing=gap / plot if rows > 1 else 0,
    )
    names = [name or "all" for name in classes]
    for place, metric in enumerate(metrics):
        own = shown[shown["metric"] == metric].set_index("class").reindex(classes)
        row, column = divmod(place, COLUMNS)
        series = [(own, ("floor", "floor_low", "floor_high"), "Real against real", GREY, "diamond")]
        for (label, rows_of), (color, symbol) in zip(
            (beside or {"Synthetic against real": scores}).items(), CHECKS, strict=False
        ):
            of_metric = rows_of[rows_of["metric"] == metric].set_index("class").reindex(classes)
            series.append((of_metric, ("value", "low", "high"), label, color, symbol))
        for cells, fields, label, color, symbol in series:
            trace = _dots(cells, metric, fields, names, label, color, symbol)
            figure.add_trace(trace.update(showlegend=place == 0), row=row + 1, col=column + 1)
    margin = {"t": 104, "b": 76}
    styled(
        figure, title="Scores beside their floors", x="", y="", keep_zoom="scores", height=plot + sum(margin.values())
    )
    figure.update_layout(margin=margin, legend={"yref": "container", "y": 0.0, "yanchor": "bottom"})
    figure.update_annotations(font={"size": 13})
    figure.update_xaxes(nticks=4, zeroline=False)
    return figure.update_yaxes(type="category", categoryorder="array", categoryarray=names[::-1])


def _panel_title(metric: str) -> str:
    score = score_of(metric)
    unit = ", %" if score.percent else ""
    better = {"lower": "lower is better", "higher": "higher is better", "near": "as real is best"}[score.better]
    return f"{score.title}{unit}<br><span style='font-size: 11px'>{better}</span>"


def _dots(
    own: pd.DataFrame, metric: str, fields: tuple[str, str, str], names: list[str], label: str, color: str, symbol: str
) -> go.Scatter:
    score = score_of(metric)
    scale = 100.0 if score.percent else 1.0
    value, low, high = (pd.to_numeric(own[name], errors="coerce") * scale for name in fields)
    return go.Scatter(
        x=value,
        y=names,
        error_x={"array": (high - value).fillna(0), "arrayminus": (value - low).fillna(0), "thickness": 2, "width": 4},
        mode="markers",
        marker={"color": color, "symbol": symbol, "size": 10},
        name=label,
        legendgroup=label,
        customdata=[
            [score.show(v / scale), score.show_interval(lo / scale, hi / scale)]
            for v, lo, hi in zip(value, low, high, strict=True)
        ],
        hovertemplate=(
            f"{score.title}, {label.lower()}<br>%{{customdata[0]}} (95 %: %{{customdata[1]}})<extra>%{{y}}</extra>"
        ),
    )


def figure_neighbour_distances(neighbours: pd.DataFrame) -> go.Figure:
    """How far synthetic images lie from their nearest training image, beside how far those lie from their own nearest.

    A heap of synthetic images left of the training images' own distances is what copying looks like.
    """
    most = float(np.nanmax(neighbours[["distance", "own_distance"]].to_numpy(float))) or 1.0
    edges = np.linspace(0.0, most, BINS + 1)
    figure = go.Figure()
    for field, title, color in (
        ("own_distance", "Of training images", GREY),
        ("distance", "Of synthetic images", BLUE),
    ):
        counts, _ = np.histogram(neighbours[field].dropna(), edges)  # counted here: a browser need not get every image
        figure.add_trace(
            go.Bar(
                x=(edges[:-1] + edges[1:]) / 2,
                y=counts,
                width=most / BINS,
                name=title,
                marker={"color": translucent(color, 0.6), "line": {"width": 0}},
                customdata=np.stack([edges[:-1], edges[1:]], axis=1),
                hovertemplate="%{customdata[0]:.3g} to %{customdata[1]:.3g}: %{y} images<extra>" + title + "</extra>",
            )
        )
    styled(
        figure,
        title="Distance to the nearest training image",
        x="Distance of the features",
        y="Images",
        keep_zoom="neighbour-distances",
        height=420,
    )
    return figure.update_layout(barmode="overlay")


def figure_neighbour_map(neighbours: pd.DataFrame) -> go.Figure:
    """Every pool image by its distance in features and in pixels to the training images: copies lie at the lower left.

    `customdata` of a dot is `[path, neighbour]`.
    """
    figure = go.Figure()
    for flag, (title, color, symbol) in FLAGS.items():
        own, shown = _thinned(neighbours[neighbours["flag"] == flag], MAX_DOTS)
        if own.empty:
            continue
        figure.add_trace(
            go.Scatter(
                x=own["distance"],
                y=own["pixel_distance"],
                mode="markers",
                name=f"{title}{shown}",
                marker={"color": color, "symbol": symbol, "size": 10 if flag else 6, "opacity": 0.9 if flag else 0.45},
                customdata=own[["path", "neighbour"]].to_numpy(dtype=object),
                hovertemplate="%{customdata[0]}<br>nearest: %{customdata[1]}<extra>" + title + "</extra>",
            )
        )
    styled(
        figure,
        title="Synthetic images by both distances",
        x="Distance of the features",
        y="Distance of the pixels",
        keep_zoom="neighbour-map",
        height=420,
    )
    figure.update_xaxes(rangemode="tozero").update_yaxes(rangemode="tozero")
    return figure.update_layout(clickmode="event+select")


def figure_embedding(embedding: pd.DataFrame, class_name: str = "") -> go.Figure:
    """The map of features in the plane: real images hollow, synthetic ones filled, a colour a class.

    `embedding` has `path, class, split (train, valid or synthetic), x, y`; `customdata` of a dot is `[path, split]`.
    """
    shown = embedding if not class_name else embedding[embedding["class"] == class_name]
    colors = (ORANGE, BLUE, GREEN, PINK, RED, SKY, GREY)
    figure = go.Figure()
    for place, name in enumerate(sorted(set(embedding["class"]))):
        for synthetic, symbol, title in ((False, "circle-open", "real"), (True, "triangle-up", "synthetic")):
            group = shown[(shown["class"] == name) & ((shown["split"] == "synthetic") == synthetic)]
            own, drawn = _thinned(group, MAX_POINTS)
            if own.empty:
                continue
            figure.add_trace(
                go.Scattergl(
                    x=own["x"],
                    y=own["y"],
                    mode="markers",
                    name=f"{name}, {title}{drawn}",
                    marker={"color": colors[place % len(colors)], "symbol": symbol, "size": 7, "opacity": 0.75},
                    customdata=own[["path", "split"]].to_numpy(dtype=object),
                    hovertemplate="%{customdata[0]}<extra>" + f"{name}, {title}" + "</extra>",
                )
            )
    styled(figure, title="Map of the features", x="", y="", keep_zoom="embedding", height=460)
    figure.update_xaxes(showticklabels=False, zeroline=False, showgrid=False, showline=True, mirror=True)
    figure.update_yaxes(showticklabels=False, zeroline=False, showgrid=False, showline=True, mirror=True)
    # below, where the axes have no titles: two lines of it would meet the title above
    figure.update_layout(margin={"t": 48, "b": 64}, legend={"y": -0.02, "yanchor": "top"})
    return figure.update_layout(clickmode="event+select")


def part_on_the_map(embedding: pd.DataFrame, real: int, pool: int) -> str:
    """A sentence on images that a check of `real` and `pool` images left off its map; empty where all are on it."""
    synthetic = int((embedding["split"] == "synthetic").sum())
    shown = ((synthetic, pool, "synthetic"), (len(embedding) - synthetic, real, "real"))
    parts = [f"{count:,} of {of:,} {what} images" for count, of, what in shown if count < of]
    return f"On the map are {' and '.join(parts)}: flagged ones first, the others drawn by chance." if parts else ""


def figure_ranking(ranking: Ranking, margin: float | None = None) -> go.Figure:
    """KID of each snapshot to the validation images against kimg, the lowest one marked.

    `customdata` of a dot is `[snapshot, how it stands to the one with the lowest KID]`.
    """
    rows = ranking.snapshots
    kimg, kid = [row.kimg for row in rows], [row.kid for row in rows]
    best = int(np.argmin(kid))
    figure = go.Figure(
        go.Scatter(
            x=kimg,
            y=kid,
            error_y={
                "array": [row.high - row.kid for row in rows],
                "arrayminus": [row.kid - row.low for row in rows],
                "thickness": 1.5,
                "width": 4,
            },
            mode="lines+markers",
            line={"color": BLUE, "width": 2},
            marker={
                "color": [GREEN if i == best else BLUE for i in range(len(kid))],
                "size": [14 if i == best else 8 for i in range(len(kid))],
                "symbol": ["star" if i == best else "circle" for i in range(len(kid))],
                "line": {"width": 0},
            },
            customdata=[[row.snapshot, remark(ranking, row, margin)] for row in rows],
            hovertemplate="%{customdata[0]}<br>KID %{y:.4f} at %{x:g} kimg<br>%{customdata[1]}<extra></extra>",
            showlegend=False,
        )
    )
    figure.add_hline(y=0, line={"color": LINE, "width": 1})
    figure.add_annotation(
        x=kimg[best], y=kid[best], text="lowest", showarrow=False, xshift=28, yshift=-14, font={"size": 12}
    )
    styled(
        figure,
        title="Snapshots by their distance to the validation images",
        x="Real images shown, kimg",
        y="KID (95 % interval of each alone)",
        keep_zoom="ranking",
    )
    return figure.update_xaxes(rangemode="nonnegative")


def _thinned(rows: pd.DataFrame, most: int) -> tuple[pd.DataFrame, str]:
    """Rows by chance, no more than `most`, and what the legend says of that."""
    if len(rows) <= most:
        return rows, ""
    return rows.sample(most, random_state=0), f" ({most:,} of {len(rows):,})"
