"""What a sweep can show at best, from numbers that are known before it starts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy import stats

from engine.sweep.statistics import (
    ALPHA,
    EXACT_UP_TO,
    sign_flip_ps,
    smallest_sign_flip_p,
    wilson_interval,
)

POWER = 0.8
ASSUMED_ACCURACY = 0.85
DISAGREEMENT = 0.1
"""Assumed share of test images on which two trained classifiers of the same seed are not both right or both wrong."""
LASTING = 0.5
"""Assumed part of that disagreement that comes again with every seed, so that only more test images average it out."""
SEED_SPREAD = 0.01
"""Assumed standard deviation, over the seeds, of the true difference of two arms (one point)."""
DRAWS = 400


@dataclass(frozen=True, kw_only=True)
class Detectable:
    """What so many test images (or patients), seeds and ratios can show; nothing here is a result.

    Images count as if each were of another patient: with several of one, the truth lies between the difference for so
    many images and that for so many patients.
    """

    half_width: float
    """Wilson half-width at the accuracy `at`."""
    at: float = ASSUMED_ACCURACY
    n_test: int
    smallest_p: float
    smallest_p_holm: float
    """After Holm's correction over the ratios; it must be below 0.05 for any claim."""
    difference: float | None = None
    """The smallest true difference to the control that the verdict's rule finds at one ratio with `power`, under the
    assumptions `disagreement`, `lasting` and `seed_spread`; None: it never can."""
    power: float = POWER
    disagreement: float = DISAGREEMENT
    lasting: float = LASTING
    seed_spread: float = SEED_SPREAD
    limited_by: Literal["test images", "seeds", ""] = ""
    """Whose noise is the larger part then."""


def detectable(n_test: int, seeds: int, ratios: int) -> Detectable:
    """What a sweep of this size can show, before it starts."""
    interval = wilson_interval(ASSUMED_ACCURACY, n_test)
    p = smallest_sign_flip_p(seeds)
    per_seed, images = _variances(n_test)
    return Detectable(
        half_width=(interval.high - interval.low) / 2,
        n_test=n_test,
        smallest_p=p,
        smallest_p_holm=min(1.0, p * ratios),
        difference=smallest_difference(n_test, seeds, ratios),
        limited_by="test images" if images > per_seed / seeds else "seeds",
    )


def foretold(n_test: int, seeds: int, ratios: int, what: str = "images") -> str:
    """`detectable` in two sentences, to be read before a sweep starts; `what` is tested: images or patients."""
    limits = detectable(n_test, seeds, ratios)
    chance = (
        f"{n_test} test {what}: an accuracy of 85 % is uncertain by ±{100 * limits.half_width:.1f} points from the "
        f"choice of {what} alone."
    )
    if limits.smallest_p_holm >= ALPHA:
        return (
            f"{chance} With {seeds} seeds and {ratios} shares no p can fall below {ALPHA}: a quick look that claims "
            f"nothing; {seeds_to_claim(ratios)} seeds make a claim possible."
        )
    if limits.difference is None:
        return f"{chance} So few cannot show any difference."
    return (
        f"{chance} A true difference of {100 * limits.difference:.1f} points is found four times in five, as far as "
        f"that can be foretold; more {limits.limited_by} would lower it most."
    )


@lru_cache(maxsize=256)
def smallest_difference(n_test: int, seeds: int, ratios: int) -> float | None:
    """The true difference of accuracies that is found with 80 % power; None when no difference could be.

    Simulated: seeds' differences with the assumed noise, judged as the verdict judges them.
    """
    if smallest_sign_flip_p(seeds) * ratios >= ALPHA or n_test < 2:
        return None
    per_seed, images = _variances(n_test)
    total = per_seed / seeds + images
    freedom = total**2 / ((per_seed / seeds) ** 2 / (seeds - 1) + images**2 / (n_test - 1))
    margin = stats.t.ppf(1 - ALPHA / (2 * ratios), freedom) * math.sqrt(total)
    rng = np.random.default_rng(0)
    noise = rng.normal(0, math.sqrt(per_seed), (DRAWS, seeds)) + rng.normal(0, math.sqrt(images), (DRAWS, 1))
    low, high = 0.0, 1.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        differences = middle + noise
        found = differences.mean(1) > margin
        found[found] = _ps(differences[found]) * ratios < ALPHA
        low, high = (low, middle) if found.mean() >= POWER else (middle, high)
    return high if high < 1 - 1e-4 else None


def seeds_to_claim(ratios: int) -> int:
    """The fewest paired seeds with which Holm's correction over so many ratios leaves room for a claim."""
    return next(n for n in range(2, 64) if smallest_sign_flip_p(n) * ratios < ALPHA)


def seeds_needed(mean: float, spread: float, ratios: int, image_variance: float = 0.0) -> int | None:
    """Paired seeds that show a mean difference of this size and spread with 80 % power (normal approximation).

    None when 1,000 seeds would not do, as when the noise of the test images alone (its variance) is too large.
    """
    room = (mean / _quantile(ratios)) ** 2 - image_variance
    if room < 1e-12:
        return None
    needed = max(seeds_to_claim(ratios), math.ceil(spread**2 / room))
    return needed if needed <= 1000 else None


def larger_test_set(mean: float, seed_variance: float, image_variance: float, ratios: int) -> float | None:
    """How many times as large a test set shows this mean difference with as many seeds; None when none would."""
    room = (mean / _quantile(ratios)) ** 2 - seed_variance
    return image_variance / room if room > 1e-12 else None


def _variances(n_test: int) -> tuple[float, float]:
    """Assumed variance of one seed's difference, and of the images' lasting part of it."""
    return SEED_SPREAD**2 + DISAGREEMENT * (1 - LASTING) / n_test, DISAGREEMENT * LASTING / n_test


def _quantile(ratios: int) -> float:
    return float(stats.norm.ppf(1 - ALPHA / (2 * ratios)) + stats.norm.ppf(POWER))


def _ps(rows: np.ndarray) -> np.ndarray:
    """Sign-flip p of each row; with many seeds that of the t test, which is nearly the same and much faster."""
    return sign_flip_ps(rows) if rows.shape[1] <= EXACT_UP_TO else stats.ttest_1samp(rows, 0.0, axis=1).pvalue
