"""The learning curve of the real images: could any images, real or synthetic, have helped in this sweep?

The arm `real-subset` trains on a share of the real images, with the optimiser steps and the seeds of all other arms.
What the images beyond the smallest share brought says how steep the curve still is; where it is flat, no pool can show
that it helps, and a verdict of no evidence says nothing about the pool (assay sensitivity: ICH E10, section 1.5).

How much as many more real images would bring is had by going on along the logarithm of their number,

    gain(n -> (1 + r) n) = log(1 + r) / log(1 / s) * gain(s n -> n),

which is the limit c -> 0 of the inverse power laws a - b n^(-c) that learning curves are usually fitted with (Figueroa
et al. 2012). For any c > 0 the gain is smaller, so that it is a ceiling; two or three shares could not tell c.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd
from scipy import special

from engine.configs import SweepConfig
from engine.configs.evaluation import LEARNING_CURVE
from engine.store.versioned import Number
from engine.sweep.comparisons import Comparison, compare
from engine.sweep.metric_table import Parts
from engine.sweep.statistics import ALPHA, QUICK_LOOK_BELOW
from engine.sweep.verdict import ABOVE_REAL, Verdict
from engine.sweep.verdict_words import amount, listed, percent, signed_amount

BOTH_FOUND = float(special.ndtri(0.9))
"""Standard errors beyond the bound at which a difference is found nine times in ten, and two of them at least eight."""


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """What a share of the real images gives, and what the others beyond it brought."""

    share: float
    n_real: int
    mean: Number
    """The metric of the classifier trained on this share."""
    gain: Number
    """All real images minus this share, paired seed by seed."""
    low: Number
    high: Number
    """Interval of the gain by itself, for the luck of the seeds and of the test patients."""


@dataclass(frozen=True, kw_only=True)
class LearningCurve:
    """The curve of the sweep's metric, and what it says about the sweep."""

    metric: str
    points: tuple[CurvePoint, ...]
    """Of growing shares."""
    n_real: int
    mean: Number
    """With all real images."""
    more: float
    """As many more real images as the largest share of synthetic ones, as a share of the real ones."""
    ceiling: Number
    """What so many more real images would bring at most."""
    low: Number
    high: Number
    """The interval of the gain that the ceiling comes from, carried on likewise."""
    detectable: Number
    """The smallest true difference that is found at one share, against both controls, four times in five at least; from
    the noise of this sweep."""
    alpha: Number = ALPHA
    """What the intervals leave out."""
    reading: Literal["able", "unable", "unclear", ""] = ""
    """Whether more real images are shown to help; or would bring less than can be found; or neither. Empty: a quick
    look, which claims nothing."""
    sentence: str = ""


def learning_curve(
    config: SweepConfig, wide: pd.DataFrame, parts: Parts, compared: Sequence[Comparison], alpha: float = ALPHA
) -> LearningCurve | None:
    """The curve from the table with a row for each arm, ratio and seed; None without the arm or with one seed.

    `parts` are the test patients' influences on `config.metric`, `compared` the comparisons that the verdict rests on.
    """
    found = [
        each for each in compare(wide, LEARNING_CURVE, "real", config.metric, parts, alpha=alpha) if not each.is_mean
    ]
    if not found or found[0].n < 2:
        return None
    cells = wide.groupby(["arm", "ratio"])
    means, reals = cells[config.metric].mean(), cells["n_real"].first()
    points = tuple(
        CurvePoint(
            share=each.ratio,
            n_real=int(reals[LEARNING_CURVE, each.ratio]),
            mean=float(means[LEARNING_CURVE, each.ratio]),
            gain=0.0 - each.mean_difference,
            low=0.0 - each.high_alone,
            high=0.0 - each.low_alone,
        )
        for each in found
    )
    n_real = int(reals["real", 0.0])
    synthetic = wide["n_synthetic"].max()
    more = float(synthetic / n_real) if synthetic > 0 else 1.0
    first = points[0]
    steeper = math.log1p(more) / math.log(n_real / first.n_real) if first.n_real < n_real else math.nan
    curve = LearningCurve(
        metric=config.metric,
        points=points,
        n_real=n_real,
        mean=float(means["real", 0.0]),
        more=more,
        ceiling=steeper * first.gain,
        low=steeper * first.low,
        high=steeper * first.high,
        detectable=smallest_found(compared, config.primary_ratio),
        alpha=alpha,
    )
    if found[0].n < QUICK_LOOK_BELOW:
        return curve
    reading = _reading(curve)
    return replace(curve, reading=reading, sentence=_sentence(curve, reading) if reading else "")


def smallest_found(compared: Sequence[Comparison], primary_ratio: float | None = None) -> float:
    """The smallest true difference that is found at one share, against every control, four times in five at least.

    From the noise that this sweep had: the half-width of the interval and as many standard errors more as make either
    of two controls pass nine times in ten. It does not depend on what the differences were. NaN where nothing is known.
    """
    by_ratio: dict[float, list[float]] = {}
    for each in compared:
        if each.is_mean or (primary_ratio is not None and each.ratio != primary_ratio):
            continue
        low, high = (each.low_total, each.high_total) if primary_ratio is None else (each.low_alone, each.high_alone)
        error = math.sqrt(max(each.seed_variance + each.image_variance, 0.0))
        by_ratio.setdefault(each.ratio, []).append((high - low) / 2 + BOTH_FOUND * error)
    known = [max(needs) for needs in by_ratio.values() if all(need > 0 for need in needs)]
    return min(known, default=math.nan)


def with_reading(verdict: Verdict, curve: LearningCurve | None) -> Verdict:
    """What the curve says before a verdict of no evidence, and after one of no relevant difference.

    Where something was shown to be above the real images, nobody asks whether anything could have been.
    """
    if curve is None or not curve.sentence or verdict.sentence.startswith(ABOVE_REAL):
        return verdict
    if verdict.verdict == "no evidence":
        return replace(verdict, sentence=f"{curve.sentence} {verdict.sentence}")
    if verdict.verdict == "no relevant difference":
        return replace(verdict, sentence=f"{verdict.sentence} {curve.sentence}")
    return verdict


def more_images(curve: LearningCurve) -> str:
    """`as many more real images`, or `50 % more real images`."""
    return "as many more real images" if round(curve.more, 2) == 1 else f"{100 * curve.more:.3g} % more real images"


def _reading(curve: LearningCurve) -> Literal["able", "unable", "unclear", ""]:
    first = curve.points[0]
    if not math.isfinite(first.low) or not math.isfinite(curve.ceiling):
        return ""
    if first.low > 0:
        return "able"
    return "unable" if curve.high < curve.detectable else "unclear"


def _sentence(curve: LearningCurve, reading: Literal["able", "unable", "unclear", ""]) -> str:
    """The reading in words, with the smallest difference that is found beside it."""
    first, metric = curve.points[0], curve.metric
    level = percent(1 - curve.alpha)

    def interval(low: float, high: float) -> str:
        return f"{level} interval {_end(low, metric)} to {_end(high, metric)}"

    brought = (
        f"the real images beyond the first {listed([first.share])} brought {signed_amount(first.gain, metric)} "
        f"({interval(first.low, first.high)})"
    )
    finds = (
        f"this sweep finds a true difference of {amount(curve.detectable, metric)} four times in five"
        if math.isfinite(curve.detectable)
        else ""
    )
    if reading == "able":
        able = f"More real images do help here: {brought}, so a benefit of that size was there to be shown"
        return f"{able}; {finds}." if finds else f"{able}."
    ceiling = (
        f"even {more_images(curve)} would bring an estimated {signed_amount(max(curve.ceiling, 0.0), metric)} "
        f"at most (this estimate's {interval(curve.low, curve.high)})"
    )
    if reading == "unable":
        return (
            f"Nothing to gain could be seen here: {ceiling}, and {finds}; this sweep could hardly have shown a benefit."
        )
    unknown = f"Whether there was anything to gain here is not known: {brought}, {ceiling.removeprefix('even ')}"
    return f"{unknown}, and {finds}." if finds else f"{unknown}."


def _end(value: float, metric: str) -> str:
    """An end of an interval, with its sign and without its unit."""
    return signed_amount(value, metric).removesuffix(" points")
