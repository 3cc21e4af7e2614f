"""What a sweep can show at best, from numbers that are known before it starts."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy import special

from engine.sweep.expected_luck import (
    LASTING,
    SEED_SPREAD,
    USUAL_ACCURACY,
    Design,
    Luck,
    disagreement_at,
    expected_luck,
    independent_images,
)
from engine.sweep.max_t import critical_value
from engine.sweep.metrics import LOSSES
from engine.sweep.statistics import ALPHA, QUICK_LOOK_BELOW, wilson_interval
from engine.sweep.verdict_words import NAMES, amount

POWER = 0.8
DRAWS = 20_000
LEAST = 0.1
"""Of an expected variance, the least that luck leaves."""


@dataclass(frozen=True, kw_only=True)
class Pilot:
    """How far differences moved in an earlier finished sweep of the same test set, in the same metric."""

    name: str
    luck: Luck
    accuracy: float
    """Mean share of a class that the real images alone got right in it."""

    def scaled(self, expected: Luck, at_none: Luck) -> Luck:
        """What is expected at a difference, times how much more the pilot's moved than expected where there is none."""
        seeds, images = (
            found / assumed if assumed > 0 else 1.0
            for found, assumed in ((self.luck.per_seed, at_none.per_seed), (self.luck.lasting, at_none.lasting))
        )
        # Luck is larger by `images` where so many more patients' trainings disagree; then its skewness is smaller.
        skew = expected.skew / math.sqrt(images) if images > 0 else 0.0
        return replace(
            expected,
            per_seed=expected.per_seed * seeds,
            lasting=expected.lasting * images,
            skew=skew,
            between=self.luck.between,
            with_others=(
                _between_0_and_1(expected.with_others[0] * self.luck.between[0] / expected.between[0]),
                _between_0_and_1(expected.with_others[1] * self.luck.between[1] / expected.between[1]),
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Detectable:
    """What so many test images (or patients), seeds and ratios can show; nothing here is a result."""

    half_width: float
    """Wilson half-width at the accuracy `at`."""
    at: float = USUAL_ACCURACY
    n_test: int
    difference: float | None = None
    """The smallest true difference of `metric`, to the control and to the real images alike, that the verdict's rule
    finds at one ratio with `power`, under the assumptions or as the pilot foretells; None: it never can."""
    power: float = POWER
    metric: str = "accuracy"
    patients: int = 0
    """Groups that the test images come in; 0 of sweeps that did not count them here."""
    disagreement: float = 0.1
    lasting: float = LASTING
    seed_spread: float = SEED_SPREAD
    limited_by: Literal["test images", "seeds", ""] = ""
    """Whose noise is the larger part then."""
    pilot: str = ""
    """The sweep whose differences foretold it; empty: the assumptions did."""
    generators: int = 1
    """Generators of each class that take turns over the seeds."""

    @property
    def amount(self) -> str:
        """`difference` as `4.2 points` or `0.031`."""
        return "none" if self.difference is None else amount(self.difference, self.metric)

    @property
    def promise(self) -> str:
        """The difference and all that it hangs on, in a sentence; for sweeps that can show one."""
        return (
            f"A true difference of {self.amount} of {NAMES[self.metric]}, to the duplicates and to the real images "
            f"alike, is found four times in five{self.reason}."
        )

    @property
    def refusal(self) -> str:
        """Why no difference can be promised, where there are seeds enough."""
        if self.metric in LOSSES:
            return f"What difference of the {NAMES[self.metric]} would be found is not foretold."
        these = f"{self.generators} generators of a class" if self.generators > 1 else "So few"
        return (
            f"{these} cannot show any difference of {NAMES[self.metric]} four times in five, not even that to a "
            f"classifier without errors{self.reason}."
        )

    @property
    def reason(self) -> str:
        """Where that comes from, to follow a statement."""
        alike = (
            f"; the {self.generators} generators of a class are taken to differ no more than seeds do"
            if self.generators > 1
            else ""
        )
        if self.pilot:
            return f", if arms differ by as much luck as in the sweep {self.pilot}{alike}"
        parts = [
            f"{100 * self.at:.0f} % of each class are named right",
            f"two classifiers of a seed disagree on {100 * self.disagreement:.0f} % of it, half of that with every "
            "seed",
            f"seeds differ by {100 * self.seed_spread:.0f} point",
        ]
        if 0 < self.patients < self.n_test:
            parts.append("half of what befalls an image befalls all images of its patient")
        return f", if {', '.join(parts[:-1])} and {parts[-1]}{alike}"


def detectable(
    design: Design,
    metric: str,
    seeds: int,
    ratios: int,
    accuracy: float = USUAL_ACCURACY,
    pilot: Pilot | None = None,
    generators: int = 1,
) -> Detectable:
    """What a sweep of this test set can show, before it starts.

    `accuracy`: share of each class that is expected to be named right with the real images alone. A pilot of the same
    test set and metric takes the place of the assumptions.
    """
    if pilot is not None:
        accuracy = pilot.accuracy
    interval = wilson_interval(accuracy, independent_images(design, accuracy))
    found = Detectable(
        half_width=float(interval.high - interval.low) / 2,
        at=accuracy,
        n_test=len(design.labels),
        metric=metric,
        patients=design.patients,
        disagreement=disagreement_at(accuracy),
        pilot="" if pilot is None else pilot.name,
        generators=generators,
    )
    luck, difference = _foreseen(design, metric, seeds, ratios, accuracy, pilot, generators)
    if luck is None or difference is None:
        return found
    limit: Literal["test images", "seeds"] = "test images" if luck.lasting > luck.per_seed / seeds else "seeds"
    return Detectable(**{**vars(found), "difference": difference, "limited_by": limit})


def foretold(limits: Detectable, seeds: int, level: str = "image") -> str:
    """`detectable` in two sentences, to be read before a sweep starts; `level`: image or patient is judged."""
    what = f"{level}s"
    chance = (
        f"{limits.n_test} test {what}: an accuracy of {100 * limits.at:.0f} % is uncertain by "
        f"±{100 * limits.half_width:.1f} points from the choice of {what} alone."
    )
    if seeds < QUICK_LOOK_BELOW:
        few = f"{seeds} seed{'s' * (seeds != 1)}"
        return f"{chance} With {few} it is a quick look that claims nothing: the protocol asks for {QUICK_LOOK_BELOW}."
    if limits.difference is None:
        return f"{chance} {limits.refusal}"
    return f"{chance} {limits.promise} More {limits.limited_by} would lower it most."


def _foreseen(
    design: Design,
    metric: str,
    seeds: int,
    ratios: int,
    accuracy: float,
    pilot: Pilot | None,
    generators: int,
) -> tuple[Luck | None, float | None]:
    """The luck at the smallest difference, and that difference."""
    if seeds < QUICK_LOOK_BELOW or metric in LOSSES:
        return None, None
    at_none = expected_luck(design, metric, accuracy)

    def found(truth: float) -> tuple[Luck | None, float]:
        luck = expected_luck(design, metric, accuracy, round(truth, 4))
        if luck is not None and at_none is not None and pilot is not None:
            luck = pilot.scaled(luck, at_none)
        if luck is None:
            return luck, math.inf
        return luck, smallest_difference(luck, seeds, ratios, generators) or math.inf

    luck, high = found(0.0)
    if luck is None:
        return None, None
    limit = 0.98 * luck.highest  # near the ceiling two arms disagree less
    high = min(high, limit)
    # The luck is that of the difference itself: where the truth is larger, two arms disagree more, or less.
    low, (luck, needed) = 0.0, found(high)
    while needed > high and high < limit:
        low, high = high, min(1.3 * high, limit)
        luck, needed = found(high)
    if luck is None or needed > high:
        return luck, None
    while high - low > max(0.0005, 0.01 * high):
        middle = min(max(needed, low + 0.1 * (high - low)), high - 0.1 * (high - low))
        other, lacking = found(middle)
        if other is None or lacking > middle:
            low = middle
        else:
            luck, needed, high = other, lacking, middle
    return luck, high


@lru_cache(maxsize=256)
def smallest_difference(luck: Luck, seeds: int, ratios: int, generators: int = 1) -> float | None:
    """The true difference, to the duplicates and to the real images alike, that is found at one ratio with 80 % power;
    None when no difference could be.

    Drawn: both differences as normals about the truth, correlated, for they share the synthetic arm; their errors as
    chi of the two-way t; each held against the quantile of the largest |t| over so many ratios and their mean.
    """
    total = luck.variance(seeds)
    if seeds < QUICK_LOOK_BELOW or not total > 0:
        return None
    freedom = luck.freedom(seeds, generators)
    limits = special.ndtr(
        [_largest_normal(ratios, round(a, 2), round(b, 2)) for a, b in zip(luck.between, luck.with_others, strict=True)]
    )
    quantiles = special.stdtrit(freedom, limits)
    rng = np.random.default_rng(0)
    shared, own = rng.standard_normal((DRAWS, 1)), rng.standard_normal((DRAWS, 2))
    luck_of_both = math.sqrt(luck.with_both) * shared + math.sqrt(1 - luck.with_both) * own
    # Mean and variance of skewed values go together: their covariance is the third moment.
    together, part = luck.skew * (luck.lasting / total) ** 1.5, luck.lasting / total
    along = np.maximum(1 + together * luck_of_both, LEAST)
    apart = max(2 / freedom, luck.unknown * part**2 - together**2)
    errors = np.sqrt(along * rng.gamma(1 / apart, apart, (DRAWS, 2)))
    missing = (quantiles * errors - luck_of_both).max(1)  # standard errors that the truth must lie above 0 to be found
    return float(np.quantile(missing, POWER)) * math.sqrt(total)


@lru_cache(maxsize=64)
def _largest_normal(ratios: int, between: float, with_others: float) -> float:
    """The critical |z| of so many ratios and their mean, whose differences correlate so far, one of them otherwise."""
    if ratios == 1:
        return float(special.ndtri(1 - ALPHA / 2))
    correlation = np.full((ratios, ratios), between)
    correlation[0], correlation[:, 0] = with_others, with_others
    np.fill_diagonal(correlation, 1.0)
    weights = np.vstack((np.eye(ratios), np.full(ratios, 1 / ratios)))
    covariance = weights @ correlation @ weights.T
    errors = np.sqrt(np.diag(covariance))
    return critical_value(covariance / np.outer(errors, errors))


def _between_0_and_1(correlation: float) -> float:
    return min(max(correlation, 0.0), 0.99)
