"""The learning curve: whole patients in nested subsets, the gain as it was planted, and what is read out of it."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from engine.configs import SweepConfig
from engine.report.learning_curve_figures import figure_learning_curve, readable_curve
from engine.sweep.arms import Trial, kept_reals, training_set
from engine.sweep.comparisons import compare
from engine.sweep.learning_curve import LearningCurve, learning_curve, with_reading
from engine.sweep.metric_table import Parts
from engine.sweep.verdict import Verdict

LABELS = np.repeat([0, 1, 1], 20)
GROUPS = np.array([f"p{place // 4}" for place in range(60)])
PARENTS = {"name": "s", "dataset": "d", "pool": "p"}
CONFIG = SweepConfig.build({**PARENTS, "ratios": (1.0,)})


def test_subsets_are_nested_of_every_class_and_of_whole_patients() -> None:
    half, most = (kept_reals(3, share, LABELS, GROUPS) for share in (0.5, 0.75))
    assert set(half) < set(most) < set(range(60))
    assert np.bincount(LABELS[half]).tolist() == [8, 20]  # 2 of 5 patients are as near to the half as 3 are
    assert all(np.isin(np.flatnonzero(group == GROUPS), half).all() for group in GROUPS[half])
    assert np.bincount(LABELS[kept_reals(3, 0.5, LABELS)]).tolist() == [10, 20]
    assert not np.array_equal(half, kept_reals(4, 0.5, LABELS, GROUPS))
    chosen = training_set(Trial("real-subset", 0.5, 3), LABELS, LABELS, CONFIG, real_groups=GROUPS)
    assert (chosen.rows.tolist(), chosen.n_real, chosen.n_synthetic) == (half.tolist(), 28, 0)


@pytest.mark.parametrize(
    ("settings", "there"),
    [
        ({}, True),
        ({"classifier": "resnet18"}, True),
        ({"classifier": "resnet18", "training": "fine-tuned"}, False),
        ({"epochs": 5}, False),
        ({"epochs": 5, "arms": ("real", "real-subset")}, True),
    ],
)
def test_the_curve_is_there_where_it_is_cheap_or_asked_for(settings: dict[str, object], there: bool) -> None:
    assert ("real-subset" in SweepConfig.build({**PARENTS, **settings}).arms) is there


def sweep(of_half: float, noise: float, seeds: int = 8, patients: int = 400) -> tuple[pd.DataFrame, Parts]:
    """Who is right by arm and seed: half of the reals cost `of_half`, synthetic images bring nothing."""
    rng = np.random.default_rng(5)
    rows, parts = [], {}
    steady = rng.random(patients)
    cells = {("real", 0.0): 0.0, ("real-subset", 0.5): -of_half, ("real-subset", 0.75): -of_half / 2}
    cells |= {(arm, 1.0): 0.0 for arm in ("real+duplicates", "real+synthetic")}
    for (arm, ratio), effect in cells.items():
        right = (steady + noise * rng.normal(size=(seeds, patients)) < 0.8 + effect).astype(float)
        accuracy = right.mean(1)
        n_real = round(100 * ratio) if arm == "real-subset" else 100
        extra = 100 if arm == "real+synthetic" else 0
        rows += [(arm, ratio, seed, value, n_real, extra) for seed, value in enumerate(accuracy)]
        parts[arm, ratio] = dict(enumerate((right - accuracy[:, None]) / patients))
    return pd.DataFrame(rows, columns=["arm", "ratio", "seed", "accuracy", "n_real", "n_synthetic"]), parts


def read(of_half: float, noise: float, **settings: int) -> LearningCurve:
    trials, parts = sweep(of_half, noise, **settings)
    compared = [
        row
        for against in ("real", "real+duplicates")
        for row in compare(trials, "real+synthetic", against, "accuracy", parts)
    ]
    curve = learning_curve(CONFIG, trials, parts, compared)
    assert curve is not None
    return curve


def test_a_steep_curve_says_that_the_sweep_was_able_to_show_a_benefit() -> None:
    curve = read(0.1, 0.02)
    assert curve.reading == "able"
    assert curve.points[0].low <= 0.1 <= curve.points[0].high
    assert curve.ceiling == pytest.approx(curve.points[0].gain)  # a doubling by the logarithm, as the one before
    assert curve.sentence.startswith("More real images do help here: the real images beyond the first 50 % brought +")


def test_a_flat_curve_is_read_before_no_evidence() -> None:
    curve = read(0.0, 0.02)
    assert curve.reading == "unable"
    assert curve.high < curve.detectable
    none, same = Verdict("no evidence", "No evidence."), Verdict("no relevant difference", "None.")
    told = with_reading(none, curve).sentence
    assert told.startswith("Nothing to gain could be seen here: even as many more real images would bring ")
    assert told.endswith("could hardly have shown a benefit. No evidence.")
    assert with_reading(same, curve).sentence.startswith("None. Nothing to gain")
    helps = Verdict("helps", "They help.")
    assert with_reading(helps, curve) == helps == with_reading(helps, None)


def test_an_uncertain_curve_says_so_and_a_quick_look_says_nothing() -> None:
    unclear = read(0.05, 0.5, patients=30)
    assert unclear.reading == "unclear"
    assert "is not known" in unclear.sentence
    quick = read(0.1, 0.02, seeds=3)
    assert (quick.reading, quick.sentence) == ("", "")


def test_the_figure_goes_on_to_as_many_more_images() -> None:
    curve = read(0.1, 0.02)
    reals, ceiling = figure_learning_curve(curve).data
    assert (list(reals.x), list(ceiling.x)) == ([50, 75, 100], [100, 200])
    assert ceiling.y[1] - ceiling.y[0] == pytest.approx(100 * curve.ceiling)
    assert math.isclose(reals.error_y.array[0], 100 * (curve.points[0].gain - curve.points[0].low))
    assert readable_curve(curve)["Images"].tolist() == ["50", "75", "100", "200"]
