"""Checks that the program makes on its own results, and on rows that others published.

A table of results can be impossible: an accuracy outside sensitivity and specificity, or one that no whole number of
test images gives. What is published in this field contains both, so nothing is shown here that was not checked.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
import pandas as pd

from engine.configs import SweepConfig
from engine.configs.evaluation import LEARNING_CURVE
from engine.datasets.patients import clusters_in
from engine.sweep.arms import Trial, arm_rule, is_synthetic, plan, training_set
from engine.sweep.metrics import COUNTING, LOSSES, RANKING, metrics
from engine.sweep.splits import Split, drawing_of, pool_part

CLOSE = 1e-6
"""Stored scores are float32."""


class CheckId(StrEnum):
    """What is checked, by the ids that `summary.json` keeps: they stay when the words for people change."""

    ALL_TRIALS = "all-trials"
    SAME_TEST_IMAGES = "same-test-images"
    RECOMPUTED = "recomputed"
    CONFUSION_MATRICES = "confusion-matrices"
    WHOLE_IMAGES = "whole-images"
    ACCURACY_BETWEEN = "accuracy-between"
    REPETITIONS_DIFFER = "repetitions-differ"
    NESTED_SUBSETS = "nested-subsets"
    DUPLICATES_ARE_REAL = "duplicates-are-real"
    TRAINING_SET_SIZES = "training-set-sizes"
    TEST_IMAGES_UNSEEN = "test-images-unseen"
    VALIDATION_IMAGES_UNSEEN = "validation-images-unseen"
    FOLDS_ARE_DISJOINT = "folds-are-disjoint"


LEAK_CHECKS = frozenset({CheckId.TEST_IMAGES_UNSEEN, CheckId.VALIDATION_IMAGES_UNSEEN, CheckId.FOLDS_ARE_DISJOINT})
"""Checks that fail where something of the held-out images reached the training."""

_NAMES_BEFORE_IDS = {
    "all trials": CheckId.ALL_TRIALS,
    "same test images": CheckId.SAME_TEST_IMAGES,
    "recomputed": CheckId.RECOMPUTED,
    "confusion matrices": CheckId.CONFUSION_MATRICES,
    "whole images": CheckId.WHOLE_IMAGES,
    "accuracy between": CheckId.ACCURACY_BETWEEN,
    "repetitions differ": CheckId.REPETITIONS_DIFFER,
    "nested subsets": CheckId.NESTED_SUBSETS,
    "duplicates are real": CheckId.DUPLICATES_ARE_REAL,
    "training set sizes": CheckId.TRAINING_SET_SIZES,
    "test images unseen": CheckId.TEST_IMAGES_UNSEEN,
    "validation images unseen": CheckId.VALIDATION_IMAGES_UNSEEN,
    "folds are disjoint": CheckId.FOLDS_ARE_DISJOINT,
}
"""What the checks were called in summaries that keep no ids; never to be changed."""


def check_id(stored: Mapping[str, Any]) -> str:
    """The id of a check of a `summary.json`, also of one that was written before there were ids."""
    return str(stored.get("id") or _NAMES_BEFORE_IDS.get(stored["name"], ""))


@dataclass(frozen=True)
class Check:
    """What was checked, whether it holds, and a sentence with the numbers."""

    id: str
    """A `CheckId`, or that of a check which this version does not know."""
    name: str
    """Two or three words for people."""
    ok: bool
    sentence: str


class ReportedRow(Protocol):
    """A row of a published table: shares of 1, None where a number was not given."""

    @property
    def name(self) -> str: ...
    @property
    def accuracy(self) -> float | None: ...
    @property
    def sensitivity(self) -> float | None: ...
    @property
    def specificity(self) -> float | None: ...
    @property
    def n_test(self) -> int | None: ...


def self_checks(
    config: SweepConfig,
    splits: Sequence[Split],
    trials: pd.DataFrame,
    test_images: pd.DataFrame,
    positive: int,
) -> list[Check]:
    """Every check of a complete sweep on its own trials (columns of `trials.parquet`), data and pools."""
    classes = splits[0].dataset.classes
    labels = [
        test_images.loc[test_images["fold"] == split.fold, "class"].map(classes.index).to_numpy(np.int64)
        for split in splits
    ]
    return [
        _complete(config, trials),
        _same_test_images(trials, labels, len(classes)),
        _recomputed(trials, labels, len(classes), positive),
        _confusions(trials, labels),
        _whole_images(trials, labels),
        *([_between(trials)] if len(classes) == 2 else []),
        *_repetitions_differ(trials),
        *_training_sets(config, splits, trials),
        _unseen(splits, "test"),
        _unseen(splits, "valid"),
        *([_disjoint_folds(test_images)] if len(splits) > 1 else []),
    ]


def check_published(rows: Iterable[ReportedRow]) -> list[Check]:
    """Which rows of a published table cannot be, from their printed numbers alone."""
    return [check for row in rows for check in _of_row(row)]


def _of_row(row: ReportedRow) -> Iterator[Check]:
    if row.accuracy is None:
        return
    if row.sensitivity is not None and row.specificity is not None:
        low, high = sorted((row.sensitivity, row.specificity))
        holds = low - _printed(low) <= row.accuracy <= high + _printed(high)
        must = "lies between" if holds else "must lie between, but does not,"
        yield Check(
            CheckId.ACCURACY_BETWEEN,
            "accuracy between",
            holds,
            f"{row.name}: the accuracy {_percent(row.accuracy)} {must} sensitivity {_percent(row.sensitivity)} and "
            f"specificity {_percent(row.specificity)}" + ("." if holds else "; this row is impossible."),
        )
    if row.n_test:
        right = round(row.accuracy * row.n_test)
        holds = abs(right / row.n_test - row.accuracy) <= _printed(row.accuracy)
        yield Check(
            CheckId.WHOLE_IMAGES,
            "whole images",
            holds,
            f"{row.name}: an accuracy of {_percent(row.accuracy)} is {right} of {row.n_test} test images right."
            if holds
            else f"{row.name}: no whole number of {row.n_test} test images gives an accuracy of "
            f"{_percent(row.accuracy)} ({right} of them would be {_percent(right / row.n_test)}). It is a mean of "
            "several runs, or was measured on other images.",
        )


def _printed(share: float) -> float:
    """Half of the last digit of a share that was printed as percent with two digits (or with fewer, if so given)."""
    digits = len(f"{100 * share:.4f}".rstrip("0").split(".")[1])
    return 0.5 * 10 ** (-2 - max(digits, 2)) + 1e-9


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _complete(config: SweepConfig, trials: pd.DataFrame) -> Check:
    planned = set(plan(config))
    found = [
        Trial(arm, ratio, seed, fold)
        for arm, ratio, seed, fold in trials[["arm", "ratio", "seed", "fold"]].itertuples(index=False)
    ]
    holds = len(found) == len(set(found)) and set(found) == planned
    return Check(
        CheckId.ALL_TRIALS,
        "all trials",
        holds,
        f"{len(set(found) & planned)} of {len(planned)} planned trials are there, once.",
    )


def _same_test_images(trials: pd.DataFrame, labels: list[np.ndarray], classes: int) -> Check:
    sizes = [len(scores) / classes for scores in trials["scores"]]
    wrong = sum(size != len(labels[fold]) for size, fold in zip(sizes, trials["fold"], strict=True))
    total = sum(len(of_fold) for of_fold in labels)
    sentence = f"All trials were judged on the same {total} test images"
    sentence += " (each in the trials of its fold)." if len(labels) > 1 else "."
    return Check(
        CheckId.SAME_TEST_IMAGES,
        "same test images",
        not wrong,
        sentence if not wrong else f"{wrong} trials have scores of others.",
    )


def _recomputed(trials: pd.DataFrame, labels: list[np.ndarray], classes: int, positive: int) -> Check:
    worst, names = 0.0, [name for name in (*COUNTING, *RANKING, *LOSSES) if name in trials]
    for fold, scores, *stored in trials[["fold", "scores", *names]].itertuples(index=False):
        again = metrics(labels[fold], np.reshape(scores, (-1, classes)), positive)
        for name, value in zip(names, stored, strict=True):
            both_undefined = math.isnan(again[name]) and (value is None or math.isnan(value))
            worst = max(worst, 0.0 if both_undefined else _gap(again[name], value))
    return Check(
        CheckId.RECOMPUTED,
        "recomputed",
        worst <= CLOSE,
        f"{len(names)} metrics of {len(trials)} trials, computed again from the stored scores, differ by at most "
        f"{worst:.1g}.",
    )


def _gap(one: float, other: float | None) -> float:
    gap = abs(one - (math.nan if other is None else other))
    return math.inf if math.isnan(gap) else gap


def _confusions(trials: pd.DataFrame, labels: list[np.ndarray]) -> Check:
    wrong = 0
    for fold, text, accuracy in trials[["fold", "confusion", "accuracy"]].itertuples(index=False):
        confusion = np.array(json.loads(text))
        counts = np.bincount(labels[fold], minlength=len(confusion))
        same = np.array_equal(confusion.sum(1), counts) and abs(np.trace(confusion) / counts.sum() - accuracy) < CLOSE
        wrong += not same
    return Check(
        CheckId.CONFUSION_MATRICES,
        "confusion matrices",
        not wrong,
        f"The rows of {len(trials) - wrong} of {len(trials)} confusion matrices add up to the test images of each "
        "class, and their diagonals to the accuracy.",
    )


def _whole_images(trials: pd.DataFrame, labels: list[np.ndarray]) -> Check:
    n = trials["fold"].map(dict(enumerate(len(of_fold) for of_fold in labels))).to_numpy()
    right = trials["accuracy"].to_numpy() * n
    wrong = int((np.abs(right - np.round(right)) > CLOSE * n).sum())
    return Check(
        CheckId.WHOLE_IMAGES,
        "whole images",
        not wrong,
        f"{len(trials) - wrong} of {len(trials)} accuracies are a whole number of test images.",
    )


def _between(trials: pd.DataFrame) -> Check:
    low, high = trials[["sensitivity", "specificity"]].min(axis=1), trials[["sensitivity", "specificity"]].max(axis=1)
    wrong = int(((trials["accuracy"] < low - CLOSE) | (trials["accuracy"] > high + CLOSE)).sum())
    return Check(
        CheckId.ACCURACY_BETWEEN,
        "accuracy between",
        not wrong,
        f"{len(trials) - wrong} of {len(trials)} accuracies lie between sensitivity and specificity, as they must.",
    )


def _repetitions_differ(trials: pd.DataFrame) -> Iterator[Check]:
    """Equal scores with every seed are one result counted several times, whatever their p."""
    same, cells = 0, 0
    for (arm, _, _), cell in trials.groupby(["arm", "ratio", "fold"]):
        if is_synthetic(str(arm)) and len(cell) > 1:
            cells += 1
            same += len({np.asarray(scores, np.float32).tobytes() for scores in cell["scores"]}) == 1
    if cells:
        yield Check(
            CheckId.REPETITIONS_DIFFER,
            "repetitions differ",
            not same,
            f"In {cells - same} of {cells} combinations of arm and ratio with synthetic images the seeds gave "
            "different scores.",
        )


def _training_sets(config: SweepConfig, splits: Sequence[Split], trials: pd.DataFrame) -> Iterator[Check]:
    """The training sets, drawn again from their seeds: nested, duplicates nothing but reals, sizes as stored."""
    stored = {
        Trial(arm, ratio, seed, fold): (n_real, n_synthetic)
        for arm, ratio, seed, fold, n_real, n_synthetic in trials[
            ["arm", "ratio", "seed", "fold", "n_real", "n_synthetic"]
        ].itertuples(index=False)
    }
    steps = broken = duplicates = foreign = as_drawn = 0
    for split in splits:
        of_train = split.dataset.rows("train")
        reals, groups = np.asarray(split.dataset.labels(of_train)), clusters_in(of_train)
        in_pool = pool_part(split, config)[0]
        pool, drawing = in_pool["class"].map(split.dataset.classes.index).to_numpy(np.int64), drawing_of(split, in_pool)
        smaller: dict[tuple[str, int], np.ndarray] = {}  # of each arm and seed: its own images at the last ratio
        for trial in (trial for trial in plan(config) if trial.fold == split.fold):
            chosen = training_set(trial, reals, pool, config, drawing, groups)
            as_drawn += stored.get(trial) == (chosen.n_real, chosen.n_synthetic)
            synthetic = chosen.rows[chosen.rows >= len(reals)]
            if arm_rule(trial.arm).extra == "duplicates":
                duplicates += 1
                foreign += len(synthetic) > 0
            elif is_synthetic(trial.arm) or trial.arm == LEARNING_CURVE:
                before = smaller.get((trial.arm, trial.seed))
                now = synthetic if is_synthetic(trial.arm) else chosen.rows
                steps += before is not None
                broken += before is not None and not np.isin(before, now).all()
                smaller[trial.arm, trial.seed] = now
    if steps:  # what there is nothing of was not checked
        yield Check(
            CheckId.NESTED_SUBSETS,
            "nested subsets",
            not broken,
            f"In {steps - broken} of {steps} steps to a higher ratio no image of the smaller subset left.",
        )
    if duplicates:
        real = f"{duplicates - foreign} of {duplicates}"
        yield Check(
            CheckId.DUPLICATES_ARE_REAL,
            "duplicates are real",
            not foreign,
            f"{real} training sets of the duplicates arms hold real training images alone.",
        )
    yield Check(
        CheckId.TRAINING_SET_SIZES,
        "training set sizes",
        as_drawn == len(stored),
        f"{as_drawn} of {len(stored)} trials trained on as many images as their seed draws.",
    )


def _unseen(splits: Sequence[Split], part: str) -> Check:
    """No held-out image among the training images of the classifier or of the generators, nor in the pool."""
    name = {"test": "test", "valid": "validation"}[part]
    unseen = {"test": CheckId.TEST_IMAGES_UNSEEN, "valid": CheckId.VALIDATION_IMAGES_UNSEEN}[part]
    images = seen = 0
    for split in splits:
        held_out = set(split.dataset.rows(part)["sha256"])
        others = set(split.dataset.rows("train")["sha256"]) | split.pool.training_hashes
        images += len(held_out)
        seen += len(held_out & (others | set(split.pool.rows()["sha256"])))
    infos = [split.pool.info for split in splits]
    where = "among the training images, those of the generators, or in the pool"
    if any(info.unknown_training for info in infos):
        where = "among the training images or in the pool; what the generators saw is not known"
    elif any(info.declared_training for info in infos):
        where = "among the training images, those that are declared of the generators, or in the pool"
    return Check(unseen, f"{name} images unseen", not seen, f"{seen} of {images} {name} images are {where}.")


def _disjoint_folds(test_images: pd.DataFrame) -> Check:
    """No image is tested in two folds, and no patient or set of copies either."""
    real = test_images[test_images["synthetic"] == 0] if "synthetic" in test_images else test_images
    hashes = real.groupby("sha256")["fold"].nunique()
    known = real[real["group"].astype(str) != ""]
    groups = known.groupby("group")["fold"].nunique()
    twice = int((hashes > 1).sum()), int((groups > 1).sum())
    return Check(
        CheckId.FOLDS_ARE_DISJOINT,
        "folds are disjoint",
        twice == (0, 0),
        f"{twice[0]} images and {twice[1]} groups (patients, or sets of copies) are in the test sets of two folds.",
    )
