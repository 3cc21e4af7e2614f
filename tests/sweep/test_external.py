"""A second data set, read by the same classifiers: nothing of it reaches the sweep's own result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.datasets.patients import PATIENT
from engine.report.external_results import external_cells, external_words
from engine.report.html import write_report
from engine.sampling.pools import Pool
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import Run
from engine.sweep.analysis_units import SCORES
from engine.sweep.arm_intervals import arm_intervals, counted
from engine.sweep.external import external_table, external_trials, refuse_unfit
from engine.sweep.metrics import metrics
from engine.sweep.runner import run_sweep
from engine.sweep.splits import open_splits
from engine.sweep.summary_model import SUMMARY_FILE, SweepSummary
from tests.sweep.conftest import make_dataset

NewSweep = Callable[..., tuple[Run, SweepConfig]]


@pytest.fixture
def elsewhere(home: Home) -> Dataset:
    return make_dataset(home, {"train": 4, "valid": 2, "test": 6}, "elsewhere", first=5_000)


@pytest.mark.slow
def test_the_same_trials_are_read_on_it_and_stay_what_they_were(new_sweep: NewSweep, elsewhere: Dataset) -> None:
    alone, both = new_sweep(), new_sweep(external="elsewhere")
    for run, config in (alone, both):
        assert run_sweep(run, config, workers=1) == "finished"
    plain, read = (pd.read_parquet(run.path / "trials.parquet") for run, _ in (alone, both))
    for one, other in zip(plain["scores"], read["scores"], strict=True):
        np.testing.assert_array_equal(one, other)
    first, second = (SweepSummary.read(run.path / SUMMARY_FILE) for run, _ in (alone, both))
    assert first.external is None
    assert (second.cells, second.comparisons, second.verdict) == (first.cells, first.comparisons, first.verdict)

    external = second.external
    assert external is not None
    images = pd.read_csv(both[0].path / "external_images.csv", keep_default_na=False)
    assert list(images["sha256"]) == list(elsewhere.rows()["sha256"])
    assert (external.dataset, external.n_images, external.n_groups) == ("elsewhere", 24, 12)
    labels, positive = (
        images["class"].map(elsewhere.classes.index).to_numpy(),
        elsewhere.classes.index(second.positive_class),
    )
    of_real = [
        metrics(labels, np.reshape(scores, (-1, 2)), positive)["accuracy"]
        for scores in read[read["arm"] == "real"]["external"]
    ]
    (cell,) = (cell for cell in external.cells if cell.arm == "real")
    assert cell.mean == pytest.approx(np.mean(of_real))
    read_there = counted(external_trials(read), images, elsewhere.classes, positive, "image")
    intervals = arm_intervals(read_there, ["accuracy"]).set_index(["arm", "ratio"])
    for (
        each
    ) in external.cells:  # for seeds and the patients of elsewhere, of whom there are others than in the test set
        expected = intervals.loc[(each.arm, each.ratio), ["low", "high"]].astype(float).to_numpy()
        assert [each.low, each.high] == pytest.approx(expected, nan_ok=True)
        assert each.interval_for == "seeds and test patients"
    assert (
        external.verdict.sentence.startswith("On the drawn phantom") and "on elsewhere: " in external.verdict.sentence
    )
    assert "all 24 images of 12 patients or groups of elsewhere" in external_words(second)

    write_report(both[0])
    page = (both[0].path / "report.html").read_text()
    assert "On another data set" in page
    assert "another data set, elsewhere, of which nothing was seen" in page
    assert not set(SCORES) & set(pd.read_csv(both[0].path / "trials.csv").columns)
    assert len(external_cells(second)) == len(pd.read_csv(both[0].path / "external.csv")) == len(second.cells)


def refused(new_sweep: NewSweep, home: Home, **changes: str) -> str:
    config = new_sweep(external="elsewhere", **changes)[1]
    with pytest.raises(ErsatzError) as caught:
        refuse_unfit(config, Dataset.open(home, "elsewhere"), open_splits(home, config))
    return str(caught.value)


def test_images_that_were_seen_are_refused(new_sweep: NewSweep, home: Home, pool: Pool, elsewhere: Dataset) -> None:
    with (pool.path / "training_images.txt").open("a") as file:
        file.write(elsewhere.rows()["sha256"].iloc[0] + "\n")
    assert "Leak: 1 of the 24 different images of the external data set elsewhere are among" in refused(new_sweep, home)


def test_the_data_set_itself_is_refused(new_sweep: NewSweep, home: Home) -> None:
    make_dataset(home, {"train": 24, "valid": 10, "test": 16}, "elsewhere", turn=8)
    assert "are in the data set spots too; none is allowed" in refused(new_sweep, home)


def test_other_classes_are_refused(new_sweep: NewSweep, home: Home, elsewhere: Dataset) -> None:
    path = Path(elsewhere.path) / "manifest.csv"
    path.write_text(path.read_text().replace(",bleed,", ",haemorrhage,"))
    assert "has images of the classes haemorrhage, normal, and spots has bleed, normal" in refused(new_sweep, home)


def test_each_fold_reads_all_of_it_and_images_stay_one_cluster(elsewhere: Dataset) -> None:
    table = external_table(elsewhere, 3)
    assert list(table["fold"].value_counts()) == [24, 24, 24]
    assert table.groupby("sha256")["group"].nunique().max() == 1
    assert (table["group"] != "").all()
    patients = table[table[PATIENT] != ""].groupby(PATIENT)["fold"].nunique()
    assert (patients == 1).all()
