"""The figures show the numbers they are given, every trial among them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from engine.configs import SweepConfig
from engine.report.dataset_figures import NUMBERED
from engine.report.figures import (
    figure_class_counts,
    figure_confusion,
    figure_d_outputs,
    figure_differences,
    figure_losses,
    figure_sizes,
    figure_sweep,
)
from engine.report.tables import (
    METRICS,
    all_cells,
    cell_table,
    comparison_table,
    mistakes,
    readable_cells,
    readable_comparisons,
)
from engine.report.thinning import MAX_POINTS
from engine.sweep.comparisons import compare
from engine.sweep.power import Detectable
from engine.sweep.summary_model import Classifier, RealNoise, SweepSummary, TestNoise
from engine.sweep.verdict import judge
from engine.sweep.verdict_words import Question
from tests.fabricated import make_trials

LABELS = np.repeat([0, 1], 15)


@pytest.fixture(scope="module")
def trials() -> pd.DataFrame:
    return make_trials(SweepConfig(name="s", dataset="d", pool="p", seeds=6), LABELS)


@pytest.fixture(scope="module")
def summary(trials: pd.DataFrame) -> SweepSummary:
    found = [
        replace(comparison, p=0.02, p_corrected=0.037)
        for arm in ("real", "real+duplicates")
        for comparison in compare(trials, "real+synthetic", arm, "accuracy")
        if not comparison.is_mean
    ]
    accuracy = RealNoise(mean=0.8, low=0.7, high=0.9)
    return SweepSummary(
        dataset="d",
        classifier=Classifier(name="small-cnn"),
        classes=["bleed", "normal"],
        majority_accuracy=0.5,
        n_train=80,
        n_valid=30,
        n_test=30,
        seeds=6,
        steps=300,
        batch=32,
        detectable=Detectable(half_width=0.13, n_test=30, difference=0.2, limited_by="test images"),
        comparisons=tuple(found),
        test_noise=TestNoise(real=accuracy),
        verdict=judge(Question(), [], []),
    )


def points(figure: go.Figure) -> list[tuple[str, float, int, float]]:
    """Arm, ratio, seed and height of every point that stands for one trial."""
    return [
        (*data[:3], y)
        for trace in figure.data
        for data, y in zip(trace.customdata, trace.y, strict=True)
        if data[2] is not None
    ]


def test_every_trial_is_a_point_that_names_itself(trials: pd.DataFrame, summary: SweepSummary) -> None:
    shown = trials[trials["arm"] != "real-subset"]  # a figure of its own
    expected = {(row.arm, row.ratio, row.seed, round(100 * row.accuracy, 6)) for row in shown.itertuples()}
    found = [(arm, ratio, seed, round(y, 6)) for arm, ratio, seed, y in points(figure_sweep(trials, summary))]
    assert set(found) == expected
    assert len(found) == len(shown)


def test_a_seed_has_the_same_place_in_every_cell(trials: pd.DataFrame) -> None:
    synthetic = next(t for t in figure_sweep(trials).data if t.name == "Real + synthetic, trials")
    places = {}
    for (_, ratio, seed), x in zip(synthetic.customdata, synthetic.x, strict=True):
        places.setdefault(seed, set()).add(round(x - 4 * ratio, 6))  # slots 1 to 4 of 25 to 100 %
    assert all(len(place) == 1 for place in places.values())
    assert len(set.union(*places.values())) == 6


def test_means_carry_their_intervals(trials: pd.DataFrame) -> None:
    known = cell_table(trials, "accuracy").assign(metric="accuracy")
    intervals = known.assign(low=known["mean"] - 0.03, high=known["mean"] + 0.02)
    cells = cell_table(trials, "accuracy", intervals).set_index(["arm", "ratio"])
    assert np.isnan(known["low"]).all()  # of the seeds alone there is none
    line = next(t for t in figure_sweep(trials, intervals=intervals).data if t.name == "Real + repeated real")
    for (arm, ratio, *_), y, up, down in zip(
        line.customdata, line.y, line.error_y.array, line.error_y.arrayminus, strict=True
    ):
        assert y == pytest.approx(100 * cells.loc[(arm, ratio), "mean"])
        if arm != "real":  # the line begins at the arm real, whose own point has the interval
            assert y + up == pytest.approx(100 * cells.loc[(arm, ratio), "high"])
            assert y - down == pytest.approx(100 * cells.loc[(arm, ratio), "low"])


@pytest.mark.parametrize("metric", METRICS)
def test_any_metric_of_an_unfinished_sweep(trials: pd.DataFrame, metric: str) -> None:
    figure = figure_sweep(trials.head(7), None, metric)
    assert len(points(figure)) == 7
    assert METRICS[metric].title in figure.layout.title.text


def test_one_trial_alone_has_no_interval(trials: pd.DataFrame) -> None:
    cells = cell_table(trials.head(1))
    assert np.isnan(cells["low"].iloc[0])
    assert readable_cells(trials.head(1))["95 % interval"].tolist() == ["–"]
    assert len(points(figure_sweep(trials.head(1)))) == 1


def test_a_metric_without_numbers_is_left_out(trials: pd.DataFrame) -> None:
    blank = trials.assign(auroc=np.nan)
    assert "auroc" not in set(all_cells(blank)["metric"])
    assert "AUROC" not in readable_cells(blank)


def test_differences_show_interval_and_corrected_p(summary: SweepSummary) -> None:
    table = comparison_table(summary.comparisons)
    figure = figure_differences(table)
    shown = {annotation.y: annotation.text.strip() for annotation in figure.layout.annotations if annotation.text}
    row = table[(table["against"] == "real") & (table["ratio"] == 1.0)].iloc[0]
    assert shown["+100 % against real only"] == "0.037"
    trace = next(trace for trace in figure.data if trace.name == "Real only")
    index = [ratio for ratio, *_ in trace.customdata].index(1.0)
    assert trace.x[index] + trace.error_x.array[index] == pytest.approx(100 * row["high"])
    assert readable_comparisons(table)["Mean difference"].str.endswith(" points").all()


def test_a_comparison_that_could_not_be_computed_is_a_dash(summary: SweepSummary) -> None:
    stored = summary.plain()
    for comparison in stored["comparisons"]:
        comparison |= {"mean_difference": None, "low": None, "high": None}
    broken = SweepSummary.parse(stored, "summary.json").comparisons
    assert set(readable_comparisons(comparison_table(broken))["Mean difference"]) == {"–"}


def test_confusion_shares_are_of_the_true_class() -> None:
    figure = figure_confusion(np.array([[8, 2], [0, 0]]), ["a", "b"])
    assert np.asarray(figure.data[0].z).tolist() == [[80, 20], [0, 0]]
    assert figure.data[0].text[0][0] == "8<br>80 %"


def test_curves_are_thinned_but_keep_their_ends() -> None:
    rows = [{"kimg": tick / 10, "g_loss": 1.0, "d_loss": 2.0, "d_real": 0.6, "d_fake": 0.4} for tick in range(25_000)]
    for figure in (figure_losses(rows), figure_d_outputs(rows)):
        assert all(len(trace.x) == MAX_POINTS for trace in figure.data)
        assert all((trace.x[0], trace.x[-1]) == (0, 2499.9) for trace in figure.data)
        assert figure.layout.uirevision  # a zoom survives new data


def test_a_loss_that_is_not_a_number_leaves_a_gap() -> None:
    rows = [{"kimg": 1.0, "g_loss": 1.0, "d_loss": None}, {"kimg": 2.0, "g_loss": float("nan"), "d_loss": 1.0}]
    assert figure_losses(rows).to_json()


def test_counts_leave_excluded_images_out() -> None:
    manifest = pd.DataFrame(
        {
            "class": ["a", "a", "b", "b"],
            "split": ["train", "test", "train", "train"],
            "excluded": ["", "", "", "drop-copies"],
            "width": [10, 20, 30, 40],
            "height": [10, 10, 10, 10],
        }
    )
    bars = {trace.name: dict(zip(trace.x, trace.y, strict=True)) for trace in figure_class_counts(manifest).data}
    assert bars == {"train": {"a": 1, "b": 1}, "test": {"a": 1, "b": 0}}
    assert [sorted(trace.x) for trace in figure_sizes(manifest).data] == [[10, 20, 30, 40], [10, 10, 10, 10]]


@pytest.mark.parametrize(("count", "mode"), [(NUMBERED, "group"), (NUMBERED + 1, "stack")])
def test_bars_of_too_many_classes_are_stacked_without_numbers(count: int, mode: str) -> None:
    manifest = pd.DataFrame({"class": [f"c{number}" for number in range(count)], "split": "train", "excluded": ""})
    figure = figure_class_counts(manifest)
    assert figure.layout.barmode == mode
    assert (figure.data[0].text is None) == (mode == "stack")


def test_mistakes_are_counted_over_trials() -> None:
    test_images = pd.DataFrame({"path": ["p0", "p1", "p2"], "class": ["a", "b", "b"]})
    trials = pd.DataFrame({"scores": [[0.9, 0.1, 0.8, 0.2, 0.1, 0.9], [0.4, 0.6, 0.7, 0.3, 0.2, 0.8]]})
    wrong = mistakes(trials, test_images, ["a", "b"])
    assert wrong.to_numpy().tolist() == [["p1", "b", "a", 2], ["p0", "a", "b", 1]]
    assert mistakes(trials.head(1), test_images, ["a", "b"])["path"].tolist() == ["p1"]
