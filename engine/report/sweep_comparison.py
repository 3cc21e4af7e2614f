"""Two sweeps held against each other: whether they were tested on the same images, and cell by cell how they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from engine.report.style import ARMS, BLUE, GREEN, GREY, ORANGE, PINK, styled
from engine.report.tables import METRICS, cell_table, measure_of, show_share
from engine.store.csv_cells import read_table
from engine.store.parquet import read_parquet
from engine.store.runs import Run
from engine.sweep.analysis_units import Level
from engine.sweep.arms import baseline_of, control_of
from engine.sweep.metric_table import METRICS_FILE, metric_table, patient_parts
from engine.sweep.metrics import METRICS as COMPUTED
from engine.sweep.positive import OF_POSITIVE, measured_with, positive_index
from engine.sweep.summary_model import SUMMARY_FILE, SweepSummary
from engine.sweep.two_sweeps import How, OneSweep, apart

COLUMNS = ["arm", "ratio", "one", "other", "difference", "low", "high", "how"]
COLOURS = (BLUE, ORANGE, GREEN, PINK)


@dataclass(frozen=True)
class Swept:
    """What a comparison reads of a sweep; `trials` with their scores, `test_images` in the order of these.

    `metrics` is its metric table (`engine.sweep.metric_table`).
    """

    trials: pd.DataFrame
    test_images: pd.DataFrame
    classes: list[str]
    metrics: pd.DataFrame
    positive: str = ""
    """The positive one of two classes; empty with more, and where it is not known."""
    dataset: str = ""
    """Name of the data set; without it, other test images are taken for those of another."""


def read_swept(run: Run) -> Swept:
    """A finished sweep, from its files."""
    test_images = read_table(run.path / "test_images.csv", dtype=str, keep_default_na=False)
    if "fold" in test_images:
        test_images["fold"] = test_images["fold"].astype(int)
    trials = read_parquet(run.path / "trials.parquet")
    summary = SweepSummary.read(run.path / SUMMARY_FILE)
    classes = summary.classes
    positive = summary.positive_class or measured_with(
        trials.filter(["confusion", "sensitivity"]).to_dict("records"), classes
    )
    written = run.path / METRICS_FILE
    if written.is_file():
        metrics = read_parquet(written)
    else:  # a sweep of an earlier version
        metrics = metric_table(trials, test_images, classes, positive_index(positive, classes))
    return Swept(trials, test_images, classes, metrics, positive, summary.dataset)


def same_test(one: Swept, other: Swept) -> bool:
    """Whether both were tested on the same images, in the same folds."""
    columns = [name for name in ("sha256", "fold") if name in one.test_images or name in other.test_images]
    if any(name not in swept.test_images for swept in (one, other) for name in columns):
        return False
    mine, theirs = (swept.test_images[columns].astype(str).reset_index(drop=True) for swept in (one, other))
    return one.classes == other.classes and mine.equals(theirs)


def other_positive(one: Swept, other: Swept, metric: str) -> bool:
    """Whether this metric is of another class in the other sweep, so that its numbers say nothing of each other."""
    return metric in OF_POSITIVE and one.positive != other.positive


def compare_sweeps(one: Swept, other: Swept, metric: str = "accuracy", level: Level = "image") -> pd.DataFrame:
    """What `other` has more than `one` in every arm and ratio that both have, by metric and level.

    Columns: `arm, ratio, one, other` (means over the seeds), `difference`, `low` and `high`, its 95 % interval, and how
    it was had (`engine.sweep.two_sweeps`). The interval is for the luck of the seeds and of the test patients: paired
    where both are the same, else Welch's. Where the test images are those of another data set it is unknown (NaN): a
    difference may be one of the test images then.
    """
    common = _cells(one) & _cells(other)
    same = same_test(one, other)
    comparable = one.classes == other.classes and one.dataset == other.dataset != ""
    known = same or comparable
    values = [_by_seed(swept, metric, level, common) for swept in (one, other)]
    moved = [_by_patient(swept, metric, level, common) if known else {} for swept in (one, other)]
    rows = []
    for cell in sorted(common, key=lambda cell: (list(ARMS).index(cell[0]), cell[1])):
        first, second = (of_sweep.get(cell, {}) for of_sweep in values)
        if not (first and second):
            continue
        mine, theirs = (OneSweep(of, parts.get(cell, {})) for of, parts in zip((first, second), moved, strict=True))
        found = apart(mine, theirs, same_images=same, comparable=comparable)
        means = (float(np.mean(list(of_sweep.values()))) for of_sweep in (first, second))
        rows.append((*cell, *means, found.interval.mean, found.interval.low, found.interval.high, found.how))
    return pd.DataFrame(rows, columns=COLUMNS)


HOW: dict[How, str] = {
    "paired": "seed by seed on the same test images (a t of the crossed analysis of variance, seeds and test patients "
    "both random)",
    "same images": "for other seeds in either and the same test images (Welch's t)",
    "apart": "for the seeds and the test images of either, as two draws of one data set (Welch's t)",
}


def how_in_words(table: pd.DataFrame) -> str:
    """By which t the intervals of `compare_sweeps` were had; what is not known is said too."""
    told = [words for how, words in HOW.items() if (table["how"] == how).any()]
    text = f"Intervals: {'; '.join(told)}." if told else ""
    if (table["how"] == "").any():
        text += (
            f"{' ' if text else ''}No interval where a sweep has one seed or the test images are of another data set."
        )
    return text


def readable_differences(table: pd.DataFrame, metric: str, names: tuple[str, str]) -> pd.DataFrame:
    """`compare_sweeps` in words and units; `names` are those of the two sweeps."""
    measure = METRICS[metric]
    intervals = zip(table["low"], table["high"], strict=True)
    return pd.DataFrame(
        {
            "Arm": [ARMS[arm].title for arm in table["arm"]],
            "Share": [show_share(ratio) if ratio else "–" for ratio in table["ratio"]],
            names[0]: [measure.show(value) for value in table["one"]],
            names[1]: [measure.show(value) for value in table["other"]],
            "Difference": [measure.show_difference(value) for value in table["difference"]],
            "95 % interval": [measure.show_interval(low, high, signed=True) for low, high in intervals],
        }
    )


def figure_sweeps(
    trials: Sequence[tuple[str, pd.DataFrame]],
    metric: str,
    arm: str,
    intervals: Sequence[pd.DataFrame | None] = (),
    positive: str = "",
) -> go.Figure:
    """An arm of several sweeps (name, trials) against the share of synthetic images, its control dashed beside it.

    `intervals` are `engine.sweep.arm_intervals` of each, for other seeds and test patients; `positive` is the positive
    class that all of them have.
    """
    measure = measure_of(metric, positive)
    looks = [(arm, "solid", ARMS[arm].symbol, 2.5)]
    if control := control_of(arm):
        looks.append((control, "dash", "diamond-open", 1.5))
    figure = go.Figure()
    for place, (name, of_sweep) in enumerate(trials):
        cells = cell_table(of_sweep, metric, intervals[place] if intervals else None)
        colour = COLOURS[place % len(COLOURS)]
        for shown, dash, symbol, width in looks:
            if not (cells["arm"] == shown).any():
                continue
            own = cells[cells["arm"].isin((shown, baseline_of(shown)))].sort_values("ratio")
            mean = own["mean"] * measure.scale
            words = name if shown == arm else f"{name}, {ARMS[shown].title.lower()}"
            figure.add_trace(
                go.Scatter(
                    x=100 * own["ratio"] + 0.8 * (place - (len(trials) - 1) / 2),
                    y=mean,
                    error_y={
                        "array": own["high"] * measure.scale - mean,
                        "arrayminus": mean - own["low"] * measure.scale,
                        "thickness": 1.5 if shown == arm else 0,
                        "width": 4,
                    },
                    mode="lines+markers",
                    line={"color": colour, "width": width, "dash": dash},
                    marker={"symbol": symbol, "size": 9, "line": {"width": 0 if shown == arm else 1.5}},
                    name=words,
                    customdata=[
                        [measure.show(value), measure.show_interval(low, high), n]
                        for value, low, high, n in zip(own["mean"], own["low"], own["high"], own["n"], strict=True)
                    ],
                    hovertemplate=(
                        "%{customdata[0]} (95 % for other seeds and patients: %{customdata[1]}; "
                        "%{customdata[2]} seeds)<extra>" + words + "</extra>"
                    ),
                )
            )
    ratios = sorted({0.0, *(ratio for _, of_sweep in trials for ratio in of_sweep["ratio"])})
    styled(
        figure,
        title=f"{measure.title} of {ARMS[arm].title.lower()}, sweep beside sweep",
        x="Share of synthetic images, %",
        y=f"{measure.title}{', %' if measure.percent else ''}",
        keep_zoom=f"{metric}-{arm}",
        height=460,
    )
    figure.add_annotation(
        text="Solid: the arm; dashed: its control; at 0 % the real images alone",
        xref="paper",
        yref="paper",
        x=1,
        y=0,
        xanchor="right",
        yanchor="bottom",
        showarrow=False,
        font={"size": 11, "color": GREY},
    )
    figure.update_layout(margin={"t": 56, "b": 130}, legend={"yref": "container", "y": 0.0, "yanchor": "bottom"})
    return figure.update_xaxes(tickvals=[100 * ratio for ratio in ratios])


def _cells(swept: Swept) -> set[tuple[str, float]]:
    return set(zip(swept.trials["arm"], swept.trials["ratio"], strict=True))


def _of_cells(swept: Swept, cells: set[tuple[str, float]]) -> pd.DataFrame:
    wanted = [cell in cells for cell in zip(swept.trials["arm"], swept.trials["ratio"], strict=True)]
    return swept.trials[wanted]


def _by_seed(
    swept: Swept, metric: str, level: Level, cells: set[tuple[str, float]]
) -> dict[tuple[str, float], dict[int, float]]:
    """The metric of every repetition, by arm and ratio, and by seed."""
    assert metric in COMPUTED
    whole = swept.metrics[swept.metrics["subgroup"] == ""]
    own = whole[(whole["metric"] == metric) & (whole["level"] == level)].dropna(subset="score")
    found: dict[tuple[str, float], dict[int, float]] = {}
    for arm, ratio, seed, score in zip(own["arm"], own["ratio"], own["seed"], own["score"], strict=True):
        if (arm, ratio) in cells:
            found.setdefault((arm, ratio), {})[int(seed)] = score
    return found


def _by_patient(
    swept: Swept, metric: str, level: Level, cells: set[tuple[str, float]]
) -> dict[tuple[str, float], dict[int, np.ndarray]]:
    """How much each test patient moves the metric of every repetition, by arm and ratio, and by seed."""
    positive = positive_index(swept.positive, swept.classes)
    return patient_parts(metric, _of_cells(swept, cells), swept.test_images, swept.classes, positive, level)
