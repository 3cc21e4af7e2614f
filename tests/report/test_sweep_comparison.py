"""Two sweeps held against each other, on numbers whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from engine.report.sweep_comparison import (
    Swept,
    compare_sweeps,
    figure_sweeps,
    how_in_words,
    read_swept,
    readable_differences,
    same_test,
)
from engine.store.home import Home
from engine.sweep.metric_table import METRICS_FILE, metric_table
from tests.fabricated import make_everything

CLASSES = ["normal", "sick"]
POSITIVE = "sick"
IMAGES = 60


def swept(seed: int, better: float = 0.0, seeds: int = 4, alike: bool = False) -> Swept:
    """A sweep of two cells; with `alike`, all seeds score every image the same."""
    labels = np.arange(IMAGES) % 2
    rows = []
    for arm, ratio in (("real", 0.0), ("real+synthetic", 0.5)):
        fixed = np.random.default_rng([seed, len(arm)]).normal(0.4 + better, 1, IMAGES)
        for number in range(seeds):
            own = 0 if alike else np.random.default_rng([seed, len(arm), number]).normal(0, 0.5, IMAGES)
            right = 1 / (1 + np.exp(-(fixed + own)))
            scores = np.where(np.eye(2)[labels] > 0, right[:, None], 1 - right[:, None])
            rows.append({"arm": arm, "ratio": ratio, "seed": number, "scores": scores.ravel().tolist()})
    test_images = pd.DataFrame(
        {
            "path": [f"{place}.png" for place in range(IMAGES)],
            "class": [CLASSES[label] for label in labels],
            "group": "",
            "sha256": [f"{place:064d}" for place in range(IMAGES)],
        }
    )
    trials = pd.DataFrame(rows)
    metrics = metric_table(trials, test_images, CLASSES, CLASSES.index(POSITIVE))
    return Swept(trials, test_images, CLASSES, metrics, POSITIVE)


def test_a_sweep_does_not_differ_from_itself() -> None:
    one = swept(1)
    table = compare_sweeps(one, one)
    assert table["difference"].tolist() == [0.0, 0.0]
    assert (table["low"] == 0).all() and (table["high"] == 0).all(), "trials that both share have no luck of their own"


def test_without_luck_of_the_seeds_the_interval_is_that_of_a_paired_comparison_of_images() -> None:
    one, other = swept(1, alike=True), swept(2, 0.8, alike=True)
    labels = one.test_images["class"].map(CLASSES.index).to_numpy()
    table = compare_sweeps(one, other).set_index("arm")
    for arm in ("real", "real+synthetic"):
        right = [
            np.reshape(sweep.trials.loc[sweep.trials["arm"] == arm, "scores"].iloc[0], (-1, 2)).argmax(1) == labels
            for sweep in (one, other)
        ]
        differences = right[1].astype(float) - right[0]
        half = stats.t.ppf(0.975, IMAGES - 1) * stats.sem(differences)
        row = table.loc[arm]
        assert row["difference"] == pytest.approx(differences.mean())
        assert row["high"] - row["difference"] == pytest.approx(half)


def test_on_other_test_images_there_is_no_interval() -> None:
    one, other = swept(1), swept(2)
    assert same_test(one, other)
    elsewhere = replace(other, test_images=other.test_images.assign(sha256="x"))
    assert not same_test(one, elsewhere)
    table = compare_sweeps(one, elsewhere, "auroc")
    assert np.isfinite(table["difference"]).all()
    assert table["low"].isna().all()
    assert "No interval" in how_in_words(table)
    words = readable_differences(table, "auroc", ("A", "B"))
    assert list(words) == ["Arm", "Share", "A", "B", "Difference", "95 % interval"]
    assert set(words["95 % interval"]) == {"–"}
    named, there = replace(one, dataset="films"), replace(elsewhere, dataset="films")
    of_one = compare_sweeps(named, there, "auroc")
    assert of_one["low"].notna().all(), "two draws of one data set"
    assert "Welch" in how_in_words(of_one) and "either" in how_in_words(of_one)


def test_the_sentence_says_by_which_t_the_intervals_were_had() -> None:
    paired, other = compare_sweeps(swept(1), swept(2)), compare_sweeps(swept(1), swept(2, seeds=3))
    assert "seed by seed" in how_in_words(paired) and "Welch" not in how_in_words(paired)
    assert "Welch" in how_in_words(other) and "seed by seed" not in how_in_words(other)


@pytest.mark.slow
def test_the_interval_holds_as_often_as_it_says() -> None:
    """Of sweeps that do not differ in truth: fresh seeds and fresh test images each time."""
    held = 0
    for draw in range(100):
        table = compare_sweeps(swept(2 * draw), swept(2 * draw + 1)).set_index("arm")
        held += table.loc["real", "low"] <= 0 <= table.loc["real", "high"]
    assert held >= 90  # 95 expected


def test_the_figure_has_each_sweep_and_its_control() -> None:
    trials = swept(1).trials.assign(accuracy=0.8)
    control = trials[trials["arm"] == "real+synthetic"].assign(arm="real+duplicates")
    figure = figure_sweeps([("A", pd.concat([trials, control])), ("B", trials)], "accuracy", "real+synthetic")
    assert [trace.name for trace in figure.data] == ["A", "A, real + repeated real", "B"]
    assert [len(trace.x) for trace in figure.data] == [2, 2, 2], "the real images alone stand at 0 %"


def test_the_metrics_that_a_sweep_wrote_are_those_of_its_trials(home: Home) -> None:
    run = make_everything(home)
    read = read_swept(run)
    (run.path / METRICS_FILE).unlink()
    by_hand = read_swept(run)  # a sweep of an earlier version wrote none
    pd.testing.assert_frame_equal(compare_sweeps(read, read, "auroc"), compare_sweeps(by_hand, by_hand, "auroc"))
