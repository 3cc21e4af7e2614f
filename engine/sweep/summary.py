"""What a sweep found, from its trials: the content of `summary.json`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd

from engine.configs import SweepConfig
from engine.datasets.dataset import Dataset
from engine.datasets.patients import clusters_in, known_of, patients_in
from engine.sampling.pool_info import PoolInfo
from engine.sweep.analysis_units import Level, knows_patients, seed_scores, units_of
from engine.sweep.arm_intervals import Behind, arm_intervals, counted, metric_interval, patients_behind
from engine.sweep.arms import baseline_of, control_of, is_synthetic, primary_arm
from engine.sweep.checks import Check, self_checks
from engine.sweep.comparisons import Comparison, compare
from engine.sweep.external import external_table, external_trials
from engine.sweep.foresight import design_of
from engine.sweep.learning_curve import LearningCurve, learning_curve, with_reading
from engine.sweep.look_results import LookResult, boundary_of, look_in_words, look_result, standing
from engine.sweep.looks import is_planned
from engine.sweep.metric_table import Parts, metric_table, patient_parts
from engine.sweep.metrics import LOG_CLIP, METRICS, majority_accuracy
from engine.sweep.pool_words import control_of_pools, said_of_pools, unknown_training
from engine.sweep.positive import positive_index, positive_of_sweep
from engine.sweep.power import Pilot, detectable
from engine.sweep.protocol_deviations import Deviation, deviations, dropped_runs
from engine.sweep.splits import Split
from engine.sweep.statistics import ALPHA, Interval, cluster_bootstraps
from engine.sweep.subgroup_differences import subgroup_differences
from engine.sweep.summary_model import (
    Cell,
    Classifier,
    DifferenceNoise,
    External,
    Fold,
    Patients,
    RealNoise,
    Subgroup,
    SweepSummary,
    TestNoise,
)
from engine.sweep.verdict import EXPLORATORY, PHANTOM, RULE, Verdict, judge, prefixed, without_claim
from engine.sweep.verdict_words import UNKNOWN, Question, capitalised

COMPARED = ("accuracy", "balanced_accuracy", "auroc", "brier", "log_score")
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
    declared: str = UNKNOWN,
    checks: Sequence[Check] | None = None,
    external: Dataset | None = None,
    earlier: Sequence[LookResult] = (),
    pilot: Pilot | None = None,
) -> SweepSummary:
    """The content of `summary.json` from the complete table of trials, their test images and `metric_table` of both.

    `declared`: where and when metric, share and margin were, see `standing`; `checks`: of the sweep's own results,
    where they cannot be made again; `earlier`: the planned looks before this one; `pilot`: the earlier sweep that
    foretold what this one can show. `config` is that of now (`SweepConfig.at`).
    """
    dataset = splits[0].dataset
    classes, level = dataset.classes, config.level
    positive_class, origin = positive_of_sweep(
        config, dataset, trials.filter(["confusion", "sensitivity"]).to_dict("records")
    )
    positive = positive_index(positive_class, classes)
    wide = _wide(table, level, trials)
    parts = {
        metric: patient_parts(metric, trials, test_images, classes, positive, level)
        for metric in dict.fromkeys((config.metric, *COMPARED))
    }
    generators = splits[0].pool.generators_a_class
    turns = {seed: place % generators for place, seed in enumerate(sorted(set(trials["seed"])))}
    boundary = boundary_of(config, earlier, _deciding(config, wide, parts[config.metric], turns))
    alpha = boundary.alpha if boundary is not None else ALPHA
    compared = [
        found
        for metric in parts
        for arm in filter(is_synthetic, config.arms)
        for against in _others(arm, config)
        for found in compare(wide, arm, against, metric, parts[metric], turns, alpha)
    ]
    baselines = [
        found
        for metric in parts
        for arm in config.arms
        if not is_synthetic(arm) and (against := baseline_of(arm)) in config.arms
        for found in compare(wide, arm, str(against), metric, parts[metric], alpha=alpha)
        if not found.is_mean
    ]
    comparisons = [found for found in compared if not found.is_mean]
    apart = deviations(config)
    if checks is None:
        checks = self_checks(config, splits, trials, test_images, positive)
    question = _question(config, declared, positive_class)
    pools = [split.pool.info for split in splits]
    primary = primary_arm(config)
    curve = learning_curve(config, wide, parts[config.metric], _of_verdict(config, compared), alpha)
    look = "" if boundary is None else look_in_words(len(earlier) + 1, len(config.looks), config.seeds, alpha)
    verdicts = {
        arm: said_of_pools(verdict, pools)
        for arm, verdict in _verdicts(
            config, question, compared, apart, checks, dataset.is_phantom, curve, look
        ).items()
    }
    looks = look_result(config, earlier, boundary, verdicts[primary]) if primary else ()
    if primary:
        verdicts[primary] = standing(earlier, verdicts[primary], look)
    apart_in_subgroups, interactions = subgroup_differences(
        trials,
        test_images,
        classes,
        positive,
        level,
        config.metric,
        config.subgroups,
        [found for found in comparisons if (found.arm, found.metric) == (primary, config.metric)],
        turns,
    )
    majority = _majority(splits, test_images)
    units = units_of(test_images, classes, positive, level)
    behind = patients_behind(config.metric, units, positive)
    return SweepSummary(
        version=SweepSummary.LATEST,
        dataset=dataset.name,
        dataset_fingerprint=dataset.fingerprint,
        phantom=dataset.is_phantom,
        pool=config.pool,
        classifier=classifier,
        classes=classes,
        positive=positive_class,
        positive_origin=origin,
        metric=config.metric,
        log_clip=LOG_CLIP,
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
            generators,
        ),
        cells=tuple(_cells(wide, config.metric, parts[config.metric], behind)),
        comparisons=tuple(comparisons),
        averages=tuple(found for found in compared if found.is_mean),
        baselines=tuple(baselines),
        subgroups=tuple(_subgroups(config, level, trials, test_images, classes, positive, table)),
        subgroup_differences=tuple(apart_in_subgroups),
        interactions=tuple(interactions),
        test_noise=_test_noise(trials, test_images, classes, comparisons),
        primary_arm=primary,
        verdict=verdicts[primary] if primary else judge(Question(), [], []),
        verdicts=verdicts,
        departures=tuple(apart),
        checks=tuple(checks),
        rule=RULE,
        external=_external(config, external, trials, classes, question, turns, pools),
        declared=declared,
        looks=looks,
        learning_curve=curve,
        dropped=dropped_runs(trials, majority) if "dropped-runs" in config.flaws else None,
        pool_images=sum(len(split.pool.rows()) for split in splits),
        generators_a_class=generators,
        pool_excluded=_excluded(splits),
        control=control_of_pools(pools),
        unknown_training=unknown_training(pools),
        declared_training=any(info.declared_training for info in pools),
    )


def _external(
    config: SweepConfig,
    external: Dataset | None,
    trials: pd.DataFrame,
    classes: list[str],
    question: Question,
    turns: dict[int, int],
    pools: list[PoolInfo],
) -> External | None:
    """The sweep's metric on the external images, of all arms, and the comparisons of the arm of the verdict."""
    if external is None:
        return None
    positive = positive_index(question.positive_class, classes)
    images = external_table(external, max(1, len(config.folds)))
    read, level, arm = external_trials(trials), config.level, primary_arm(config)
    wide = _wide(metric_table(read, images, classes, positive), level, read)
    units = units_of(images, classes, positive, level)
    parts = patient_parts(config.metric, read, images, classes, positive, level)
    compared = [
        found
        for against in (_others(arm, config) if arm is not None else ())
        for found in compare(wide, str(arm), against, config.metric, parts, turns)
    ]
    verdict = _verdict(replace(question, arm=arm), compared) if arm is not None else judge(Question(), [], [])
    if not config.claims:
        verdict = without_claim(verdict, [PUBLISHED], SOUND)
    verdict = prefixed(said_of_pools(verdict, pools), f"On {external.name}: ")
    n_folds = images["fold"].nunique()
    return External(
        dataset=external.name,
        dataset_fingerprint=external.fingerprint,
        n_images=len(images) // n_folds,
        n_groups=len(np.unique(clusters_in(images))),
        n_units=len(units) // n_folds,
        cells=tuple(_cells(wide, config.metric, parts, patients_behind(config.metric, units, positive))),
        comparisons=tuple(found for found in compared if not found.is_mean),
        averages=tuple(found for found in compared if found.is_mean),
        verdict=prefixed(verdict, PHANTOM) if external.is_phantom else verdict,
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


def _deciding(config: SweepConfig, wide: pd.DataFrame, parts: Parts, turns: dict[int, int]) -> list[Comparison]:
    """The comparisons that the verdict rests on, for what chance does to them; none where there is no other look."""
    arm = primary_arm(config) if is_planned(config) else None
    others = (baseline_of(arm), control_of(arm)) if arm is not None else ()
    found = [
        each
        for other in others
        if other is not None
        for each in compare(wide, str(arm), other, config.metric, parts, turns)
    ]
    return [each for each in found if config.primary_ratio in (None, each.ratio)]


def _of_verdict(config: SweepConfig, compared: list[Comparison]) -> list[Comparison]:
    """Of all comparisons those of the primary arm with its baseline and its control, in the sweep's metric."""
    arm = primary_arm(config)
    against = (baseline_of(arm), control_of(arm)) if arm is not None else ()
    return [each for each in compared if each.arm == arm and each.against in against and each.metric == config.metric]


def _verdicts(
    config: SweepConfig,
    question: Question,
    comparisons: list[Comparison],
    apart: list[Deviation],
    checks: Sequence[Check],
    phantom: bool,
    curve: LearningCurve | None = None,
    look: str = "",
) -> dict[str, Verdict]:
    """The verdict on every synthetic arm; all but the primary arm's are exploratory and say so."""
    verdicts: dict[str, Verdict] = {}
    for arm in filter(is_synthetic, config.arms):
        verdict = _verdict(replace(question, arm=arm), comparisons)
        reasons, needed = [], []
        if not config.claims:
            reasons += [PUBLISHED, *(deviation.sentence for deviation in apart)]
            needed.append(SOUND)
        if failed := [check.sentence for check in checks if not check.ok]:
            reasons += [FAILED, *failed]
            needed.append(MENDED)
        verdict = without_claim(verdict, reasons, " ".join(needed)) if reasons else with_reading(verdict, curve)
        if look:
            verdict = prefixed(verdict, f"{capitalised(look)}: ")
        if arm != primary_arm(config):
            verdict = prefixed(verdict, EXPLORATORY)
        verdicts[arm] = prefixed(verdict, PHANTOM) if phantom else verdict
    return verdicts


def _question(config: SweepConfig, declared: str, positive_class: str) -> Question:
    """What the sweep asks of each of its synthetic arms."""
    return Question(
        metric=config.metric,
        positive_class=positive_class,
        level=config.level,
        extra_classes=config.extra_classes,
        fills_gap=config.ratio_of == "gap",
        primary_ratio=config.primary_ratio,
        margin=config.margin,
        declared=declared,
    )


def _verdict(question: Question, comparisons: list[Comparison]) -> Verdict:
    """What the comparisons of an arm in the sweep's metric say by the rule, whatever may forbid a claim."""
    ours = [found for found in comparisons if (found.arm, found.metric) == (question.arm, question.metric)]
    to_baseline = [found for found in ours if found.against == question.baseline]
    to_control = [found for found in ours if found.against == question.control]
    to_classical = [found for found in ours if found.against == "real+classical" != question.baseline]
    return judge(question, to_baseline, to_control, to_classical)


def _cells(wide: pd.DataFrame, metric: str, parts: Parts, behind: Behind) -> list[Cell]:
    """Mean of the sweep's metric in each arm and ratio with its interval for seeds and test patients, and the means of
    the others.

    Where several generators took turns, each seed counts for itself here, though seeds of one generator are alike; the
    comparisons count by generator.
    """
    cells = []
    for (arm, ratio), cell in wide.groupby(["arm", "ratio"], sort=False):
        by_seed = cell.set_index("seed")[metric].dropna()
        values, interval = by_seed.to_numpy(), Interval(math.nan, math.nan, math.nan)
        if len(values):
            moved = np.stack([parts[str(arm), float(ratio)][seed] for seed in by_seed.index])  # type: ignore[arg-type]
            interval = metric_interval(metric, values, moved, behind)
        cells.append(
            Cell(
                arm=arm,
                ratio=ratio,
                n=len(values),
                metric=metric,
                mean=interval.mean,
                low=interval.low,
                high=interval.high,
                interval_for="seeds and test patients",
                n_real=int(cell["n_real"].iloc[0]),
                n_synthetic=int(cell["n_synthetic"].iloc[0]),
                means={name: float(cell[name].mean()) for name in METRICS if name in cell},
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
    counts = table[(table["level"] == level) & (table["subgroup"] != "") & (table["metric"] == config.metric)]
    rows = []
    for (column, value), of_value in counts.groupby(["subgroup", "value"]):
        among = (test_images[column] == value).to_numpy()
        found = arm_intervals(counted(trials, test_images, classes, positive, level, among), [config.metric])
        known: dict[Any, Any] = {(row.arm, row.ratio): row for row in found.itertuples(index=False)}
        for (arm, ratio), cell in of_value.groupby(["arm", "ratio"], sort=False):
            own = known.get((arm, ratio))  # none where the metric is not defined in any seed
            rows.append(
                Subgroup(
                    column=column,
                    value=value,
                    arm=arm,
                    ratio=ratio,
                    metric=config.metric,
                    mean=math.nan if own is None else own.mean,
                    low=math.nan if own is None else own.low,
                    high=math.nan if own is None else own.high,
                    n=int(cell["n"].iloc[0]),
                )
            )
    return rows


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
