"""The figure and the table of a reader study."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from engine.report.style import BLUE, GREY, LINE, ORANGE, styled
from engine.review.agreement import Pooled

SHOWN = {"accuracy": "Right", "sensitivity": "Synthetic images found", "specificity": "Real images found"}


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
