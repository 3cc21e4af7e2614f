"""The sweep from folders to verdict: resumable, the same numbers however it was cut, refused when unsound."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
import torchvision

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.features.classical import view_seed
from engine.store.errors import ErsatzError
from engine.store.hashing import sha256_file
from engine.store.home import REPOSITORY
from engine.store.runs import Run
from engine.sweep import parallel
from engine.sweep.metrics import metrics
from engine.sweep.runner import run_sweep
from tests.sweep.conftest import CLASSES

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


def test_a_stopped_sweep_repeats_nothing_and_ends_like_one_never_stopped(new_sweep: NewSweep) -> None:
    whole, config = new_sweep(seeds=2, ratios=(1.0,))
    assert run_sweep(whole, config, workers=1) == "finished"

    cut, config = new_sweep(seeds=2, ratios=(1.0,))
    assert run_sweep(cut, config, should_stop=stop_after(3), workers=1) == "stopped"
    first = table(cut)
    assert len(first) == 3
    assert not (cut.path / "summary.json").exists()
    cut.metrics_path.write_text(cut.metrics_path.read_text()[:-9])  # killed while it appended a line
    assert run_sweep(cut, config, workers=1) == "finished"

    again = table(cut)
    assert again["seconds"].tolist()[:3] == first["seconds"].tolist()  # kept, not trained again
    assert_same_trials(table(whole), again)
    keys = {(row["arm"], row["ratio"], row["seed"]) for row in cut.read_metrics()[0]}
    assert len(keys) == len(cut.read_metrics()[0]) == len(again)
    one, other = (json.loads((run.path / "summary.json").read_text()) for run in (whole, cut))
    assert one.pop("declared") == "in its config, before any sweep had read this test set"
    assert other.pop("declared") == "in its config, after 1 other sweep had read this test set"
    assert one == other


KILLED = """
import sys
from engine.jobs.kinds import parse_config
from engine.store.home import Home
from engine.store.runs import Run
from engine.sweep.runner import run_sweep
from tests.sweep.conftest import CLASSES

run = Run(Home.from_environment(), sys.argv[1])
run_sweep(run, parse_config(run.config()), workers=2)
"""


@pytest.mark.slow
def test_a_killed_sweep_leaves_no_process_and_repeats_nothing(new_sweep: NewSweep) -> None:
    """Also the numbers of two workers are those of one."""
    run, config = new_sweep(seeds=4, ratios=(1.0,))
    process = subprocess.Popen([sys.executable, "-c", KILLED, run.id], cwd=REPOSITORY)
    while not (run.path / "trials.parquet").exists():
        assert process.poll() is None
        time.sleep(0.01)
    helpers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    first = table(run)
    assert 0 < len(first) < 16
    gone, left = psutil.wait_procs(helpers, timeout=30)
    assert gone
    assert not left

    before = first.set_index(["arm", "ratio", "seed"])["seconds"]
    assert run_sweep(run, config, workers=1) == "finished"
    again = table(run)
    assert len(again) == 16
    after = again.set_index(["arm", "ratio", "seed"])["seconds"]
    assert after[before.index].tolist() == before.tolist()
    whole, config = new_sweep(seeds=1, ratios=(1.0,))
    assert run_sweep(whole, config, workers=1) == "finished"
    assert_same_trials(table(whole), again[:4])


@pytest.mark.slow
def test_a_request_to_stop_ends_long_trials(new_sweep: NewSweep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "GRACE_S", 0.5)
    run, config = new_sweep(seeds=2, ratios=(1.0,), steps=300_000, validations=1)
    assert run_sweep(run, config, should_stop=stop_after(1), workers=2) == "stopped"
    assert not multiprocessing.active_children()
    assert not (run.path / "trials.parquet").exists()


def test_a_sweep_begun_before_there_were_folds_is_continued(new_sweep: NewSweep) -> None:
    run, config = new_sweep(ratios=(1.0,), seeds=2)
    assert run_sweep(run, config, should_stop=stop_after(3), workers=1) == "stopped"
    old = table(run).drop(columns=["fold", "valid_loss"])
    old.to_parquet(run.path / "trials.parquet")
    live = [{key: value for key, value in row.items() if key != "fold"} for row in run.read_metrics()[0]]
    run.metrics_path.write_text("".join(json.dumps(row) + "\n" for row in live))
    assert run_sweep(run, config, workers=1) == "finished"
    found = table(run)
    assert found["seconds"].tolist()[:3] == old["seconds"].tolist()
    assert found["fold"].tolist() == [0] * 8
    assert len(run.read_metrics()[0]) == 8


def test_a_cross_validation_tests_every_image_once_in_every_cell(
    new_sweep: NewSweep, folds: list[dict[str, str]]
) -> None:
    arms = ("real", "real+duplicates", "real+synthetic", "replaced+synthetic+classical", "synthetic")
    run, config = new_sweep(folds=folds, arms=arms, ratios=(0.5,), steps=6, subgroups=("site",))
    assert run_sweep(run, config, should_stop=stop_after(13), workers=1) == "stopped"
    first = table(run)
    assert first["fold"].value_counts().to_dict() == {0: 10, 1: 3}
    assert run_sweep(run, config, workers=1) == "finished"

    trials, test = table(run), pd.read_csv(run.path / "test_images.csv", keep_default_na=False)
    assert len(trials) == 3 * 2 * 5
    assert trials["seconds"].tolist()[:13] == first["seconds"].tolist()
    assert not trials.duplicated(["arm", "ratio", "seed", "fold"]).any()
    labels = np.array([CLASSES.index(name) for name in test["class"]])
    for fold, of_fold in trials.groupby("fold"):
        own = labels[test["fold"] == fold]
        for scores, accuracy in zip(of_fold["scores"], of_fold["accuracy"], strict=True):
            assert metrics(own, scores.reshape(-1, 2), 0)["accuracy"] == accuracy
    sizes = trials[trials["fold"] == 2].drop_duplicates("arm").set_index("arm")[["n_real", "n_synthetic"]]
    assert sizes.loc["replaced+synthetic+classical"].tolist() == [12, 12]
    assert sizes.loc["synthetic"].tolist() == [0, 12]
    assert set(test["site"]) == {"north", "south"}
    assert (run.path / "summary.json").exists()


def test_a_deleted_pool_image_is_one_sentence(new_sweep: NewSweep) -> None:
    run, config = new_sweep(ratios=(1.0,))
    path = run.home.run(config.pool) / "images" / "bleed" / "000003.png"
    path.write_bytes(b"")
    with pytest.raises(ErsatzError, match=r"000003\.png"):
        run_sweep(run, config, workers=1)
    assert not (run.path / "trials.parquet").exists()


@pytest.mark.slow
def test_frozen_backbone_sweep_from_explicit_weights(new_sweep: NewSweep, tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18().state_dict(), tmp_path / "random.pth")
    settings = {"classifier": "resnet18", "weights": str(tmp_path / "random.pth"), "ratios": (0.25,), "views": 1}
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
