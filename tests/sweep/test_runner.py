"""The sweep from folders to verdict: resumable, the same numbers however it was cut, refused when unsound."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torchvision

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.features.classical import view_seed
from engine.store.errors import ErsatzError
from engine.store.hashing import sha256_file
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


@pytest.mark.slow
def test_a_stopped_sweep_repeats_nothing_and_ends_like_one_never_stopped(new_sweep: NewSweep) -> None:
    whole, config = new_sweep(seeds=2, ratios=(1.0,))
    assert run_sweep(whole, config, workers=1) == "finished"

    cut, config = new_sweep(seeds=2, ratios=(1.0,))
    assert run_sweep(cut, config, should_stop=stop_after(3), workers=1) == "stopped"
    first = table(cut)
    assert len(first) == 3
    assert not (cut.path / "summary.json").exists()
    cut.metrics_path.write_text(cut.metrics_path.read_text()[:-9])  # killed while it appended a line
    assert run_sweep(cut, config, workers=2) == "finished"

    again = table(cut)
    assert again["seconds"].tolist()[:3] == first["seconds"].tolist()  # kept, not trained again
    assert_same_trials(table(whole), again)
    keys = {(row["arm"], row["ratio"], row["seed"]) for row in cut.read_metrics()[0]}
    assert len(keys) == len(cut.read_metrics()[0]) == len(again)
    one, other = (json.loads((run.path / "summary.json").read_text()) for run in (whole, cut))
    assert one == other


def test_a_deleted_pool_image_is_one_sentence(new_sweep: NewSweep) -> None:
    run, config = new_sweep(ratios=(1.0,))
    path = run.home.run(config.pool) / "images" / "bleed" / "000003.png"
    path.write_bytes(b"")
    with pytest.raises(ErsatzError, match=r"000003\.png"):
        run_sweep(run, config, workers=1)
    assert not (run.path / "trials.parquet").exists()


@pytest.mark.slow
def test_frozen_resnet50_sweep_from_explicit_weights(new_sweep: NewSweep, tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet50().state_dict(), tmp_path / "random.pth")
    settings = {"classifier": "resnet50", "weights": str(tmp_path / "random.pth"), "ratios": (0.25,), "views": 1}
    whole, config = new_sweep(**settings)
    assert run_sweep(whole, config) == "finished"
    trials = table(whole)
    assert len(trials) == 8
    assert trials["n_synthetic"].tolist() == [0, 0, 0, 12] * 2
    summary = json.loads((whole.path / "summary.json").read_text())
    assert summary["classifier"]["weights_sha256"] == sha256_file(tmp_path / "random.pth")
    views = pd.read_csv(whole.path / "views.csv")
    assert len(views) == 48 * config.views
    assert views["seed"].tolist() == [view_seed(s, v) for s, v in zip(views["sha256"], views["view"], strict=True)]

    cut, config = new_sweep(**settings)
    assert run_sweep(cut, config, should_stop=stop_after(1)) == "stopped"
    assert len(table(cut)) == 4  # the heads of one seed; all features came from the cache
    assert run_sweep(cut, config) == "finished"
    assert_same_trials(trials, table(cut))
