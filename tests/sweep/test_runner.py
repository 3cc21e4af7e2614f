"""The sweep from folders to verdict: resumable, the same numbers however it was cut, refused when unsound."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.store.errors import ErsatzError
from engine.store.runs import Run
from engine.sweep.metrics import metrics
from engine.sweep.runner import run_sweep

NewSweep = Callable[..., tuple[Run, SweepConfig]]


def table(run: Run) -> pd.DataFrame:
    return pd.read_parquet(run.path / "trials.parquet")


def assert_same_trials(one: pd.DataFrame, other: pd.DataFrame) -> None:
    assert np.array_equal(np.stack(one["scores"]), np.stack(other["scores"]))
    pd.testing.assert_frame_equal(one.drop(columns=["seconds", "scores"]), other.drop(columns=["seconds", "scores"]))


def stop_after(polls: int) -> Callable[[], bool]:
    left: Iterator[bool] = iter([False] * polls)
    return lambda: next(left, True)


def test_a_sweep_leaves_everything_that_the_page_shows(new_sweep: NewSweep, dataset: Dataset) -> None:
    run, config = new_sweep()
    seen = []
    assert run_sweep(run, config, seen.append, workers=1) == "finished"

    trials = table(run)
    cells = trials[["arm", "ratio"]].drop_duplicates()
    assert len(cells) == 6
    assert len(trials) == 12
    assert set(trials["steps"]) == {config.steps}
    by_cell = trials.drop_duplicates(["arm", "ratio"]).set_index(["arm", "ratio"])
    assert by_cell.loc[("real", 0.0), ["n_real", "n_synthetic"]].tolist() == [48, 0]
    assert by_cell.loc[("real+duplicates", 0.5), ["n_real", "n_synthetic"]].tolist() == [72, 0]
    assert by_cell.loc[("real+synthetic", 1.0), ["n_real", "n_synthetic"]].tolist() == [48, 48]

    test = pd.read_csv(run.path / "test_images.csv")
    labels = np.array([dataset.classes.index(name) for name in test["class"]])
    row = trials.iloc[3]
    assert metrics(labels, row["scores"].reshape(-1, 2), 0)["accuracy"] == row["accuracy"]
    assert np.trace(json.loads(row["confusion"])) == round(row["accuracy"] * len(labels))

    summary = json.loads((run.path / "summary.json").read_text())
    assert summary["verdict"]["verdict"] == "no evidence"
    assert "phantom" in summary["verdict"]["sentence"]
    assert run.status().result["sentence"] == summary["verdict"]["sentence"]
    assert len(summary["cells"]) == 6
    live, _ = run.read_metrics()
    assert [row["accuracy"] for row in live] == trials["accuracy"].tolist()
    assert (seen[-1].done, seen[-1].total, seen[-1].unit) == (12, 12, "trials")
