"""All scores of a pool, over all classes and for each: every one beside what real images score against real ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from engine.quality.diversity import diversity_ratio
from engine.quality.fid_kid import frechet_distance, kernel_distance
from engine.quality.prdc import prdc
from engine.quality.quality_scores import PoolScore
from engine.quality.real_baselines import SPLITS, Halves, distinct_groups, random_halves, spread
from engine.quality.two_sample import FOLDS, two_sample_accuracy

UNBIASED_FROM = 2048
"""Images from which on a Frechet distance is commonly trusted (arXiv 1706.08500)."""
FEWEST = 10
"""Images in a half; below, the scores that are taken on halves are left out."""

METRICS = ("fid", "kid", "precision", "recall", "density", "coverage", "two_sample", "diversity")
FLOORS = 5
"""Halves on which the two-sample test, by far the slowest score, is repeated."""
PARTS = 3 + SPLITS
"""Steps of the work on one selection of images."""
SHARES = ("precision", "recall", "coverage")


@dataclass(frozen=True)
class Images:
    """Features of images that are compared, with what decides which may be compared."""

    features: np.ndarray
    """float32 [N, D]"""
    labels: np.ndarray
    """Class numbers [N]."""
    groups: np.ndarray
    """Names [N] of patients or other groups; '' where unknown."""

    def __len__(self) -> int:
        return len(self.features)

    def of_class(self, label: int) -> Images:
        return self._some(self.labels == label)

    def in_proportion(self, others: Images, seed: int) -> Images:
        """As many of these images as can be, with the classes in the same proportion as among the others."""
        present, wanted = np.unique(others.labels, return_counts=True)
        here = np.array([(self.labels == label).sum() for label in present])
        share = (here / wanted).min()
        draw = np.random.default_rng(seed)
        rows = [
            draw.permutation(np.flatnonzero(self.labels == label))[: int(share * count)]
            for label, count in zip(present, wanted, strict=True)
        ]
        return self._some(np.sort(np.concatenate(rows)))

    def _some(self, rows: np.ndarray) -> Images:
        return Images(self.features[rows], self.labels[rows], self.groups[rows])


def pool_scores(
    real: Images, synthetic: Images, classes: list[str], k: int, seed: int, step: Callable[[int, int], None]
) -> tuple[list[PoolScore], list[str]]:
    """Rows of `scores.json`, over all classes ("") and for each, and sentences on what could not be computed.

    `step(done, total)` is called before every piece of work and may raise. A class that the pool does not have is left
    out. `real` must not hold copies of images, which would make the floors look too good.
    """
    present = [number for number in np.unique(synthetic.labels) if (real.labels == number).any()]
    absent = [classes[number] for number in np.unique(real.labels) if number not in present]
    chosen = [("", real, synthetic.in_proportion(real, seed))] if not absent else []
    if len(classes) > 1:
        chosen += [(classes[number], real.of_class(number), synthetic.of_class(number)) for number in present]
    rows: list[PoolScore] = []
    missing = (
        [f"The pool has no image of class {', '.join(absent)}, and so no scores over all classes."] if absent else []
    )
    for place, (name, reals, fakes) in enumerate(chosen):
        found, sentence = _scores(reals, fakes, k, seed, partial(_step, step, place, len(chosen)))
        rows += [row.model_copy(update={"class_name": name}) for row in found]
        if sentence:
            missing.append(f"{'Class ' + name if name else 'All classes together'}: {sentence}")
    return rows, missing


def _step(step: Callable[[int, int], None], place: int, places: int, part: int) -> None:
    step(PARTS * place + part, PARTS * places)


def _scores(
    real: Images, synthetic: Images, k: int, seed: int, step: Callable[[int], None]
) -> tuple[list[PoolScore], str]:
    """The rows of one selection of images, and what is missing."""
    step(0)
    if min(len(real), len(synthetic)) < 2:
        return [], f"{len(real)} real and {len(synthetic)} synthetic images cannot be compared."
    groups = distinct_groups(real.groups)
    halves = random_halves(real.labels, groups, synthetic.labels, seed)
    n = min(half.n for half in halves)
    rows = [_kid(real, synthetic, halves if n >= FEWEST else [], seed)]
    if n < max(FEWEST, k + 1):
        return rows, (
            f"{len(real)} real and {len(synthetic)} synthetic images are too few to be halved (halves of {n}, and at "
            f"least {max(FEWEST, k + 1)} of each class and different patients were expected); only KID is given."
        )
    values: dict[str, list[tuple[float, float]]] = {}
    for number, half in enumerate(halves):
        step(1 + number)
        first, second, fakes = real.features[half.first], real.features[half.second], synthetic.features[half.synthetic]
        value, floor = (_on_halves(first, other, k) for other in (fakes, second))
        for metric in value:
            values.setdefault(metric, []).append((value[metric], floor[metric]))
    step(1 + SPLITS)
    notes = {"fid": _fid_note(real, synthetic, n)}
    rows += [_row(metric, pairs, n, notes.get(metric, _halves_note(n))) for metric, pairs in values.items()]
    step(2 + SPLITS)
    if len(set(groups)) < 2 * FOLDS:
        return rows, f"fewer than {2 * FOLDS} patients or images: the two-sample test is left out."
    rows.append(_two_sample(real, synthetic, groups, halves, seed))
    return sorted(rows, key=lambda row: METRICS.index(row.metric)), ""


def _on_halves(first: np.ndarray, other: np.ndarray, k: int) -> dict[str, float]:
    found = prdc(first, other, k)
    return {
        "fid": frechet_distance(first, other),
        "precision": found.precision,
        "recall": found.recall,
        "density": found.density,
        "coverage": found.coverage,
        "diversity": diversity_ratio(first, other),
    }


def _row(metric: str, pairs: list[tuple[float, float]], n: int, note: str) -> PoolScore:
    """A score of matched halves: [(value, floor)] of each."""
    value, floor = (spread(list(numbers)) for numbers in zip(*pairs, strict=True))
    most = 1.0 if metric in SHARES else np.inf
    return PoolScore(
        metric=metric,
        value=value.mean,
        low=max(value.low, 0.0),
        high=min(value.high, most),
        n_real=n,
        n_synthetic=n,
        floor=floor.mean,
        floor_low=max(floor.low, 0.0),
        floor_high=min(floor.high, most),
        note=note,
    )


def _halves_note(n: int) -> str:
    return f"Mean over random halves of the real images and as many synthetic ones ({n} each)."


def _fid_note(real: Images, synthetic: Images, n: int) -> str:
    whole = frechet_distance(real.features, synthetic.features)
    guard = f"Below {UNBIASED_FROM} images it is too high: compare it with its floor alone. " * (n < UNBIASED_FROM)
    return (
        f"{guard}Mean over random halves of the real images and as many synthetic ones ({n} each); all {len(real)} "
        f"real against all {len(synthetic)} synthetic images give {whole:.4g}."
    )


def _kid(real: Images, synthetic: Images, halves: list[Halves], seed: int) -> PoolScore:
    found = kernel_distance(real.features, synthetic.features, seed)
    floors = [kernel_distance(real.features[h.first], real.features[h.second], seed, 1).value for h in halves]
    floor = spread(floors) if floors else None
    return PoolScore(
        metric="kid",
        value=found.value,
        low=found.low,
        high=found.high,
        n_real=len(real),
        n_synthetic=len(synthetic),
        floor=floor.mean if floor else math.nan,
        floor_low=floor.low if floor else math.nan,
        floor_high=floor.high if floor else math.nan,
        note="Unbiased at any number of images; it may be below 0. Interval: bootstrap over single images, which "
        "ignores that images of one patient belong together; with several a patient it is too narrow.",
    )


def _two_sample(real: Images, synthetic: Images, groups: np.ndarray, halves: list[Halves], seed: int) -> PoolScore:
    found = two_sample_accuracy(real.features, synthetic.features, groups, seed=seed)
    floors = []
    for number, half in enumerate(halves[:FLOORS]):
        ours, theirs = (real.features[rows] for rows in (half.first, half.second))
        accuracy = two_sample_accuracy(ours, theirs, groups[half.first], groups[half.second], seed + number).accuracy
        floors.append(accuracy)
    floor = spread(floors)
    return PoolScore(
        metric="two_sample",
        value=found.accuracy,
        low=found.low,
        high=found.high,
        n_real=found.n,
        n_synthetic=found.n,
        floor=floor.mean,
        floor_low=max(floor.low, 0.0),
        floor_high=min(floor.high, 1.0),
        note=f"Logistic regression on the features, cross-validated in {FOLDS} parts that cut no group (a patient, or "
        f"a set of copies) in two; interval: Wilson's, widened for folds that learn from each other and "
        f"for several images of a patient. Floor: halves of {halves[0].n}.",
    )
