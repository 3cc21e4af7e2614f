"""The metric table: images and patients, folds put together, subgroups; and the influences behind its intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from engine.sweep.analysis_units import units_of
from engine.sweep.arm_intervals import WITH_INTERVALS
from engine.sweep.metric_table import metric_table, patient_parts, unit_metric, unit_metrics
from engine.sweep.metrics import METRICS, metrics

CLASSES = ["bleed", "normal"]


def table_of_images(n: int = 24, folds: int = 1) -> pd.DataFrame:
    """Two images a patient; the last four images are of unknown patients."""
    rows = [
        {
            "path": f"{image}.png",
            "class": CLASSES[image // 2 % 2],
            "group": f"P{image // 2}" if image < n - 4 else "",
            "fold": image // 4 % folds,
            "site": ("north", "south", "")[image % 3],
        }
        for image in range(n)
    ]
    return pd.DataFrame(rows)


def trials_of(images: pd.DataFrame, seeds: int = 2) -> pd.DataFrame:
    rows = []
    for seed in range(seeds):
        for fold, of_fold in images.groupby("fold"):
            scores = np.random.default_rng([seed, fold]).dirichlet((1, 1), len(of_fold))
            rows.append({"arm": "real", "ratio": 0.0, "seed": seed, "fold": fold, "scores": scores.ravel()})
    return pd.DataFrame(rows)


def score(table: pd.DataFrame, metric: str, **where: object) -> float:
    where = {"seed": 0, "level": "image", "subgroup": "", **where}
    rows = table[table["metric"] == metric]
    for column, value in where.items():
        rows = rows[rows[column] == value]
    (found,) = rows["score"]
    return float(found)


def test_has_every_metric_at_both_levels_and_in_every_subgroup() -> None:
    images = table_of_images()
    table = metric_table(trials_of(images), images, CLASSES, 0, ("site",))
    assert list(table) == ["arm", "ratio", "seed", "level", "subgroup", "value", "metric", "score", "n"]
    assert len(table) == 2 * 2 * 3 * len(METRICS)  # seeds, levels, whole and two sites (the unknown is none)
    assert set(table["value"]) == {"", "north", "south"}
    assert set(table.loc[(table["level"] == "image") & (table["value"] == "north"), "n"]) == {8}
    assert set(table.loc[(table["level"] == "patient") & (table["value"] == ""), "n"]) == {14}
    scores = trials_of(images)["scores"][0].reshape(-1, 2)
    north = (images["site"] == "north").to_numpy()
    labels = images["class"].map(CLASSES.index).to_numpy()
    expected = metrics(labels[north], scores[north], 0)
    for name in METRICS:
        assert score(table, name, value="north", subgroup="site") == pytest.approx(expected[name], nan_ok=True)


def test_a_patient_has_the_mean_score_of_the_images() -> None:
    images = table_of_images()
    table = metric_table(trials_of(images), images, CLASSES, 0)
    scores = trials_of(images)["scores"][0].reshape(-1, 2)
    labels = images["class"].map(CLASSES.index).to_numpy()
    mean = np.concatenate((scores[:20].reshape(10, 2, 2).mean(1), scores[20:]))
    of_patients = np.concatenate((labels[:20:2], labels[20:]))
    assert score(table, "accuracy", level="patient") == pytest.approx((mean.argmax(1) == of_patients).mean())
    assert score(table, "auroc", level="patient") == pytest.approx(sk.roc_auc_score(of_patients, mean[:, 1]))


def test_without_patients_there_is_no_patient_level() -> None:
    images = table_of_images().assign(group="")
    assert set(metric_table(trials_of(images), images, CLASSES, 0)["level"]) == {"image"}


def test_a_patient_of_two_classes_is_diseased_or_of_the_most_frequent_class() -> None:
    images = pd.DataFrame({"path": list("abc"), "class": ["bleed", "normal", "normal"], "group": ["P1"] * 3})
    assert units_of(images, CLASSES, 0, "patient").labels.tolist() == [0]
    three = units_of(images, [*CLASSES, "tumour"], 0, "patient")
    assert three.labels.tolist() == [1]


def test_folds_are_put_together_for_counting_and_averaged_for_ranking() -> None:
    images = table_of_images(folds=2)
    trials = trials_of(images)
    table = metric_table(trials, images, CLASSES, 0)
    labels, aurocs, right = images["class"].map(CLASSES.index).to_numpy(), [], 0
    for fold, flat in zip(trials["fold"][:2], trials["scores"][:2], strict=True):
        own = labels[images["fold"] == fold]
        scores = np.asarray(flat).reshape(-1, 2)
        right += (scores.argmax(1) == own).sum()
        aurocs.append(sk.roc_auc_score(own, scores[:, 1]))
    assert score(table, "accuracy") == pytest.approx(right / len(images))
    assert score(table, "auroc") == pytest.approx(np.mean(aurocs))
    assert metric_table(trials.drop(0), images, CLASSES, 0)["seed"].unique().tolist() == [1]  # a fold is missing


@pytest.mark.parametrize("level", ["image", "patient"])
@pytest.mark.parametrize("metric", ["accuracy", "auroc", "macro_f1"])
@pytest.mark.parametrize("folds", [1, 3])
def test_the_parts_of_the_patients_are_the_jackknifes(folds: int, metric: str, level: str) -> None:
    """Leaving out one patient of many moves the metric by the patient's part, to first order."""
    images = table_of_images(600, folds)
    trials = trials_of(images)
    parts = patient_parts(metric, trials, images, CLASSES, 0, level)["real", 0.0][0]  # type: ignore[arg-type]
    assert parts.sum() == pytest.approx(0, abs=1e-9)
    whole = score(metric_table(trials, images, CLASSES, 0), metric, level=level)
    patients = units_of(images, CLASSES, 0, "image").clusters
    for patient in (0, 7, 298):
        kept = patients != patient
        masks = trials["fold"].map(lambda fold, kept=kept: kept[images["fold"] == fold])
        cut = [np.reshape(s, (-1, 2))[m].ravel() for s, m in zip(trials["scores"], masks, strict=True)]
        left = metric_table(trials.assign(scores=cut), images[kept], CLASSES, 0)
        moved = whole - score(left, metric, level=level)
        assert moved == pytest.approx(parts[patient], rel=0.05, abs=3e-5)


@pytest.mark.parametrize("folds", [1, 3])
def test_one_metric_alone_is_that_of_all(folds: int) -> None:
    units = units_of(table_of_images(folds=folds), CLASSES, 0, "image")
    scores = np.random.default_rng(0).dirichlet(np.ones(2), len(units))
    every = unit_metrics(units, scores, 0)
    assert {name: unit_metric(name, units, scores, 0) for name in WITH_INTERVALS} == {
        name: every[name] for name in WITH_INTERVALS
    }
