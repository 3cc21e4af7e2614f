"""Classifier two-sample test: how well a simple classifier separates synthetic from real (arXiv 1610.06545)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from scipy.special import stdtrit
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from engine.quality.fid_kid import require_features
from engine.quality.memorisation import Share, share
from engine.store.errors import ErsatzError

FOLDS = 5
MOST = 1000
"""Images of each kind: more cost much and change little."""
OVERLAP = 1 + FOLDS / (FOLDS - 1)
"""How much more a cross-validated accuracy varies than as many independent answers."""
PENALTY = 0.01
"""scikit-learn's C on standardised features: strong, since there are mostly more features than images."""


@dataclass(frozen=True)
class TwoSample:
    """Cross-validated accuracy with its 95 % interval, see `accuracy_interval`; 0.5 is what guessing gives."""

    accuracy: float
    low: float
    high: float
    n: int
    """Images of each kind."""


def two_sample_accuracy(
    real: np.ndarray,
    synthetic: np.ndarray,
    groups: np.ndarray,
    synthetic_groups: np.ndarray | None = None,
    seed: int = 0,
) -> TwoSample:
    """Accuracy of a logistic regression on features [N, D] and [M, D], of which equally many (at most `MOST`) are used.

    `groups` [N] names the patient (or other group) of each real image: none is both learned from and asked about. Each
    image of the other set is its own group, unless `synthetic_groups` [M] says otherwise. The accuracy is
    cross-validated over `FOLDS`; its interval allows for that, and for several images of a patient.
    Far below 0.5 the sets are no independent samples: the classifier learned copies of what it is asked about,
    under the other name. Raises `ErsatzError` when there are fewer than `FOLDS` groups or synthetic images, or for
    features that are not finite or do not match.
    """
    require_features(real, synthetic)
    n = min(len(real), len(synthetic), MOST)
    draw = np.random.default_rng(seed)
    some, others = (np.sort(draw.permutation(len(x))[:n]) for x in (real, synthetic))
    if n < FOLDS or len(set(groups[some])) < FOLDS:
        raise ErsatzError(
            f"{len(set(groups[some]))} real groups and {len(synthetic)} synthetic images are too few for a two-sample "
            f"test; at least {FOLDS} of each are expected. Give more images."
        )
    x = np.concatenate((real[some], synthetic[others])).astype(np.float64)
    y = np.repeat([0, 1], n)
    _, numbers = np.unique(groups[some], return_inverse=True)
    numbers_there = np.arange(n)
    if synthetic_groups is not None:
        _, numbers_there = np.unique(synthetic_groups[others], return_inverse=True)
    each = np.concatenate((numbers, numbers.max() + 1 + numbers_there))
    x = _turned((x - x.mean(0)) / np.maximum(x.std(0), 1e-12))
    right = np.zeros(2 * n)
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for learned, asked in splitter.split(x, y, each):
        model = LogisticRegression(C=PENALTY, max_iter=1000).fit(x[learned], y[learned])
        right[asked] = model.predict(x[asked]) == y[asked]
    found = accuracy_interval(right, y, each)
    return TwoSample(found.value, found.low, found.high, n)


def accuracy_interval(right: np.ndarray, sides: np.ndarray, groups: np.ndarray) -> Share:
    """95 % interval of a cross-validated accuracy, from whether each answer was right [N], its side (0, 1) and group.

    It is Wilson's, for as many independent answers as these are worth. What each of `FOLDS` folds is asked about, the
    others learn from, so that answers are no independent draws: the variance of their mean is that of independent ones
    times 1 + FOLDS / (FOLDS - 1) (Nadeau and Bengio 2003, for training sets that overlap). Those of one group are
    alike: times the ratio of the variance by groups to the binomial one, at least 1. As the variance by groups is
    estimated, the quantile is Student's t with Satterthwaite's degrees of freedom.
    """
    n, mean = len(right), float(right.mean())
    parts, counts = [], []
    for side in np.unique(sides):
        own = sides == side
        _, number = np.unique(groups[own], return_inverse=True)
        sums = np.bincount(number, weights=right[own] - mean)
        counts.append(len(sums))
        parts.append(len(sums) / (len(sums) - 1) * float(np.square(sums - sums.mean()).sum()) / n**2)
    if sum(parts) == 0:  # all right or all wrong: nothing says how alike the answers of a group are, perhaps wholly
        return share(right, sum(counts) / OVERLAP)
    alike = max(1.0, sum(parts) / (mean * (1 - mean) / n))
    freedom = sum(parts) ** 2 / sum(part**2 / (count - 1) for part, count in zip(parts, counts, strict=True))
    wider = (float(stdtrit(freedom, 0.975)) / float(stdtrit(np.inf, 0.975))) ** 2
    return share(right, n / (OVERLAP * alike * wider))


def _turned(x: np.ndarray) -> np.ndarray:
    """x [N, D] turned into the at most N directions in which its rows differ: the same regression, but cheaper.

    The penalty sees lengths alone, so that a rotation changes nothing.
    """
    if len(x) >= x.shape[1]:
        return x
    u, s, _ = scipy.linalg.svd(x, full_matrices=False)
    return u * s
