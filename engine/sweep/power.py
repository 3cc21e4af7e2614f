"""What a sweep can show at best, from numbers that are known before it starts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy import special

from engine.sweep.max_t import critical_value
from engine.sweep.statistics import ALPHA, QUICK_LOOK_BELOW, wilson_interval

POWER = 0.8
ASSUMED_ACCURACY = 0.85
DISAGREEMENT = 0.1
"""Assumed share of test images on which two trained classifiers of the same seed are not both right or both wrong."""
LASTING = 0.5
"""Assumed part of that disagreement that comes again with every seed, so that only more test images average it out."""
SEED_SPREAD = 0.01
"""Assumed standard deviation, over the seeds, of the true difference of two arms (one point)."""
BETWEEN_RATIOS = 0.5
"""Assumed correlation of the differences at two ratios: they share seeds, test images and most synthetic images."""
DRAWS = 20_000


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
    difference: float | None = None
    """The smallest true difference, to the control and to the real images alike, that the verdict's rule finds at one
    ratio with `power`, under the assumptions `disagreement`, `lasting` and `seed_spread`; None: it never can."""
    power: float = POWER
    disagreement: float = DISAGREEMENT
    lasting: float = LASTING
    seed_spread: float = SEED_SPREAD
    limited_by: Literal["test images", "seeds", ""] = ""
    """Whose noise is the larger part then."""


def detectable(n_test: int, seeds: int, ratios: int) -> Detectable:
    """What a sweep of this size can show, before it starts."""
    interval = wilson_interval(ASSUMED_ACCURACY, n_test)
    per_seed, images = _variances(n_test)
    return Detectable(
        half_width=(interval.high - interval.low) / 2,
        n_test=n_test,
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
    if seeds < QUICK_LOOK_BELOW:
        few = f"{seeds} seed{'s' * (seeds != 1)}"
        return f"{chance} With {few} it is a quick look that claims nothing: the protocol asks for {QUICK_LOOK_BELOW}."
    if limits.difference is None:
        return f"{chance} So few cannot show any difference."
    return (
        f"{chance} A true difference of {100 * limits.difference:.1f} points is found four times in five, as far as "
        f"that can be foretold; more {limits.limited_by} would lower it most."
    )


@lru_cache(maxsize=256)
def smallest_difference(n_test: int, seeds: int, ratios: int) -> float | None:
    """The true difference of accuracies, to the duplicates and to the real images alike, that is found at one ratio
    with 80 % power; None when no difference could be.

    Drawn: both differences as normals about the truth with a correlation of a half (they share the synthetic arm),
    their errors as chi of the two-way t, each held against the quantile of the largest |t| over so many ratios and
    their mean.
    """
    if seeds < QUICK_LOOK_BELOW or n_test < 2:
        return None
    per_seed, images = _variances(n_test)
    total = per_seed / seeds + images
    freedom = total**2 / ((per_seed / seeds) ** 2 / (seeds - 1) + images**2 / (n_test - 1))
    quantile = float(special.stdtrit(freedom, special.ndtr(_largest_normal(ratios))))
    rng = np.random.default_rng(0)
    shared, own = rng.standard_normal((DRAWS, 1)), rng.standard_normal((DRAWS, 2))
    luck = (shared + own) / math.sqrt(2)
    errors = np.sqrt(rng.chisquare(freedom, (DRAWS, 2)) / freedom)
    missing = (quantile * errors - luck).max(1)  # standard errors that the truth must lie above 0 to be found
    difference = float(np.quantile(missing, POWER)) * math.sqrt(total)
    return difference if difference < 1 else None


@lru_cache(maxsize=32)
def _largest_normal(ratios: int) -> float:
    """The critical |z| of so many ratios and their mean, at the assumed correlation."""
    if ratios == 1:
        return float(special.ndtri(1 - ALPHA / 2))
    correlation = np.full((ratios, ratios), BETWEEN_RATIOS)
    np.fill_diagonal(correlation, 1.0)
    weights = np.vstack((np.eye(ratios), np.full(ratios, 1 / ratios)))
    covariance = weights @ correlation @ weights.T
    errors = np.sqrt(np.diag(covariance))
    return critical_value(covariance / np.outer(errors, errors))


def _variances(n_test: int) -> tuple[float, float]:
    """Assumed variance of one seed's difference, and of the images' lasting part of it."""
    return SEED_SPREAD**2 + DISAGREEMENT * (1 - LASTING) / n_test, DISAGREEMENT * LASTING / n_test
