"""How far luck will move a difference of two arms, before any is trained: from a test set, a metric and assumptions.

Two classifiers are taken for a probit model. A logit of the right class lies above each other by a margin, a normal sum
of what is alike for all classifiers (the image's difficulty), what an arm's images do to it with every seed, and the
luck of one training. The assumptions set their parts: how many images are named right, on how many two trainings are
not both right or both wrong, and how much of that comes again with every seed. Scores drawn so, on the classes and
patients of the test set many times over, are put through the same influences as real ones (`influence.py`), so that
every metric, rare classes and patients of many images are counted as the verdict will count them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import optimize, special
from scipy.special import softmax

from engine.sweep.influence import influence
from engine.sweep.metrics import COUNTING, RANKING, metric_of

USUAL_ACCURACY = 0.85
DISAGREEMENT = 0.1
"""Assumed share of a class on which two trained classifiers of a seed are not both right or both wrong, where 85 % are
right; elsewhere, what the same likeness of the two gives."""
LASTING = 0.5
"""Assumed part of that disagreement that comes again with every seed, so that only more test images average it out."""
SEED_SPREAD = 0.01
"""Assumed standard deviation, over the seeds, of the true difference of two arms' accuracies (one point)."""
SAME_AT_RATIOS = 0.5
"""Assumed part of what an arm does to an image that it does at another ratio, too."""
TO_DUPLICATES, TO_REAL = 0.5, 0.75
"""Assumed correlations of the differences at two ratios, which share test images and half of what an arm does to them,
and those to the real images the real arm, too; where none of them has a true difference, as far as luck lasts."""
WITH_BOTH = 0.5
"""Correlation of the differences to the duplicates and to the real images, which share the synthetic arm, where it is
not computed."""
ALIKE = 0.5
"""Assumed part of an image's difficulty, and of what an arm does to it, that all images of a patient share."""
REAL, SYNTHETIC, DUPLICATES, ELSEWHERE, DUPLICATES_ELSEWHERE = range(5)
"""Arms that are drawn; the last two are synthetic and duplicates at another ratio."""
DRAWN = 24_000
"""Test images that are drawn, at least; and `DRAWN_OF_A_CLASS` of the rarest class where that asks for no more than
`DRAWN_AT_MOST`."""
DRAWN_OF_A_CLASS = 15_000
DRAWN_AT_MOST = 120_000
LOGITS_AT_MOST = 10 * DRAWN_AT_MOST
"""Of one seed of an arm: of more than ten classes fewer images are drawn, as fifteen such arrays are held at once. With
five hundred classes they would take seven gigabytes else."""
RANKED = 80
"""Test sets whose ranks are looked at one by one."""


@dataclass(frozen=True)
class Design:
    """What is tested: classes `[U]` and patients `[U]` of the units (images, or patients where these are judged)."""

    labels: tuple[int, ...]
    clusters: tuple[int, ...]
    """Number of each unit's patient, from 0 without gaps; one for each unit where no patient is known."""
    n_classes: int
    positive: int

    @property
    def patients(self) -> int:
        return len(set(self.clusters))

    @property
    def smallest_class(self) -> int:
        return int(np.bincount(self.labels, minlength=self.n_classes).min())


@dataclass(frozen=True)
class Luck:
    """Variances of a difference of two arms, by what would lower them."""

    per_seed: float
    """Of one seed's difference, with these test images: more seeds average it out."""
    lasting: float
    """Of the choice of test patients, however many seeds: only more patients lower it."""
    patients: int
    between: tuple[float, float] = (TO_DUPLICATES, TO_REAL)
    """Correlations of the differences at two ratios, to the duplicates and to the real images."""
    with_others: tuple[float, float] = (TO_DUPLICATES, TO_REAL)
    """The same, of the ratio at which there is the difference, with the others."""
    with_both: float = WITH_BOTH
    """Correlation of the differences to the duplicates and to the real images at one ratio."""
    skew: float = 0.0
    """Skewness of the lasting luck: positive where a larger difference by luck comes with a larger standard error, as
    near the ceiling, where the arms disagree on little else than what one of them mends."""
    unknown: float = 0.0
    """Relative variance of the estimate of `lasting`, which hangs on the few patients on whom the arms disagree."""
    highest: float = 1.0
    """The largest difference that there can be: what the metric lacks to 1."""

    def variance(self, seeds: int) -> float:
        return self.per_seed / seeds + self.lasting

    def freedom(self, seeds: int, generators: int = 1) -> float:
        """Satterthwaite's degrees of freedom, as the test will have them; of several generators a class, one less than
        there are of them."""
        own = self.per_seed / seeds
        usual = self.variance(seeds) ** 2 / (own**2 / (seeds - 1) + self.variance(seeds) ** 2 / (self.patients - 1))
        return min(usual, generators - 1) if generators > 1 else usual


def disagreement_at(accuracy: float) -> float:
    """Share of images on which two trainings are not both right or both wrong, at this accuracy: 10 % at 85 %."""
    return float(4 * special.owens_t(special.ndtri(accuracy), _owens(DISAGREEMENT, USUAL_ACCURACY)))


@lru_cache(maxsize=128)
def expected_luck(design: Design, metric: str, accuracy: float, difference: float = 0.0) -> Luck | None:
    """Luck of a difference whose truth is `difference`, where `accuracy` of each class are right without synthetic
    images; None where the metric is not defined on these classes, or cannot be so much higher.
    """
    if design.patients < 2 or design.smallest_class < 1:
        return None
    drawn = _drawn(design, accuracy)
    base = drawn.metric(metric, drawn.logits(0, 0))
    raised = 0.0
    if difference > 0:
        if base + difference >= 1:
            return None
        raised = drawn.raised(metric, base + difference)
    synthetic = [drawn.moved(metric, SYNTHETIC, seed, raised) for seed in (0, 1)]
    pairs = ((SYNTHETIC, REAL), (SYNTHETIC, DUPLICATES), (ELSEWHERE, REAL), (ELSEWHERE, DUPLICATES_ELSEWHERE))
    moved, to_duplicates, elsewhere, elsewhere_to_duplicates = (
        [
            (synthetic[seed] if arm == SYNTHETIC else drawn.moved(metric, arm, seed)) - drawn.moved(metric, other, seed)
            for seed in (0, 1)
        ]
        for arm, other in pairs
    )
    alike = (moved, to_duplicates)  # both are of one size: their mean is known better
    lasting = max(float(np.mean([(one * other).sum() for one, other in alike])) / drawn.copies, 0.0)
    of_one = float(np.mean([(each**2).sum() for both in alike for each in both])) / drawn.copies
    return Luck(
        per_seed=(SEED_SPREAD * drawn.steepness(metric)) ** 2 + max(of_one - lasting, 0.0),
        lasting=lasting,
        patients=design.patients,
        with_others=(_correlated(to_duplicates, elsewhere_to_duplicates), _correlated(moved, elsewhere)),
        with_both=_correlated(moved, to_duplicates),
        skew=drawn.skewness_of_ranks(metric, raised, lasting)
        if metric in RANKING and lasting > 0
        else float(np.mean([_skewness(both, lasting, drawn.copies) for both in alike])),
        unknown=float(np.mean([(one**2 * other**2).sum() for one, other in alike])) / drawn.copies / lasting**2
        if lasting > 0
        else 0.0,
        highest=1 - base,
    )


def _correlated(ones: list[np.ndarray], others: list[np.ndarray]) -> float:
    """Correlation of what lasts over two seeds of two differences."""
    common = float((ones[0] * others[1] + ones[1] * others[0]).sum()) / 2
    spread = math.sqrt(max(float((ones[0] * ones[1]).sum()) * float((others[0] * others[1]).sum()), 0.0))
    return min(max(common / spread, 0.0), 0.99) if spread > 0 else WITH_BOTH


def _skewness(moved: list[np.ndarray], lasting: float, copies: int) -> float:
    """Of the sum over the patients of one test set, from what lasts over two seeds."""
    third = float((moved[0] * moved[1] * (moved[0] + moved[1])).sum()) / 2 / copies
    return third / lasting**1.5 if lasting > 0 else 0.0


@lru_cache(maxsize=64)
def independent_images(design: Design, accuracy: float) -> float:
    """How many independent images tell an accuracy as well as these do, whose patients' images are alike."""
    if design.patients == len(design.labels):
        return len(design.labels)
    drawn = _drawn(design, accuracy)
    of_patients = drawn.moved("accuracy", REAL, 0)
    variance = float((of_patients**2).sum()) / drawn.copies
    return min(accuracy * (1 - accuracy) / variance, len(design.labels))


@lru_cache(maxsize=2)
def _drawn(design: Design, accuracy: float) -> _Drawn:
    return _Drawn(design, accuracy)


class _Drawn:
    """Two seeds of five arms, the last two of them at another ratio, on the test set `copies` times over."""

    def __init__(self, design: Design, accuracy: float) -> None:
        wanted = max(DRAWN, DRAWN_OF_A_CLASS * len(design.labels) // design.smallest_class)
        most = min(DRAWN_AT_MOST, LOGITS_AT_MOST // design.n_classes)
        self.copies = math.ceil(min(wanted, most) / len(design.labels))
        self.design = design
        self.labels = np.tile(design.labels, self.copies)
        at = np.arange(self.copies)[:, None] * design.patients
        self.clusters = (np.asarray(design.clusters) + at).ravel()
        self._of_right = np.eye(design.n_classes)[self.labels]
        self._rng = np.random.default_rng(0)
        others = design.n_classes - 1
        boundary = 1 - (1 - accuracy) / others  # right against one other class: errors are shared by the others
        self._margin = _margin(accuracy, others)
        parted = disagreement_at(accuracy) / others
        seeds, arms = (_correlation(share, boundary) for share in ((1 - LASTING) * parted, parted))
        shared, own = self._of_images(True), [self._of_images(True) for _ in range(5)]
        for arm, same in ((ELSEWHERE, SYNTHETIC), (DUPLICATES_ELSEWHERE, DUPLICATES)):
            own[arm] = math.sqrt(SAME_AT_RATIOS) * own[same] + math.sqrt(1 - SAME_AT_RATIOS) * own[arm]
        self._lasting = [math.sqrt(arms) * shared + math.sqrt(max(seeds - arms, 0.0)) * each for each in own]
        self._fleeting = [[math.sqrt(1 - seeds) * self._of_images(False) for _ in range(2)] for _ in range(5)]
        self._kept: dict[tuple[str, int, int], np.ndarray] = {}

    def _of_images(self, by_patient: bool) -> np.ndarray:
        """Normal logits `[N, classes]` whose differences have variance 1, partly shared by a patient's images."""
        shape = (len(self.labels), self.design.n_classes)
        found = self._rng.standard_normal(shape)
        if by_patient and self.design.patients < len(self.design.labels):
            of_patients = self._rng.standard_normal((self.clusters.max() + 1, shape[1]))
            found = math.sqrt(ALIKE) * of_patients[self.clusters] + math.sqrt(1 - ALIKE) * found
        return math.sqrt(0.5) * found

    def logits(self, arm: int, seed: int, raised: float = 0.0) -> np.ndarray:
        return self._lasting[arm] + self._fleeting[arm][seed] + (self._margin + raised) * self._of_right

    def metric(self, metric: str, logits: np.ndarray) -> float:
        # what counts the highest score needs no probabilities, and softmax is most of the time
        scores = logits if metric in COUNTING else softmax(logits, axis=1)
        return metric_of(metric, self.labels, scores, self.design.positive)

    def raised(self, metric: str, wanted: float) -> float:
        """What must be added to the margin for so high a metric."""

        def lacks(raised: float) -> float:
            return self.metric(metric, self.logits(0, 0, raised)) - wanted

        return float(optimize.brentq(lacks, 0.0, 8.0, xtol=1e-3)) if lacks(8.0) > 0 else 8.0

    def moved(self, metric: str, arm: int, seed: int, raised: float = 0.0) -> np.ndarray:
        """The influence of each patient on the metric of one test set."""
        key = (metric, arm, seed)
        if not raised and key in self._kept:
            return self._kept[key]
        scores = softmax(self.logits(arm, seed, raised), axis=1)
        of_images = influence(metric, self.labels, scores, self.design.positive)
        of_patients = np.bincount(self.clusters, weights=of_images) * self.copies
        if not raised:
            self._kept[key] = of_patients
        return of_patients

    def skewness_of_ranks(self, metric: str, raised: float, lasting: float) -> float:
        """`_skewness` of a metric of ranks, whose influences hang on other images too: from test set to test set."""
        size, patients = len(self.design.labels), self.design.patients
        labels, clusters = np.asarray(self.design.labels), np.asarray(self.design.clusters)
        copies = min(self.copies, RANKED)
        differences, variances = np.zeros(copies), np.zeros(copies)
        arms = [
            [softmax(self.logits(arm, seed, up)[: copies * size], axis=1) for seed in (0, 1)]
            for arm, up in ((SYNTHETIC, raised), (REAL, 0.0))
        ]
        for copy in range(copies):
            own = slice(copy * size, (copy + 1) * size)
            moved = []
            for seed in (0, 1):
                scores = [arm[seed][own] for arm in arms]
                of_images = np.subtract(*[influence(metric, labels, one, self.design.positive) for one in scores])
                moved.append(np.bincount(clusters, weights=of_images, minlength=patients))
                values = [metric_of(metric, labels, one, self.design.positive) for one in scores]
                differences[copy] += (values[0] - values[1]) / 2
            variances[copy] = moved[0] @ moved[1]
        return float(np.cov(differences, variances)[0, 1]) / lasting**1.5

    def steepness(self, metric: str) -> float:
        """How much the metric moves where the accuracy of every class moves by 1."""
        step, moved = 0.1, []
        for name in (metric, "balanced_accuracy"):
            high, low = (self.metric(name, self.logits(0, 0, raised)) for raised in (step, -step))
            moved.append(high - low)
        return moved[0] / moved[1] if moved[1] > 0 else 1.0


def _margin(accuracy: float, others: int) -> float:
    """Mean margin at which a logit is above all of so many others, whose differences have variance 1."""
    if others == 1:
        return float(special.ndtri(accuracy))
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)

    def lacks(margin: float) -> float:
        above = special.ndtr(nodes + math.sqrt(2) * margin) ** others
        return float((weights * above).sum() / weights.sum()) - accuracy

    return _root(lacks, -8.0, 8.0)


def _owens(disagreement: float, accuracy: float) -> float:
    """The a of Owen's T for which two normals that are above 0 with this probability disagree so often.

    P(both right) = accuracy - 2 T(h, a), h the quantile of the accuracy, a = sqrt((1 - rho) / (1 + rho)) (Owen 1956).
    """
    quantile = float(special.ndtri(accuracy))
    if disagreement >= 4 * special.owens_t(quantile, 1.0):
        return 1.0  # independent of each other
    return _root(lambda a: float(4 * special.owens_t(quantile, a)) - disagreement, 0.0, 1.0)


def _correlation(disagreement: float, accuracy: float) -> float:
    """Correlation of the margins of two classifiers of this accuracy that disagree so often."""
    a = _owens(disagreement, accuracy)
    return (1 - a * a) / (1 + a * a)


def _root(of: Callable[[float], float], low: float, high: float) -> float:
    return float(optimize.brentq(of, low, high, xtol=1e-9))
