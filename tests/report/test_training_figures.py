"""The curves of a training show every number that its rows hold, rare ones too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from engine.report.figures import (
    figure_augmentation,
    figure_diversity,
    figure_fid,
    figure_held_out,
    figure_kid,
    figure_losses,
    figure_overlay,
    figure_penalties,
)
from engine.report.thinning import MAX_POINTS
from engine.report.training_figures import CURVES, View, smoothed

Rows = list[dict[str, Any]]
Figure = Callable[[Rows], go.Figure]


def rows(ticks: int) -> Rows:
    """Ticks of which every 10th is a snapshot."""
    found = []
    for tick in range(1, ticks + 1):
        row = {"kimg": float(tick), "augment_p": tick / 1000, "r_t": 0.5, "fake_logits": -1.0}
        row["r1" if tick % 3 else "pl"] = 0.1 if tick % 3 else 3.0  # lazy penalties miss ticks
        if tick % 10 == 0:
            kid = {"kid": 1 / tick, "kid_low": 0.9 / tick, "kid_high": 1.2 / tick}
            row |= {**kid, "fid": 5.0, "train_logits": 1.0, "valid_logits": 0.5, "diversity": 0.8}
        found.append(row)
    return found


def points(figure: go.Figure, name: str) -> list[tuple[float, float]]:
    (trace,) = [trace for trace in figure.data if trace.name == name]
    return list(zip(trace.x, trace.y, strict=True))


@pytest.mark.parametrize(
    ("figure", "name", "height"),
    [
        (figure_kid, "KID", 1 / 50),
        (figure_fid, "FID", 5.0),
        (figure_diversity, "Diversity", 0.8),
        (figure_held_out, "Training", 1.0),
        (figure_held_out, "Held-out", 0.5),
        (figure_held_out, "Generated", -1.0),
        (figure_augmentation, "p", 0.05),
        (figure_augmentation, "r_t", 0.5),
        (figure_penalties, "R1", 0.1),
        (figure_penalties, "Path length", 3.0),
    ],
)
def test_every_curve_shows_its_number(figure: Figure, name: str, height: float) -> None:
    curve = points(figure(rows(60)), name)
    assert dict(curve)[51.0 if name == "Path length" else 50.0] == pytest.approx(height)
    assert all(y is not None for _, y in curve)  # no gaps: isolated points would be invisible


def test_the_interval_of_kid_surrounds_it() -> None:
    band = points(figure_kid(rows(60)), "95 % interval")
    for x, y in points(figure_kid(rows(60)), "KID"):
        low, high = sorted(height for kimg, height in band if kimg == x)
        assert (low, high) == pytest.approx((0.9 / x, 1.2 / x))
        assert low < y < high


def test_snapshots_are_not_lost_among_the_ticks_of_a_long_training() -> None:
    many = rows(9000)
    assert len(points(figure_kid(many), "KID")) == 900
    assert len(points(figure_augmentation(many), "p")) == MAX_POINTS


@pytest.mark.parametrize(
    "figure",
    [figure_augmentation, figure_kid, figure_fid, figure_held_out, figure_penalties, figure_diversity],
)
def test_rows_without_the_numbers_give_an_empty_figure(figure: Figure) -> None:
    empty = figure([{"kimg": 1.0, "g_loss": 1.0}])
    assert not any(np.isfinite(y) for trace in empty.data for y in trace.y)
    assert empty.layout.title.text
    assert empty.layout.uirevision  # a zoom survives new data


def test_smoothing_is_a_running_mean_that_starts_at_the_first_number() -> None:
    assert smoothed([4.0, 4.0, 4.0], 0.9) == pytest.approx([4.0, 4.0, 4.0])
    found = smoothed([0.0, None, float("nan"), 1.0], 0.5)
    assert found == [0.0, None, None, pytest.approx(2 / 3)]  # 0.25 * 0 and 0.5 * 1, over a weight of 0.75


def test_smoothing_keeps_the_numbers_behind_it_and_leaves_snapshots_alone() -> None:
    jumping = [{"kimg": float(tick), "g_loss": float(tick % 2), "d_loss": 1.0} for tick in range(1, 2001)]
    behind, smooth, *_ = figure_losses(jumping, View(smoothing=0.9)).data
    assert (behind.showlegend, smooth.showlegend, len(behind.x), len(smooth.x)) == (False, None, 1000, 1000)
    assert max(behind.y) == 1
    assert 0.4 < min(smooth.y[500:]) <= max(smooth.y[500:]) < 0.6
    assert [trace.name for trace in figure_kid(rows(60), View(smoothing=0.9)).data] == ["KID", "95 % interval"]


def test_hours_and_the_best_checkpoint_lie_where_the_training_was() -> None:
    timed = [{**row, "seconds": 3600 * row["kimg"] / 10} for row in rows(60)]
    figure = figure_kid(timed, View(x="hours", best=40.0))
    assert dict(points(figure, "KID"))[4.0] == pytest.approx(1 / 40)
    assert [shape.x0 for shape in figure.layout.shapes if shape.x0 == shape.x1] == [4.0]
    assert figure.layout.uirevision != figure_kid(timed).layout.uirevision  # a zoom in kimg means nothing in hours


def test_runs_are_overlaid_in_colours_of_their_own_even_where_one_has_no_number() -> None:
    without = [{"kimg": 1.0, "g_loss": 1.0}]
    figure = figure_overlay({"first": without, "second": rows(60)}, "kid")
    assert [(trace.name, len(trace.x)) for trace in figure.data] == [("first", 0), ("second", 6)]
    assert figure.data[0].line.color != figure.data[1].line.color
    losses = figure_overlay({"first": without, "second": without}, "g_loss", View(log=True))
    assert losses.layout.yaxis.type == "log"
    assert {"kid", "g_loss", "augment_p"} <= {*CURVES}


def test_no_axis_begins_below_the_start_of_a_training() -> None:
    """A marker or a single tick would stretch it to where no training has been."""
    for build in (figure_kid, figure_augmentation, figure_penalties, figure_held_out):
        for figure in (build(rows(10)), build(rows(10), View("hours"))):
            assert figure.layout.xaxis.rangemode == "nonnegative"
    assert figure_overlay({"a": rows(10)}, "kid").layout.xaxis.rangemode == "nonnegative"
