"""The curves of a training show every number that its rows hold, rare ones too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go
import pytest

from engine.report.figures import (
    figure_augmentation,
    figure_diversity,
    figure_fid,
    figure_held_out,
    figure_kid,
    figure_penalties,
)
from engine.report.training_figures import MAX_POINTS

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
    assert not any(y is not None for trace in empty.data for y in trace.y)
    assert empty.layout.title.text
    assert empty.layout.uirevision  # a zoom survives new data
