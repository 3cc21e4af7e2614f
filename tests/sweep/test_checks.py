"""The program's checks: a sound sweep passes all of them, every planted fault is named, impossible rows are found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import pytest

from engine.configs import SweepConfig
from engine.publications.table import PUBLICATIONS
from engine.store.home import Home
from engine.store.runs import Run
from engine.sweep.checks import CheckId, check_id, check_published, self_checks
from engine.sweep.splits import Split, open_splits, test_table
from tests.sweep.made_up import POSITIVE, make_trials

test_table.__test__ = False  # type: ignore[attr-defined]  # a function of the engine, no test
Case = tuple[SweepConfig, list[Split], pd.DataFrame, pd.DataFrame]


@pytest.fixture
def case(home: Home, new_sweep: Callable[..., tuple[Run, SweepConfig]]) -> Case:
    arms = ("real", "real+duplicates", "real+synthetic", "replaced+synthetic", "synthetic")
    _, config = new_sweep(arms=arms)
    splits = open_splits(home, config)
    test_images = test_table(splits, config)
    return config, splits, make_trials(config, splits, test_images), test_images


def failed(case: Case, **changed: object) -> list[str]:
    config, splits, trials, test_images = case
    columns = {name: value for name, value in changed.items() if name in trials}
    return [c.name for c in self_checks(config, splits, trials.assign(**columns), test_images, POSITIVE) if not c.ok]


def test_a_sound_sweep_passes_all_checks(case: Case) -> None:
    config, splits, trials, test_images = case
    checks = self_checks(config, splits, trials, test_images, POSITIVE)
    assert all(check.ok for check in checks)
    assert len(checks) == 12
    assert "16 of 16 planned trials" in checks[0].sentence
    nested = next(check for check in checks if check.id == CheckId.NESTED_SUBSETS)
    assert "In 4 of 4 steps" in nested.sentence  # two arms with two ratios, two seeds
    assert len({check.id for check in checks}) == 12


def test_what_there_is_nothing_of_is_not_called_checked(case: Case) -> None:
    config, splits, trials, test_images = case
    alone = config.model_copy(update={"arms": ("real", "real+synthetic"), "ratios": (1.0,), "seeds": 1})
    kept = trials[trials["arm"].isin(alone.arms) & trials["ratio"].isin((0.0, 1.0)) & (trials["seed"] == 0)]
    checks = self_checks(alone, splits, kept, test_images, POSITIVE)
    assert {"repetitions-differ", "nested-subsets", "duplicates-are-real"}.isdisjoint(check.id for check in checks)
    assert not any("0 of 0" in check.sentence for check in checks)


def test_ids_are_kept_beside_the_words_and_outlive_them(case: Case) -> None:
    for check in self_checks(*case, POSITIVE):
        stored = json.loads(json.dumps(asdict(check)))
        assert stored["id"] == check_id(stored) == check_id({**stored, "name": "other words"}) == check.id.value


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("all trials", "all-trials"),
        ("same test images", "same-test-images"),
        ("recomputed", "recomputed"),
        ("confusion matrices", "confusion-matrices"),
        ("whole images", "whole-images"),
        ("accuracy between", "accuracy-between"),
        ("repetitions differ", "repetitions-differ"),
        ("nested subsets", "nested-subsets"),
        ("duplicates are real", "duplicates-are-real"),
        ("training set sizes", "training-set-sizes"),
        ("test images unseen", "test-images-unseen"),
        ("validation images unseen", "validation-images-unseen"),
        ("folds are disjoint", "folds-are-disjoint"),
    ],
)
def test_checks_of_before_there_were_ids_are_known_by_their_words(name: str, found: str) -> None:
    assert check_id({"name": name, "ok": True, "sentence": "It holds."}) == found
    assert found in set(CheckId)


def test_impossible_and_altered_numbers_are_found(case: Case) -> None:
    trials = case[2]
    assert {"recomputed", "confusion matrices", "whole images"} <= set(failed(case, accuracy=trials["accuracy"] + 0.01))
    assert "accuracy between" in failed(case, sensitivity=1.0, specificity=1.0)
    assert failed(case, brier=trials["brier"] * 1.1) == ["recomputed"]
    other = [json.dumps((np.array(json.loads(c)) + 1).tolist()) for c in trials["confusion"]]
    assert failed(case, confusion=other) == ["confusion matrices"]
    assert failed(case, n_synthetic=trials["n_synthetic"] + 1) == ["training set sizes"]


def test_missing_and_repeated_trials_are_found(case: Case) -> None:
    config, splits, trials, test_images = case
    assert failed((config, splits, trials.drop(3), test_images)) == ["all trials"]
    twice = pd.concat([trials.drop(3), trials.iloc[[2]]])
    assert failed((config, splits, twice, test_images)) == ["all trials"]


def test_one_result_counted_as_several_repetitions_is_found(case: Case) -> None:
    config, splits, trials, test_images = case
    first = trials[trials["seed"] == trials["seed"].min()].set_index(["arm", "ratio"])
    same = ["accuracy", "scores", "confusion", "sensitivity", "specificity", "balanced_accuracy", "macro_f1"]
    same += ["auroc", "average_precision", "brier", "log_score"]
    copied = trials.set_index(["arm", "ratio"])
    for name in same:
        copied[name] = pd.Series({key: first.loc[key, name] for key in copied.index.unique()})
    assert failed((config, splits, copied.reset_index(), test_images)) == ["repetitions differ"]


def test_a_test_image_that_a_generator_saw_is_found(case: Case) -> None:
    config, splits, trials, test_images = case
    path = splits[0].pool.path / "training_images.txt"
    path.write_text(path.read_text() + splits[0].dataset.rows("test")["sha256"].iloc[0] + "\n")
    again = open_splits(splits[0].dataset.home, config)
    assert failed((config, again, trials, test_images)) == ["test images unseen"]


@pytest.mark.parametrize("arm", ["real+duplicates", "real+synthetic"])
def test_folds_are_checked_for_being_disjoint(
    arm: str, home: Home, new_sweep: Callable[..., tuple[Run, SweepConfig]], folds: list[dict[str, str]]
) -> None:
    _, config = new_sweep(folds=folds, arms=("real", arm), ratios=(0.5,))
    splits = open_splits(home, config)
    test_images = test_table(splits, config)
    trials = make_trials(config, splits, test_images)
    assert failed((config, splits, trials, test_images)) == []
    test_images.loc[0, "group"] = test_images["group"].iloc[-1]
    assert failed((config, splits, trials, test_images)) == ["folds are disjoint"]


@dataclass
class Row:
    name: str
    accuracy: float | None
    sensitivity: float | None = None
    specificity: float | None = None
    n_test: int | None = None


def test_the_impossible_row_of_the_published_tables_is_found() -> None:
    checks = check_published(PUBLICATIONS["head-ct"].rows)
    between = [check for check in checks if check.name == "accuracy between"]
    assert [check.ok for check in between] == [True, False, True]
    assert between[1].sentence.startswith("synthetic only: the accuracy 60.61 % must lie between, but does not,")
    whole = [check for check in checks if check.name == "whole images"]
    assert len(whole) == 3
    assert not any(check.ok for check in whole)
    assert "no whole number of 22 test images" in whole[0].sentence


def test_a_possible_row_passes_and_a_row_without_numbers_says_nothing() -> None:
    (check,) = check_published([Row("100 %", 0.9861, n_test=144)])
    assert check.ok
    assert check.sentence == "100 %: an accuracy of 98.61 % is 142 of 144 test images right."
    assert not check_published([Row("75 %", 0.98, n_test=144)])[0].ok
    assert check_published([Row("0 %", None)]) == []
    assert check_published([Row("equal", 0.8, 0.8, 0.8)])[0].ok
