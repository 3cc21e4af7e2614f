"""What a sweep found, from its trials: the content of `summary.json`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd

from engine.configs import SweepConfig
from engine.datasets.patients import clusters_in, known_of, patients_in
from engine.sweep.analysis_units import Level, knows_patients, seed_scores, units_of
from engine.sweep.arms import baseline_of, control_of, is_synthetic, primary_arm
from engine.sweep.checks import Check, self_checks
from engine.sweep.comparisons import Comparison, compare
from engine.sweep.foresight import design_of
from engine.sweep.metric_table import Parts, patient_parts
from engine.sweep.metrics import METRICS, majority_accuracy, positive_class
from engine.sweep.power import Pilot, detectable
from engine.sweep.protocol_deviations import Deviation, deviations, dropped_runs
from engine.sweep.splits import Split
from engine.sweep.statistics import Interval, cluster_bootstraps, seed_interval, two_way_interval, wilson_interval
from engine.sweep.summary_model import (
    Cell,
    Classifier,
    DifferenceNoise,
    Fold,
    Patients,
    RealNoise,
    Subgroup,
    SweepSummary,
    TestNoise,
)
from engine.sweep.verdict import EXPLORATORY, PHANTOM, RULE, Verdict, judge, prefixed, without_claim
from engine.sweep.verdict_words import Question

COMPARED = ("accuracy", "balanced_accuracy", "auroc")
"""Metrics that are compared besides the one that the verdict is about."""
PUBLISHED = "This repeats a published protocol for comparison and claims nothing."
SOUND = "The sound protocol: equal steps, no flaw, every control and at least 8 repetitions."
FAILED = "A check of the program on its own results failed, so nothing is claimed:"
MENDED = "The cause of the failed check, mended, and a new sweep."


def summarise(
    config: SweepConfig,
    splits: Sequence[Split],
    trials: pd.DataFrame,
    test_images: pd.DataFrame,
    table: pd.DataFrame,
    classifier: Classifier,
    pilot: Pilot | None = None,
) -> SweepSummary:
    """The content of `summary.json` from the complete table of trials, their test images and `metric_table` of both;
    `pilot`: the earlier sweep that foretold what this one can show.
    """
    dataset = splits[0].dataset
    classes, positive = dataset.classes, positive_class(dataset.classes)
    level = config.level
    wide = _wide(table, level, trials)
    parts = {
        metric: patient_parts(metric, trials, test_images, classes, positive, level)
        for metric in dict.fromkeys((config.metric, *COMPARED))
    }
    compared = [
        found
        for metric in parts
        for arm in filter(is_synthetic, config.arms)
        for against in _others(arm, config)
        for found in compare(wide, arm, against, metric, parts[metric])
    ]
    baselines = [
        found
        for metric in parts
        for arm in config.arms
        if not is_synthetic(arm) and (against := baseline_of(arm)) in config.arms
        for found in compare(wide, arm, str(against), metric, parts[metric])
        if not found.is_mean
    ]
    comparisons = [found for found in compared if not found.is_mean]
    apart, checks = deviations(config), self_checks(config, splits, trials, test_images, positive)
    verdicts = _verdicts(config, level, compared, apart, checks, dataset.is_phantom)
    primary = primary_arm(config)
    majority = _majority(splits, test_images)
    units = units_of(test_images, classes, positive, level)
    return SweepSummary(
        version=SweepSummary.LATEST,
        dataset=dataset.name,
        dataset_fingerprint=dataset.fingerprint,
        phantom=dataset.is_phantom,
        pool=config.pool,
        classifier=classifier,
        classes=classes,
        positive=classes[positive],
        metric=config.metric,
        level=level,
        majority_accuracy=majority,
        n_train=_mean_count(splits, "train"),
        n_valid=_mean_count(splits, "valid"),
        n_test=len(test_images),
        n_groups=len(np.unique(clusters_in(test_images))),
        n_units=len(units),
        patients=_patients(test_images, splits),
        folds=tuple(_fold(split, test_images) for split in splits),
        seeds=config.seeds,
        steps=config.steps,
        batch=config.batch,
        detectable=detectable(
            design_of(test_images, classes, positive, level),
            config.metric,
            config.seeds,
            len(config.ratios),
            config.expected_accuracy,
            pilot,
        ),
        cells=tuple(_cells(wide, config.metric)),
        comparisons=tuple(comparisons),
        averages=tuple(found for found in compared if found.is_mean),
        baselines=tuple(baselines),
        subgroups=tuple(_subgroups(config, level, trials, test_images, classes, positive, table)),
        test_noise=_test_noise(trials, test_images, classes, comparisons),
        primary_arm=primary,
        verdict=verdicts[primary] if primary else judge(Question(), [], []),
        verdicts=verdicts,
        departures=tuple(apart),
        checks=tuple(checks),
        rule=RULE,
        dropped=dropped_runs(trials, majority) if "dropped-runs" in config.flaws else None,
        pool_images=sum(len(split.pool.rows()) for split in splits),
        pool_excluded=_excluded(splits),
    )


def _wide(table: pd.DataFrame, level: Level, trials: pd.DataFrame) -> pd.DataFrame:
    """One row for each arm, ratio and seed, the folds put together, with a column a metric and the set sizes."""
    whole = table[(table["level"] == level) & (table["subgroup"] == "")]
    wide = whole.pivot(index=["arm", "ratio", "seed"], columns="metric", values="score").reset_index()
    sizes = trials.groupby(["arm", "ratio"], as_index=False, sort=False)[["n_real", "n_synthetic"]].first()
    return sizes.merge(wide, on=["arm", "ratio"])


def _others(arm: str, config: SweepConfig) -> list[str]:
    """What a synthetic arm is compared with, of the arms that are there: its baseline, its control, the plain arms."""
    wanted = dict.fromkeys((baseline_of(arm), control_of(arm), "real", "real+classical"))
    return [other for other in wanted if other is not None and other in config.arms]


def _verdicts(
    config: SweepConfig,
    level: Level,
    comparisons: list[Comparison],
    apart: list[Deviation],
    checks: list[Check],
    phantom: bool,
) -> dict[str, Verdict]:
    """The verdict on every synthetic arm; all but the primary arm's are exploratory and say so."""
    verdicts: dict[str, Verdict] = {}
    for arm in filter(is_synthetic, config.arms):
        question = Question(
            arm=arm,
            metric=config.metric,
            level=level,
            extra_classes=config.extra_classes,
            fills_gap=config.ratio_of == "gap",
            primary_ratio=config.primary_ratio,
            margin=config.margin,
        )
        ours = [found for found in comparisons if found.arm == arm and found.metric == config.metric]
        to_baseline = [found for found in ours if found.against == question.baseline]
        to_control = [found for found in ours if found.against == question.control]
        to_classical = [found for found in ours if found.against == "real+classical" != question.baseline]
        verdict = judge(question, to_baseline, to_control, to_classical)
        reasons, needed = [], []
        if not config.claims:
            reasons += [PUBLISHED, *(deviation.sentence for deviation in apart)]
            needed.append(SOUND)
        if failed := [check.sentence for check in checks if not check.ok]:
            reasons += [FAILED, *failed]
            needed.append(MENDED)
        if reasons:
            verdict = without_claim(verdict, reasons, " ".join(needed))
        if arm != primary_arm(config):
            verdict = prefixed(verdict, EXPLORATORY)
        verdicts[arm] = prefixed(verdict, PHANTOM) if phantom else verdict
    return verdicts


def _cells(wide: pd.DataFrame, metric: str) -> list[Cell]:
    """Mean of the sweep's metric in each arm and ratio with its interval over seeds, and the means of the others."""
    cells = []
    for (arm, ratio), cell in wide.groupby(["arm", "ratio"], sort=False):
        values = cell[metric].dropna().to_numpy()
        interval = seed_interval(values) if len(values) else Interval(math.nan, math.nan, math.nan)
        cells.append(
            Cell(
                arm=arm,
                ratio=ratio,
                n=len(values),
                metric=metric,
                mean=interval.mean,
                low=interval.low,
                high=interval.high,
                n_real=int(cell["n_real"].iloc[0]),
                n_synthetic=int(cell["n_synthetic"].iloc[0]),
                means={name: float(cell[name].mean()) for name in METRICS},
            )
        )
    return cells


def _test_noise(
    trials: pd.DataFrame, test_images: pd.DataFrame, classes: list[str], comparisons: list[Comparison]
) -> TestNoise:
    """How much the choice of test images (whole groups where known) moves accuracies and differences."""
    labels = test_images["class"].map(classes.index).to_numpy()
    right: dict[tuple[str, float], list[np.ndarray]] = {}
    for arm, ratio, _, scores in seed_scores(trials, test_images, len(classes)):
        right.setdefault((arm, ratio), []).append(scores.argmax(1) == labels)
    correct = {cell: np.mean(rows, axis=0) for cell, rows in right.items()}
    compared, values = [], [correct["real", 0.0]]
    for found in (comparison for comparison in comparisons if comparison.metric == "accuracy"):
        other = correct.get((found.against, found.ratio), correct.get((found.against, 0.0)))
        if other is not None:
            compared.append(found)
            values.append(correct[found.arm, found.ratio] - other)
    real, *differences = cluster_bootstraps(np.stack(values), clusters_in(test_images))
    return TestNoise(
        real=RealNoise(**asdict(real)),
        differences=tuple(
            DifferenceNoise(arm=found.arm, ratio=found.ratio, against=found.against, **asdict(noise))
            for found, noise in zip(compared, differences, strict=True)
        ),
    )


def _subgroups(
    config: SweepConfig,
    level: Level,
    trials: pd.DataFrame,
    test_images: pd.DataFrame,
    classes: list[str],
    positive: int,
    table: pd.DataFrame,
) -> list[Subgroup]:
    """The sweep's metric in each subgroup, with an interval for seeds and test images. Exploratory, uncorrected."""
    whole = table[(table["level"] == level) & (table["subgroup"] != "") & (table["metric"] == config.metric)]
    rows = []
    for (column, value), of_value in whole.groupby(["subgroup", "value"]):
        parts = _subgroup_parts(
            config.metric, trials, test_images, test_images[column] == value, classes, positive, level
        )
        for _, cell in of_value.groupby(["arm", "ratio"], sort=False):
            arm, ratio = str(cell["arm"].iloc[0]), float(cell["ratio"].iloc[0])
            by_seed = cell.set_index("seed")["score"].dropna()
            mean = low = high = math.nan
            if len(by_seed):
                moved = np.stack([parts[arm, ratio][seed] for seed in by_seed.index])
                found = two_way_interval(by_seed.to_numpy(), moved)
                mean, low, high = found.mean, max(found.low, 0.0), min(found.high, 1.0)
                if low == high:  # no repetition and no image differed: the count alone decides how sure that is
                    wilson = wilson_interval(min(max(found.mean, 0.0), 1.0), moved.shape[1])
                    low, high = max(wilson.low, 0.0), min(wilson.high, 1.0)
            rows.append(
                Subgroup(
                    column=column,
                    value=value,
                    arm=arm,
                    ratio=ratio,
                    metric=config.metric,
                    mean=mean,
                    low=low,
                    high=high,
                    n=int(cell["n"].iloc[0]),
                )
            )
    return rows


def _subgroup_parts(
    metric: str,
    trials: pd.DataFrame,
    test_images: pd.DataFrame,
    among: pd.Series,
    classes: list[str],
    positive: int,
    level: Level,
) -> Parts:
    """The patients' influences on a metric of a part of the test images."""
    kept = {fold: among[of_fold].to_numpy() for fold, of_fold in test_images.groupby("fold").groups.items()}
    cut = [
        np.reshape(scores, (-1, len(classes)))[kept[fold]].ravel()
        for scores, fold in zip(trials["scores"], trials["fold"], strict=True)
    ]
    present = {fold for fold, mask in kept.items() if mask.any()}
    return patient_parts(
        metric, trials.assign(scores=cut)[trials["fold"].isin(present)], test_images[among], classes, positive, level
    )


def _majority(splits: Sequence[Split], test_images: pd.DataFrame) -> float:
    """Accuracy of always naming the class most frequent in the (fold's) training images."""
    right = 0.0
    for split in splits:
        labels = test_images.loc[test_images["fold"] == split.fold, "class"].map(split.dataset.classes.index).to_numpy()
        right += majority_accuracy(split.dataset.labels(split.dataset.rows("train")), labels) * len(labels)
    return right / len(test_images)


def _mean_count(splits: Sequence[Split], part: str) -> int:
    return round(float(np.mean([len(split.dataset.rows(part)) for split in splits])))


def _fold(split: Split, test_images: pd.DataFrame) -> Fold:
    own = test_images[test_images["fold"] == split.fold]
    return Fold(
        fold=split.fold,
        dataset=split.dataset.name,
        dataset_fingerprint=split.dataset.fingerprint,
        pool=split.pool.run.id,
        n_train=len(split.dataset.rows("train")),
        n_valid=len(split.dataset.rows("valid")),
        n_test=len(own),
        n_groups=len(np.unique(clusters_in(own))),
    )


def _patients(test_images: pd.DataFrame, splits: Sequence[Split]) -> Patients | None:
    """How many patients are known, images without one, and patients with images of several classes."""
    if not knows_patients(test_images):
        return None
    patient = patients_in(test_images)
    known = patient != ""
    classes = test_images[known].groupby(patient[known])["class"].nunique()
    return Patients(
        known=len(classes),
        images_without=int((~known).sum()),
        named=known_of([split.dataset for split in splits], "test").named,
        mixed=int((classes > 1).sum()),
    )


def _excluded(splits: Sequence[Split]) -> dict[str, int]:
    """Images that left the pools, by the reason that the manifest gives."""
    reasons = pd.concat([split.pool.manifest["excluded"] for split in splits])
    return {str(reason): int(count) for reason, count in reasons[reasons != ""].value_counts().items()}
