"""The areas that stand beside the curves of a report are those of a class against the rest."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from engine.sweep.arm_intervals import counted
from engine.sweep.curve_areas import curve_areas

CLASSES = ["bleed", "normal", "tumour"]


def swept(classes: list[str], seeds: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Trials of two shares with scores that know something of the class, and their test images."""
    rng = np.random.default_rng(0)
    labels = np.arange(45) % len(classes)
    images = pd.DataFrame(
        {"path": [f"{i}.png" for i in range(45)], "class": [classes[i] for i in labels], "group": [""] * 45}
    )
    rows = []
    for ratio in (0.5, 1.0):
        for seed in range(seeds):
            raw = np.exp(rng.normal(size=(45, len(classes))) + 1.5 * np.eye(len(classes))[labels])
            scores = (raw / raw.sum(1, keepdims=True)).astype(np.float32).ravel()
            rows.append({"arm": "real+synthetic", "ratio": ratio, "seed": seed, "scores": scores})
    return pd.DataFrame(rows), images


@pytest.mark.parametrize(("classes", "positive", "shown"), [(CLASSES, 0, CLASSES), (CLASSES[:2], 0, ["bleed"])])
def test_each_class_has_the_area_of_scikit_learn(classes: list[str], positive: int, shown: list[str]) -> None:
    trials, images = swept(classes, seeds=3)
    found = curve_areas(counted(trials, images, classes, positive, "image"), classes, [("real+synthetic", 1.0)])
    assert set(found["ratio"]) == {1.0}
    assert list(dict.fromkeys(found["class"])) == shown
    own = trials[trials["ratio"] == 1.0]
    for name in shown:
        ill, column = images["class"] == name, classes.index(name)
        scores = [flat.reshape(-1, len(classes))[:, column] for flat in own["scores"]]
        for curve, reference in (("roc", sk.roc_auc_score), ("pr", sk.average_precision_score)):
            (row,) = found[(found["class"] == name) & (found["curve"] == curve)].to_dict("records")
            # the interval is formed on the logit, and so is the mean
            plain = np.array([reference(ill, of_seed) for of_seed in scores])
            assert row["mean"] == pytest.approx(plain.mean(), abs=0.01)
            assert plain.min() <= row["mean"] <= plain.max()
            assert row["low"] < row["mean"] < row["high"]


def test_one_seed_has_an_area_and_no_interval() -> None:
    trials, images = swept(CLASSES, seeds=1)
    found = curve_areas(counted(trials, images, CLASSES, 0, "image"), CLASSES, [("real+synthetic", 0.5)])
    assert found["mean"].notna().all()
    assert found[["low", "high"]].isna().all(axis=None)
