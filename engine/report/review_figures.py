"""The figures and the tables of a reader study."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from engine.report.style import BLUE, GREEN, GREY, LINE, ORANGE, PINK, RED, SKY, styled
from engine.review.agreement import Pooled
from engine.review.quiz import MOST_SURE
from engine.review.reader_roc import ReaderRoc
from engine.review.study import area_told
from engine.sweep.statistics import Interval

AREA = "Area under the ROC curve (95 %)"
SHOWN = {"accuracy": "Right", "sensitivity": "Synthetic images found", "specificity": "Real images found"}
LOOKS = (
    *((BLUE, "circle", "solid"), (ORANGE, "diamond", "dash"), (GREEN, "square", "dot")),
    *((PINK, "triangle-up", "dashdot"), (RED, "x", "longdash"), (SKY, "star", "longdashdot")),
)
"""Colour, symbol and dash of each reader's curve in turn, to be told apart in grey too."""


def figure_reviewers(scores: pd.DataFrame, pooled: Pooled | None, measure: str = "accuracy") -> go.Figure:
    """Each reviewer's score at separating synthetic from real, with 95 % intervals; several also pooled.

    `scores` are the rows of `by_reviewer`.
    """
    rows = scores[(scores["class"] == "") & scores[measure].notna()].sort_values(measure)
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(
            x=100 * rows[measure],
            y=rows["reviewer"],
            error_x=_arms(100 * rows[measure], 100 * rows[f"{measure}_low"], 100 * rows[f"{measure}_high"], BLUE),
            mode="markers",
            marker={"color": BLUE, "size": 10},
            name="each reviewer",
            customdata=rows[["answered", "no_answer"]],
            hovertemplate="%{y}: %{x:.0f} %<br>%{customdata[0]} answers, %{customdata[1]} without<extra></extra>",
        )
    )
    if pooled is not None and pooled.reviewers > 1:
        found = pooled.interval
        mean, low, high = (pd.Series([100 * value]) for value in (found.mean, found.low, found.high))
        figure.add_trace(
            go.Scatter(
                x=mean,
                y=["All together"],
                error_x=_arms(mean, low, high, ORANGE),
                mode="markers",
                marker={"color": ORANGE, "size": 13, "symbol": "diamond"},
                name="all together",
                hovertemplate=f"All together: %{{x:.0f}} %<br>{pooled.images} images<extra></extra>",
            )
        )
    figure.add_vline(
        x=50, line={"color": GREY, "dash": "dash"}, annotation_text="guessing", annotation_position="top right"
    )
    styled(figure, title=f"{SHOWN[measure]}, by reviewer", x="Share of images (%)", y="", keep_zoom=f"review-{measure}")
    figure.update_layout(height=200 + 40 * (len(rows) + 1), showlegend=True)
    figure.update_xaxes(range=[0, 103])
    figure.update_yaxes(type="category", linecolor=LINE)
    return figure


def figure_reader_roc(found: ReaderRoc) -> go.Figure:
    """Each reader's ROC curve: synthetic images found against real ones taken for synthetic, at every certainty."""
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(
            x=[0, 100], y=[0, 100], mode="lines", line={"color": GREY, "dash": "dash", "width": 1}, name="guessing",
            hoverinfo="skip",
        )
    )  # fmt: skip
    areas = found.areas.set_index("reviewer")["auc"]
    for place, (reviewer, own) in enumerate(found.curves.groupby("reviewer", sort=True)):
        color, symbol, dash = LOOKS[place % len(LOOKS)]
        figure.add_trace(
            go.Scatter(
                x=100 * own["wrong"],
                y=100 * own["found"],
                mode="lines+markers",
                line={"color": color, "dash": dash, "width": 2},
                marker={"color": color, "symbol": symbol, "size": 8},
                name=f"{reviewer}: {areas[reviewer]:.2f}",
                customdata=[_called(threshold) for threshold in own["threshold"]],
                hovertemplate="%{customdata}<br>finds %{y:.0f} % of the synthetic images<br>takes %{x:.0f} % of the "
                "real ones for synthetic<extra>%{fullData.name}</extra>",
            )
        )
    styled(
        figure,
        title="ROC of each reader, and the area below it",
        x="Real images called synthetic (%)",
        y="Synthetic images found (%)",
        keep_zoom="reader-roc",
        height=420,
    )
    figure.update_xaxes(range=[-2, 102])
    figure.update_yaxes(range=[-2, 104])
    return figure


def _called(threshold: float) -> str:
    """What is called synthetic at a point of the curve."""
    if threshold > MOST_SURE:
        return "nothing called synthetic"
    word = "synthetic" if threshold > 0 else "real"
    return f"called synthetic from “{word}, {abs(threshold):.0f} of {MOST_SURE}” on"


def readable_areas(found: ReaderRoc) -> pd.DataFrame:
    """The areas of all readers in words, and of their mean."""
    rows = [
        {
            "Reviewer": row["reviewer"],
            AREA: area_told(Interval(row["auc"], row["auc_low"], row["auc_high"])),
            "Images": f"{row['synthetic']} synthetic, {row['real']} real",
        }
        for row in found.areas.to_dict("records")
    ]
    if found.pooled is not None and found.pooled.reviewers > 1:
        told = {"Reviewer": "All together", AREA: area_told(found.pooled.interval)}
        rows.append(told | {"Images": f"{found.pooled.images} that all of them rated"})
    return pd.DataFrame(rows)


def _arms(mean: pd.Series, low: pd.Series, high: pd.Series, color: str) -> dict[str, object]:
    return {"array": high - mean, "arrayminus": mean - low, "color": color, "thickness": 1.5, "width": 5}


def readable_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows of `by_reviewer` in words."""
    table = pd.DataFrame({"Reviewer": scores["reviewer"], "Class": scores["class"].replace("", "All")})
    for measure, words in SHOWN.items():
        table[words] = [
            "–" if pd.isna(mean) else f"{100 * mean:.0f} % ({100 * low:.0f} to {100 * high:.0f})"
            for mean, low, high in scores[[measure, f"{measure}_low", f"{measure}_high"]].itertuples(index=False)
        ]
    table["Answers"], table["No answer"] = scores["answered"], scores["no_answer"]
    return table.assign(**{"Seconds a picture": scores["seconds"].round(1)})
