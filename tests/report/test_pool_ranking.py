"""Several pools ranked by their sweeps, on trials whose order is known."""

from __future__ import annotations

from typing import Any

import pytest

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.report.pool_ranking import alike, rank_sweeps, readable_ranking
from engine.sampling.pool_info import PoolOrigin
from engine.sampling.pools import INFO_FILE, Pool
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import Run, State, create_run
from engine.sweep.metric_table import METRICS_FILE, metric_table
from engine.sweep.splits import Split
from engine.sweep.splits import test_table as table_of_tests
from engine.sweep.summary import summarise
from engine.sweep.summary_model import SUMMARY_FILE, Classifier, SweepSummary
from tests.sweep.conftest import make_dataset, make_pool
from tests.sweep.made_up import POSITIVE, make_trials


@pytest.fixture
def spots(home: Home) -> Dataset:
    return make_dataset(home, {"train": 8, "valid": 4, "test": 60})


def swept(dataset: Dataset, pool: Pool, gain: float, **changes: Any) -> Run:
    """A finished sweep on a pool, in which synthetic images add `gain` to the margin."""
    settings: dict[str, Any] = {"seeds": 8, "ratios": (0.5, 1.0), "arms": ("real", "real+duplicates", "real+synthetic")}
    config = SweepConfig(name="s", dataset=dataset.name, pool=pool.run.id, **{**settings, **changes})
    run = create_run(dataset.home, config.plain(), "sweep")
    splits = [Split(0, dataset, pool)]
    images = table_of_tests(splits, config)
    trials = make_trials(config, splits, images, gain)
    table = metric_table(trials, images, dataset.classes, POSITIVE)
    trials.to_parquet(run.path / "trials.parquet")
    images.to_csv(run.path / "test_images.csv", index=False)
    table.to_parquet(run.path / METRICS_FILE)
    summarise(config, splits, trials, images, table, Classifier(name="small-cnn")).write_to(run.path / SUMMARY_FILE)
    run.update(state=State.FINISHED)
    return run


def named(pool: Pool, name: str, origin: PoolOrigin | None = None) -> Pool:
    pool.info.model_copy(update={"name": name, "origin": origin}).write_to(pool.path / INFO_FILE)
    return Pool.open(pool.run)


def test_the_better_pool_is_above_and_two_alike_are_not_told_apart(spots: Dataset) -> None:
    pools = [named(make_pool(spots, 12), "p") for _ in range(3)]
    good, none, other = (swept(spots, pool, gain) for pool, gain in zip(pools, (1.2, 0.0, 0.0), strict=True))
    found = rank_sweeps([none, good, other])
    first = found.ranking.pools[0]
    assert found.runs[0].id == good.id
    assert first.outcome == "helps"
    assert {each.outcome for each in found.ranking.pools[1:]} == {"no evidence"}
    told = " ".join(found.ranking.sentences)
    assert "Corrected for 3 pools and 2 shares with their mean" in told
    assert told.count(" is above ") == 2
    assert "Not told apart on the mean over the shares" in told
    cells = readable_ranking(found)
    assert list(cells["Rank"]) == ["1", "2", "3"]
    assert list(cells["Features"]) == ["not checked"] * 3
    assert {run.id for run in alike(good)} == {good.id, none.id, other.id}
    alone = next(
        each
        for each in SweepSummary.read(good.path / SUMMARY_FILE).comparisons
        if (each.ratio, each.against, each.metric) == (0.5, "real", "accuracy")
    )
    gain = first.over_real[0.5]
    assert gain.difference == pytest.approx(alone.mean_difference)
    assert gain.high - gain.low > alone.high_alone - alone.low_alone  # several pools are several chances


def test_a_control_and_an_unknown_generator_are_always_said(spots: Dataset) -> None:
    control = named(make_pool(spots, 12), "c", PoolOrigin(kind="noise", trained_on="recorded"))
    unknown = named(make_pool(spots, 12), "u", PoolOrigin(kind="imported", trained_on="unknown"))
    runs = [swept(spots, control, -1.2), swept(spots, unknown, 1.2)]
    found = rank_sweeps(runs)
    assert found.ranking.pools[1].pool.called.endswith("(control: noise images)")
    assert list(readable_ranking(found)["Corrected"]) == ["helps", "control: harms"]
    assert "saw test images is not known" in found.ranking.sentences[-1]


def test_few_repetitions_tell_no_pools_apart(spots: Dataset) -> None:
    runs = [swept(spots, make_pool(spots, 12), gain, seeds=3) for gain in (1.5, 0.0)]
    found = rank_sweeps(runs)
    assert {each.outcome for each in found.ranking.pools} == {"no evidence"}
    assert found.ranking.sentences[0].startswith("A quick look with 3 repetitions tells no pools apart")


def test_what_differs_in_more_than_the_pool_is_not_ranked(spots: Dataset) -> None:
    pool = make_pool(spots, 12)
    one = swept(spots, pool, 0.0)
    for other, why in (
        (swept(spots, make_pool(spots, 12), 0.0, steps=50), r"differ in steps \(\d+ and 50\)"),
        (swept(spots, pool, 0.0), "on the same pool"),
        (pool.run, "is a pool run"),
        (one, "two or more different sweeps"),
    ):
        with pytest.raises(ErsatzError, match=why):
            rank_sweeps([one, other])
