"""The plot of a sweep: where everything stands, and that its intervals are those of the verdict."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from engine.configs import SweepConfig
from engine.report.difference_panel import differences_of, verdict_bars
from engine.report.sweep_axis import CLASSICAL_AT, SweepAxis
from engine.report.sweep_figures import LETTERS, figure_sweep, share_note, spread
from engine.report.tables import comparison_table, readable_comparisons
from engine.sweep.comparisons import Comparison
from engine.sweep.headline import headline
from engine.sweep.summary_model import SweepSummary
from tests.fabricated import make_trials
from tests.sweep.test_headline import ARM, REAL, REPEATED, SHARES, family, swept

LABELS = np.repeat([0, 1], 15)
TRIALS = make_trials(SweepConfig(name="s", dataset="d", pool="p", seeds=8), LABELS)
DIFFERENCES = ((-0.023, -0.086, -0.035, -0.095), (0.01, -0.062, -0.01, -0.071))
INTERVALS = pd.DataFrame(
    [
        {"arm": arm, "ratio": ratio, "metric": "accuracy", "n": 8, "mean": cell["accuracy"].mean()}
        for (arm, ratio), cell in TRIALS.groupby(["arm", "ratio"])
    ]
)
INTERVALS = INTERVALS.assign(low=INTERVALS["mean"] - 0.2, high=INTERVALS["mean"] + 0.15)


def drawn(**settings: Any) -> tuple[go.Figure, SweepSummary, SweepConfig]:
    summary, config = swept(*DIFFERENCES, **settings)
    return figure_sweep(TRIALS, summary, config=config, intervals=INTERVALS), summary, config


def means(figure: go.Figure, name: str) -> go.Scatter:
    return next(trace for trace in figure.data if trace.name == name)


def note(figure: go.Figure, name: str) -> str:
    return next(each.text for each in figure.layout.annotations if each.name == name)


@pytest.mark.parametrize(("place", "against"), [(0, REPEATED), (1, REAL)])
@pytest.mark.parametrize("primary_ratio", [None, 0.5])
def test_the_lower_panel_has_the_intervals_of_the_verdict(
    place: int, against: str, primary_ratio: float | None
) -> None:
    """Of each share and of their mean: the corrected ones, and of a share that was declared its own."""
    figure, summary, _ = drawn(primary_ratio=primary_ratio)
    trace = [trace for trace in figure.data if (trace.name or "").startswith("Difference to ")][place]
    rows = [row for row in (*summary.comparisons, *summary.averages) if row.against == against]
    assert len(trace.x) == len(rows) == 5
    for row, y, up, down in zip(rows, trace.y, trace.error_y.array, trace.error_y.arrayminus, strict=True):
        alone = row.ratio == primary_ratio
        low, high = (row.low_alone, row.high_alone) if alone else (row.low_total, row.high_total)
        assert (y, y - down, y + up) == pytest.approx((100 * row.mean_difference, 100 * low, 100 * high))
    ends = np.array(figure.layout.yaxis2.range)
    assert ends[0] < min(trace.y - trace.error_y.arrayminus) and max(trace.y + trace.error_y.array) < ends[1]
    assert ends[0] < 0 < ends[1], "the zero line, and both sides of it"
    assert "95 % intervals of the verdict" in note(figure, "differences")


def test_the_card_has_the_same_intervals_too() -> None:
    summary, config = swept(*DIFFERENCES)
    rows = headline(summary, config).rows
    assert (rows[0].low_total, rows[0].against) == (summary.averages[1].low_total, REPEATED)
    drawn_rows = verdict_bars(rows, "accuracy", "", "What it says.")
    for row in rows:
        low, high = 100 * row.low_total, 100 * row.high_total
        assert f'title="{100 * row.mean_difference:+.1f} points ({low:+.1f} to {high:+.1f} points)' in drawn_rows
    assert 'aria-label="What it says."' in drawn_rows


def test_y_fits_the_trials_and_intervals_and_no_chance_stretches_it() -> None:
    figure, summary, _ = drawn()
    low, high = figure.layout.yaxis.range
    shown = TRIALS[TRIALS["arm"] != "real-subset"]["accuracy"]
    lowest = 100 * min(shown.min(), INTERVALS[INTERVALS["arm"] != "real-subset"]["low"].min())
    highest = 100 * max(shown.max(), INTERVALS[INTERVALS["arm"] != "real-subset"]["high"].max())
    room = 0.06 * (highest - lowest)
    assert lowest - room < low < lowest and highest < high < highest + room
    far = summary.model_copy(update={"majority_accuracy": 0.02})
    stretched = figure_sweep(TRIALS, far, intervals=INTERVALS)
    assert stretched.layout.yaxis.range == (low, high)
    assert note(stretched, "chance") == "Always the largest class: 2.0 %, below this plot"
    assert not [shape for shape in stretched.layout.shapes if shape.yref in ("y", None) and shape.y0 == 2.0]
    assert note(figure, "chance") == "Always the largest class: 60.0 %"


def test_groups_are_centred_on_their_ticks_and_trials_stand_behind_their_means() -> None:
    figure, _, _ = drawn()
    ticks = dict(zip(figure.layout.xaxis2.ticktext, figure.layout.xaxis2.tickvals, strict=True))
    arms = [means(figure, name) for name in ("Real + repeated real", "Real + synthetic")]
    for share in SHARES:
        at = [
            x
            for trace in arms
            for x, data in zip(trace.x, trace.customdata, strict=True)
            if data[0] != REAL and data[1] == share
        ]
        assert np.mean(at) == pytest.approx(ticks[f"{100 * share:g}"]) and max(at) - min(at) < 0.5
        for trace in arms:
            (mean,) = (x for x, data in zip(trace.x, trace.customdata, strict=True) if data[1] == share)
            dots = means(figure, f"{trace.name}, trials")
            of_share = [x for x, data in zip(dots.x, dots.customdata, strict=True) if data[1] == share]
            assert np.mean(of_share) == pytest.approx(mean) and max(of_share) - min(of_share) < 0.2
    order = [trace.name for trace in figure.data]
    assert order.index("Real + synthetic, trials") < order.index("Real + synthetic"), "drawn before, so behind"
    classical = means(figure, "Real + classical augmentation")
    assert list(classical.x) == [CLASSICAL_AT] and ticks["classical<br>aug."] == CLASSICAL_AT


def test_shares_are_in_order_and_equally_far_apart_whatever_they_are() -> None:
    axis = SweepAxis.of((REAL, REPEATED, ARM), [0.0, 4.0, 0.05, 0.25])
    assert [axis.slot(share) for share in (0.05, 0.25, 4.0)] == [1.0, 2.0, 3.0]
    assert list(axis.ticks(mean=True).values()) == ["0<br>real", "5", "25", "400", "mean"]
    assert CLASSICAL_AT not in axis.ticks(mean=True), "no slot where the arm is not there"


def test_every_line_is_named_at_its_end_and_no_name_lies_on_another() -> None:
    figure, _, _ = drawn()
    names = [each for each in figure.layout.annotations if each.name == "end"]
    assert [each.text for each in names] == ["repeated real", "synthetic"]
    assert all(each.x > max(means(figure, "Real + synthetic").x) for each in names)
    assert figure.layout.showlegend is False
    low, high = figure.layout.yaxis.range
    assert abs(names[0].y - names[1].y) >= 0.9 * LETTERS * (high - low) / 250
    assert spread([5.0, 5.0, 9.9], 1.0, 0.0, 10.0) == [5.0, 6.0, 9.9]
    assert spread([9.9, 9.8], 1.0, 0.0, 10.0) == [10.0, 9.0]


def test_the_dots_of_a_seed_are_joined_by_a_line_that_waits_to_be_seen() -> None:
    figure, _, _ = drawn()
    lines = [trace for trace in figure.data if trace.meta]
    assert [line.meta["seed"] for line in lines] == list(range(8))
    assert all(line.opacity == 0 and line.hoverinfo == "skip" for line in lines)
    assert all(list(line.x) == sorted(line.x) and len(line.x) == 10 for line in lines)


def test_one_repetition_has_neither_interval_nor_p() -> None:
    summary, config = swept(*DIFFERENCES, n=1)
    trials = TRIALS[TRIALS["seed"] == 0]
    figure = figure_sweep(trials, summary, config=config)
    for trace in figure.data:
        if (trace.name or "").startswith("Difference to "):
            assert np.isnan([*trace.error_y.array, *trace.error_y.arrayminus]).all()
            assert {data[5] for data in trace.customdata} == {"–"}
    assert "one repetition has no interval" in note(figure, "differences")
    table = comparison_table(summary.comparisons)
    told = readable_comparisons(table)
    assert set(told["p"]) == set(told["p (corrected)"]) == {"–"}
    assert {"–"} == set(told.filter(like="95 %").to_numpy().ravel())


def test_differences_are_left_out_where_they_are_of_something_else() -> None:
    """In a metric that was not compared, of other test images than the verdict's, and while the sweep still runs."""
    summary, config = swept(*DIFFERENCES)
    alone = (
        figure_sweep(TRIALS, summary, "macro_f1", config=config),
        figure_sweep(TRIALS, summary, config=config, differences=False),
        figure_sweep(TRIALS, None, config=config),
    )
    for figure in alone:
        assert "yaxis2" not in figure.layout and "mean" not in figure.layout.xaxis.ticktext
    assert differences_of(summary, config, [REAL], "accuracy").families == ()


def test_without_repeats_the_real_images_alone_are_the_other_side() -> None:
    summary, config = swept(DIFFERENCES[0], ())
    found = differences_of(summary, config, [REAL, ARM], "accuracy")
    assert [family[0].against for family in found.families] == [REAL]
    assert "real only" in note(figure_sweep(TRIALS, summary, config=config), "differences")


def test_intervals_over_the_seeds_alone_say_that_they_are() -> None:
    def old(row: Comparison) -> Comparison:
        unknown = dict.fromkeys(("low_total", "high_total", "low_alone", "high_alone", "p", "p_corrected"), math.nan)
        return Comparison(**{**row.__dict__, **unknown})

    summary, config = swept(*DIFFERENCES)
    rows = tuple(old(row) for row in summary.comparisons)
    summary = summary.model_copy(update={"comparisons": rows, "averages": ()})
    figure = figure_sweep(TRIALS, summary, config=config)
    assert "95 % over seeds alone, on these test images" in note(figure, "differences")
    trace = means(figure, "Difference to repeated real")
    assert trace.y[0] + trace.error_y.array[0] == pytest.approx(100 * family(REPEATED, DIFFERENCES[1])[0].high)


def test_what_a_percentage_counts_stands_below() -> None:
    assert "100 % = one synthetic image for each real one" in share_note([REAL, ARM], None)
    gap = SweepConfig(name="s", dataset="d", pool="p", ratio_of="gap")
    assert "100 % = all that a class lacks" in share_note([REAL, ARM], gap)
