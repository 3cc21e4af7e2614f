"""A pool has the classes, and is as large, as the sweeps of a journey need, known before any generator is trained."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.datasets.dataset_info import DatasetInfo
from engine.jobs.pool_size import images_per_class, needed_classes
from engine.store.errors import ErsatzError
from engine.store.home import Home


def dataset(home: Home, train: dict[str, int], test: int = 6) -> Dataset:
    """A data set of that many training images a class."""
    rows = [(name, "train") for name, count in train.items() for _ in range(count)]
    rows += [(name, "test") for name in train for _ in range(test)]
    handle = Dataset(home, "x", DatasetInfo.model_construct(classes=list(train)))
    handle.__dict__["manifest"] = pd.DataFrame(rows, columns=["class", "split"]).assign(excluded="")
    return handle


def sweep(**settings: Any) -> SweepConfig:
    return SweepConfig.build({"name": "x", "dataset": "x", "pool": "x", **settings})


def test_the_neediest_class_and_a_quarter_more(home: Home) -> None:
    uneven = dataset(home, {"a": 100, "b": 40})
    assert images_per_class([sweep()], uneven) == 125
    assert images_per_class([sweep(ratios=(0.5,))], uneven) == 63
    assert images_per_class([sweep(ratios=(0.5,)), sweep(ratios=(2.0,))], uneven) == 250
    assert images_per_class([sweep(ratio_of="gap")], uneven) == 75
    assert images_per_class([sweep(extra_classes=("b",))], uneven) == 50
    assert images_per_class([sweep(arms=("real", "real+duplicates"))], uneven) == 1


def test_synthetic_test_images_are_counted_too(home: Home) -> None:
    plain, flawed = sweep(), sweep(flaws=("synthetic-in-test",))
    assert images_per_class([flawed], dataset(home, {"a": 100, "b": 40}, test=12)) == 140
    assert images_per_class([plain], dataset(home, {"a": 100, "b": 40}, test=12)) == 125


def test_a_number_that_was_asked_for_holds_or_is_refused(home: Home) -> None:
    even = dataset(home, {"a": 100, "b": 100})
    assert images_per_class([sweep()], even, 101) == 101
    with pytest.raises(ErsatzError, match="to have 99 images of each class, but the sweeps need 100"):
        images_per_class([sweep()], even, 99)


def test_topping_up_balanced_classes_is_refused_before_any_training(home: Home) -> None:
    with pytest.raises(ErsatzError, match="none lacks any to the largest"):
        images_per_class([sweep(ratio_of="gap")], dataset(home, {"a": 50, "b": 50}))


def test_only_the_classes_that_some_sweep_reads(home: Home) -> None:
    uneven = dataset(home, {"a": 100, "b": 40, "c": 30})
    top_up = sweep(extra_classes=("b",))
    assert needed_classes([sweep()], uneven) == (), "all of them"
    assert needed_classes([top_up], uneven) == ("b",)
    assert needed_classes([top_up, sweep(extra_classes=("c",))], uneven) == ("b", "c")
    assert needed_classes([top_up, sweep()], uneven) == ()
    assert needed_classes([sweep(ratio_of="gap")], uneven) == ("b", "c"), "the largest class lacks nothing"
    assert needed_classes([sweep(ratio_of="gap", flaws=("synthetic-in-test",))], uneven) == ()
    assert needed_classes([sweep(arms=("real", "real+duplicates"))], uneven) == ()


def test_too_few_classes_are_refused_before_any_training(home: Home) -> None:
    uneven = dataset(home, {"a": 100, "b": 40})
    assert images_per_class([sweep(extra_classes=("b",))], uneven, only_classes=("b",)) == 50
    with pytest.raises(ErsatzError, match=r"no images of the class a, but the ratio 1 needs 100 .* with this class"):
        images_per_class([sweep()], uneven, only_classes=("b",))
    with pytest.raises(ErsatzError, match="only_classes names c; x has the classes a, b"):
        images_per_class([sweep()], uneven, only_classes=("c",))
