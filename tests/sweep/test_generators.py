"""Several generators a class: they take turns over the seeds, and their luck is in p and the intervals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.sampling.makers import Makers
from engine.store.errors import ErsatzError
from engine.store.runs import Run
from engine.sweep.arms import Drawing, Trial, training_set
from engine.sweep.comparisons import compare
from engine.sweep.leaks import refuse_unsound
from engine.sweep.metric_table import metric_table
from engine.sweep.splits import open_splits
from engine.sweep.splits import test_table as table_of_tests
from engine.sweep.summary import summarise
from engine.sweep.summary_model import Classifier, SweepSummary
from tests.sweep.conftest import make_pool
from tests.sweep.made_up import POSITIVE, make_trials

NewSweep = Callable[..., tuple[Run, SweepConfig]]
REAL = np.repeat([0, 1], 6)
POOL = np.tile([0, 1], 20)
MAKERS = Makers(np.repeat([0, 1], 20), 2)


@pytest.mark.parametrize("first", [0, 5])
def test_a_repetition_takes_the_images_of_the_generator_whose_turn_it_is(first: int) -> None:
    config = SweepConfig(name="s", dataset="d", pool="p", seeds=4, first_seed=first)
    made_by = []
    for seed in range(first, first + 4):
        sets = [
            training_set(Trial("real+synthetic", ratio, seed), REAL, POOL, config, Drawing(MAKERS))
            for ratio in (0.5, 1.0)
        ]
        smaller, larger = (set(found.rows[found.rows >= len(REAL)] - len(REAL)) for found in sets)
        assert smaller < larger
        assert [found.n_synthetic for found in sets] == [6, 12]
        made_by.append({int(MAKERS.of[row]) for row in larger})
    assert made_by == [{0}, {1}, {0}, {1}]


def summarised(run: Run, config: SweepConfig) -> SweepSummary:
    splits = open_splits(run.home, config)
    test_images = table_of_tests(splits, config)
    trials = make_trials(config, splits, test_images, gain=2.0)
    table = metric_table(trials, test_images, splits[0].dataset.classes, POSITIVE)
    return summarise(config, splits, trials, test_images, table, Classifier(name="small-cnn"))


def test_the_summary_tells_of_the_generators_and_keeps_its_checks(new_sweep: NewSweep, dataset: Dataset) -> None:
    pool = make_pool(dataset, generators=2)
    run, config = new_sweep(pool=pool.run.id, seeds=6)
    refuse_unsound(config, open_splits(run.home, config))
    found = summarised(run, config)
    assert found.generators_a_class == 2
    assert all(check.ok for check in found.checks)
    assert {each.generators for each in found.comparisons} == {2}
    assert "for other generators, seeds and test images" in found.verdict.sentence
    assert "6 paired repetitions from 2 generators a class" in found.verdict.sentence
    assert "trained again, were not tried" not in found.verdict.sentence


def test_they_must_share_the_seeds_evenly_and_each_have_enough(new_sweep: NewSweep, dataset: Dataset) -> None:
    run, config = new_sweep(pool=make_pool(dataset, generators=2).run.id, seeds=7)
    with pytest.raises(ErsatzError, match=r"2 generators a class, which take turns, and 7 seeds .* Take 8"):
        refuse_unsound(config, open_splits(run.home, config))
    run, config = new_sweep(pool=make_pool(dataset, per_class=20, generators=2).run.id, seeds=6)
    with pytest.raises(ErsatzError, match=r"20 images of the class bleed by one of its 2 generators, but .* needs 24"):
        refuse_unsound(config, open_splits(run.home, config))


def test_folds_have_equally_many(new_sweep: NewSweep, folds: list[dict[str, str]], home) -> None:
    other = make_pool(Dataset.open(home, folds[1]["dataset"]), generators=2)
    run, config = new_sweep(folds=[folds[0], {**folds[1], "pool": other.run.id}, folds[2]], seeds=6)
    with pytest.raises(ErsatzError, match="pools of the folds have 1 and 2 generators a class"):
        refuse_unsound(config, open_splits(run.home, config))


def drawn(seed: int, generators: int, lucky: float) -> tuple[pd.DataFrame, dict]:
    """A sweep of one ratio on the null, in which each generator has luck of its own with all images and with each."""
    rng = np.random.default_rng(seed)
    seeds, patients = 8, 80
    rows, parts = [], {}
    for arm, ratio in (("real", 0.0), ("real+synthetic", 1.0)):
        images = rng.normal(0, 0.5, (seeds, 1)) * 0.1 + rng.normal(0, 0.5, (seeds, patients))
        if arm != "real":
            own = lucky * rng.normal(size=(generators, 1)) + 0.2 * rng.normal(size=(generators, patients))
            images += rng.normal(size=patients) + own[np.arange(seeds) % generators]
        values = images.mean(1)
        rows += [(arm, ratio, number, value) for number, value in enumerate(values)]
        parts[arm, ratio] = dict(enumerate((images - values[:, None]) / patients))
    return pd.DataFrame(rows, columns=["arm", "ratio", "seed", "accuracy"]), parts


TURNS = {seed: seed % 4 for seed in range(8)}


def test_where_generators_have_much_luck_it_is_the_t_test_of_their_means() -> None:
    trials, parts = drawn(0, 4, 30.0)
    (found,) = compare(trials, "real+synthetic", "real", "accuracy", parts, TURNS)
    wide = trials.pivot(index="seed", columns="arm", values="accuracy")
    means = (wide["real+synthetic"] - wide["real"]).to_numpy().reshape(2, 4).mean(0)
    expected = stats.ttest_1samp(means, 0)
    ends = expected.confidence_interval()
    assert (found.low_alone, found.high_alone) == pytest.approx((ends.low, ends.high), rel=0.001)
    assert found.p == pytest.approx(expected.pvalue, rel=0.001)
    assert (found.n, found.generators) == (8, 4)


def test_generators_that_agree_by_chance_make_nothing_surer() -> None:
    trials, parts = drawn(0, 2, 0.0)
    of_two = trials["arm"] == "real+synthetic"
    apart = trials[of_two]["accuracy"].to_numpy() - trials[~of_two]["accuracy"].to_numpy()
    moved = np.r_[np.zeros(len(trials) - 8), apart.mean() - apart]  # no seed differs from another now
    trials["accuracy"] += np.where(of_two, moved[-8:][trials["seed"]], 0.0)
    (found,) = compare(trials, "real+synthetic", "real", "accuracy", parts, {seed: seed % 2 for seed in range(8)})
    (fixed,) = compare(trials, "real+synthetic", "real", "accuracy", parts)
    assert found.high_alone - found.low_alone > 4 * (fixed.high_alone - fixed.low_alone)


def test_intervals_cover_where_generators_have_luck_and_would_not_without_turns() -> None:
    held, missed = 0, 0
    for seed in range(300):
        trials, parts = drawn(seed, 4, 0.3)
        (by_generator,) = compare(trials, "real+synthetic", "real", "accuracy", parts, TURNS)
        (by_seed,) = compare(trials, "real+synthetic", "real", "accuracy", parts)
        held += by_generator.low_alone <= 0 <= by_generator.high_alone
        missed += not by_seed.low_alone <= 0 <= by_seed.high_alone
    assert 0.93 <= held / 300 <= 0.995
    assert missed / 300 > 0.08
