"""A sweep keeps the positive class that it was submitted with, and says it wherever a metric depends on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.datasets.editing import set_positive
from engine.store.errors import ErsatzError
from engine.store.runs import Run
from engine.sweep.metrics import confusion_matrix, metrics
from engine.sweep.positive import measured_with, pinned_positive, positive_of_sweep
from engine.sweep.runner import run_sweep
from engine.sweep.summary_model import SUMMARY_FILE, SweepSummary

NewSweep = Callable[..., tuple[Run, SweepConfig]]


def config_of(dataset: Dataset, positive_class: str = "") -> SweepConfig:
    return SweepConfig(name="a", dataset=dataset.name, pool="a", positive_class=positive_class)


def test_the_pin_is_the_data_sets_unless_the_sweep_names_one(dataset: Dataset) -> None:
    assert pinned_positive(config_of(dataset), dataset) == "bleed"
    assert pinned_positive(config_of(dataset, "normal"), dataset) == "normal"
    assert pinned_positive(config_of(dataset), set_positive(dataset, "normal")) == "normal"
    with pytest.raises(ErsatzError, match="bleed and normal"):
        pinned_positive(config_of(dataset, "tumour"), dataset)


def test_where_it_came_from(dataset: Dataset) -> None:
    assert positive_of_sweep(config_of(dataset, "bleed"), dataset) == ("bleed", "guessed")
    assert positive_of_sweep(config_of(dataset, "normal"), dataset) == ("normal", "sweep")
    changed = set_positive(dataset, "normal")
    assert positive_of_sweep(config_of(dataset, "normal"), changed) == ("normal", "changed")
    assert positive_of_sweep(config_of(dataset, "bleed"), changed) == ("bleed", "sweep")


@pytest.mark.parametrize("positive", [0, 1])
def test_trials_tell_what_they_were_measured_with(positive: int) -> None:
    labels = np.array([0] * 6 + [1] * 4)
    scores = np.eye(2)[[0, 0, 0, 0, 0, 1, 1, 1, 0, 0]] * 0.8 + 0.1
    row = {"confusion": json.dumps(confusion_matrix(labels, scores.argmax(1), 2).tolist())}
    row |= metrics(labels, scores, positive)
    assert measured_with([{"arm": "real"}, row], ["a", "b"]) == "ab"[positive]
    even = {"confusion": "[[3, 1], [1, 3]]", "sensitivity": 0.75}
    assert measured_with([even], ["a", "b"]) == "", "both classes are found as often, so nobody can tell"


@pytest.mark.parametrize("pinned", ["", "bleed"])
def test_a_change_does_not_reach_a_sweep_that_has_begun(new_sweep: NewSweep, dataset: Dataset, pinned: str) -> None:
    """Neither one that was pinned, nor one of before there was a pin, whose trials tell."""
    run, config = new_sweep(positive_class=pinned, metric="sensitivity")
    polls: Iterator[bool] = iter([False] * 8)
    assert run_sweep(run, config, should_stop=lambda: next(polls, True), workers=1) == "stopped"
    assert len(pd.read_parquet(run.path / "trials.parquet"))
    set_positive(dataset, "normal")
    assert run_sweep(run, config, workers=1) == "finished"
    summary = SweepSummary.read(run.path / SUMMARY_FILE)
    assert summary.positive_class == "bleed"
    assert all(check.ok for check in summary.checks if check.id == "recomputed")
    trials = pd.read_parquet(run.path / "trials.parquet")
    for row in trials.to_dict("records"):
        found, missed = json.loads(row["confusion"])[0]
        assert row["sensitivity"] == pytest.approx(found / (found + missed))
    assert "sensitivity (positive: bleed) was" in summary.verdict.sentence
