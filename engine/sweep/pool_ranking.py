"""Several pools ranked by what they did for one classifier: sweeps of one protocol that differ in the pool alone.

The sweeps share seeds, test patients and the arms without synthetic images, so that everything is paired. The gains of
all pools at all shares, and on their mean, are judged together (`max_t.py`): who compares five pools has five times the
luck of one. Two pools are told apart by their own difference, all pairs judged together in the same way (Tukey's
question, answered with the estimated covariance).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd

from engine.sweep.analysis_units import Level
from engine.sweep.arms import baseline_of, control_of
from engine.sweep.comparisons import and_mean
from engine.sweep.max_t import Judged, crossed, together
from engine.sweep.metric_table import Parts, patient_parts
from engine.sweep.statistics import ALPHA, QUICK_LOOK_BELOW
from engine.sweep.verdict_words import IN_POINTS, amount, listed, repetitions

Outcome = Literal["helps", "harms", "no evidence"]
Key = tuple[str, float]
DUPLICATES, REAL = "duplicates", "real"


@dataclass(frozen=True, kw_only=True)
class PoolResult:
    """A pool and the sweep on it; `metrics` is its metric table."""

    name: str
    trials: pd.DataFrame
    test_images: pd.DataFrame
    metrics: pd.DataFrame
    control: str = ""
    """What stands in place of synthetic images, of a control."""
    unknown_training: bool = False

    @property
    def called(self) -> str:
        """The name in sentences: a control is always said to be one."""
        return f"{self.name} (control: {self.control})" if self.control else self.name


@dataclass(frozen=True, kw_only=True)
class Task:
    """What all the sweeps measured alike."""

    arm: str
    metric: str
    level: Level
    classes: list[str]
    positive: int
    primary_ratio: float | None = None
    claims: bool = True
    """Whether the protocol and the program's own checks leave room for a claim, in every sweep."""


@dataclass(frozen=True)
class Gain:
    """A difference with its 95 % interval for seeds and test patients and its p, corrected over the whole family."""

    difference: float
    low: float
    high: float
    p: float

    @property
    def above(self) -> bool:
        return self.low > 0 and self.p < ALPHA

    @property
    def below(self) -> bool:
        return self.high < 0 and self.p < ALPHA


@dataclass(frozen=True)
class RankedPool:
    """A pool with its gains by ratio; NaN is the mean over the ratios."""

    pool: PoolResult
    over_real: dict[float, Gain]
    over_duplicates: dict[float, Gain]
    outcome: Outcome
    """Corrected for all pools and shares: above duplicates and above the real images at one place; or below these."""


@dataclass(frozen=True)
class Pair:
    """What the first of two pools has more than the second."""

    first: str
    second: str
    gain: Gain


@dataclass(frozen=True)
class Ranking:
    """The pools, the one with the largest gain over the real images first, and what is told apart."""

    pools: tuple[RankedPool, ...]
    pairs: tuple[Pair, ...]
    ratio: float
    """Where they are ranked: the declared share, the only one, or NaN for the mean over the shares."""
    ratios: tuple[float, ...]
    seeds: int
    metric: str
    sentences: tuple[str, ...]


def rank_pools(pools: Sequence[PoolResult], task: Task) -> Ranking:
    """The ranking of two or more pools, whose sweeps were tested on the same images with the same seeds.

    Without a seed that all of them have there is nothing to rank, and no pools are in it.
    """
    scores = [_scores(pool, task) for pool in pools]
    parts = [
        patient_parts(task.metric, pool.trials, pool.test_images, task.classes, task.positive, task.level)
        for pool in pools
    ]
    ratios = _ratios(scores, task)
    wanted = {REAL: baseline_of(task.arm) or "real", DUPLICATES: control_of(task.arm) or ""}
    seeds = _seeds(scores, task.arm, ratios, wanted)
    if not ratios or not seeds:
        return Ranking((), (), math.nan, (), 0, task.metric, ("The sweeps have no repetition in common.",))
    places = [*ratios, math.nan] if len(ratios) > 1 else list(ratios)
    families = {
        name: _family(scores, parts, task.arm, other, ratios, seeds)
        for name, other in wanted.items()
        if other and all(_cell(found, other, ratios[0]) in found for found in scores)
    }
    gains = {name: [family[n * len(places) : (n + 1) * len(places)] for n in range(len(pools))]
             for name, family in families.items()}  # fmt: skip
    ranked = []
    for number, pool in enumerate(pools):
        real = dict(zip(places, gains[REAL][number], strict=True))
        duplicates = dict(zip(places, gains[DUPLICATES][number], strict=True)) if DUPLICATES in gains else {}
        ranked.append(RankedPool(pool, real, duplicates, _outcome(real, duplicates, task, len(seeds))))
    at = places[-1]
    order = sorted(range(len(pools)), key=lambda n: -_at(ranked[n].over_real, at).difference)
    in_order = ([pools[n] for n in order], [scores[n] for n in order], [parts[n] for n in order])
    pairs = _pairs(*in_order, task, ratios, seeds)
    found = Ranking(tuple(ranked[n] for n in order), tuple(pairs), at, ratios, len(seeds), task.metric, ())
    return Ranking(**{**vars(found), "sentences": tuple(_sentences(found, task))})


def _scores(pool: PoolResult, task: Task) -> dict[Key, dict[int, float]]:
    table = pool.metrics
    own = table[(table["metric"] == task.metric) & (table["level"] == task.level) & (table["subgroup"] == "")]
    found: dict[Key, dict[int, float]] = {}
    for arm, ratio, seed, score in zip(own["arm"], own["ratio"], own["seed"], own["score"], strict=True):
        if math.isfinite(score):
            found.setdefault((str(arm), float(ratio)), {})[int(seed)] = float(score)
    return found


def _ratios(scores: Sequence[dict[Key, dict[int, float]]], task: Task) -> tuple[float, ...]:
    """Those of the arm that every sweep has; the declared one alone, where there is one."""
    common = sorted(set.intersection(*({ratio for arm, ratio in found if arm == task.arm} for found in scores)))
    return (task.primary_ratio,) if task.primary_ratio in common else tuple(common)


def _cell(scores: dict[Key, dict[int, float]], arm: str, ratio: float) -> Key:
    """The cell at the ratio, or at 0 for the arms without."""
    return (arm, ratio) if (arm, ratio) in scores else (arm, 0.0)


def _seeds(
    scores: Sequence[dict[Key, dict[int, float]]], arm: str, ratios: Sequence[float], others: dict[str, str]
) -> list[int]:
    """Seeds that have everything in every sweep."""
    common: set[int] | None = None
    for found in scores:
        for ratio in ratios:
            for name in (arm, *filter(None, others.values())):
                cell = found.get(_cell(found, name, ratio))
                if cell is None and name == others[DUPLICATES]:
                    continue
                common = set(cell or ()) if common is None else common & set(cell or ())
    return sorted(common or ())


def _family(
    scores: Sequence[dict[Key, dict[int, float]]],
    parts: Sequence[Parts],
    arm: str,
    other: str,
    ratios: Sequence[float],
    seeds: Sequence[int],
) -> list[Gain]:
    """The gains of all pools over an arm at every ratio and, with several, on their mean: one family."""
    values, moved = [], []
    for found, of_pool in zip(scores, parts, strict=True):
        cells = [((arm, ratio), _cell(found, other, ratio)) for ratio in ratios]
        rows = np.array([[found[mine][seed] - found[theirs][seed] for seed in seeds] for mine, theirs in cells])
        parted = np.stack(
            [np.stack([of_pool[mine][seed] - of_pool[theirs][seed] for seed in seeds]) for mine, theirs in cells]
        )
        values.append(and_mean(rows))
        moved.append(and_mean(parted))
    return _judged(np.concatenate(values), np.concatenate(moved))


def _pairs(
    pools: Sequence[PoolResult],
    scores: Sequence[dict[Key, dict[int, float]]],
    parts: Sequence[Parts],
    task: Task,
    ratios: Sequence[float],
    seeds: Sequence[int],
) -> list[Pair]:
    """Every two pools at the place where they are ranked: one family."""
    level = [np.mean([[found[task.arm, r][seed] for seed in seeds] for r in ratios], axis=0) for found in scores]
    moved = [
        np.mean([np.stack([found[task.arm, r][seed] for seed in seeds]) for r in ratios], axis=0) for found in parts
    ]
    two = list(combinations(range(len(pools)), 2))
    gains = _judged(np.stack([level[a] - level[b] for a, b in two]), np.stack([moved[a] - moved[b] for a, b in two]))
    return [Pair(pools[a].called, pools[b].called, gain) for (a, b), gain in zip(two, gains, strict=True)]


def _judged(values: np.ndarray, moved: np.ndarray) -> list[Gain]:
    found = crossed(values, moved)
    judged: list[Judged] = together(found)
    return [Gain(float(mean), each.low, each.high, each.p) for mean, each in zip(found.means, judged, strict=True)]


def _at(gains: dict[float, Gain], place: float) -> Gain:
    """NaN, the mean, equals nothing."""
    return next(gain for ratio, gain in gains.items() if ratio == place or (math.isnan(ratio) and math.isnan(place)))


def _outcome(real: dict[float, Gain], duplicates: dict[float, Gain], task: Task, seeds: int) -> Outcome:
    if not task.claims or seeds < QUICK_LOOK_BELOW:
        return "no evidence"
    if any(gain.above and _at(duplicates, place).above for place, gain in real.items() if duplicates):
        return "helps"
    return "harms" if any(gain.below for gain in real.values()) else "no evidence"


def _sentences(ranking: Ranking, task: Task) -> list[str]:
    where = "on the mean over the shares" if math.isnan(ranking.ratio) else f"at {listed([ranking.ratio])}"
    if not task.claims or ranking.seeds < QUICK_LOOK_BELOW:
        why = (
            f"A quick look with {repetitions(ranking.seeds)} tells no pools apart"
            if task.claims
            else "Some of these sweeps may claim nothing, so that their pools are not told apart"
        )
        return [f"{why}; the order is that of the means {where}.", *_limits(ranking)]
    told = []
    for outcome, words in (("helps", "help"), ("harms", "harm")):
        names = [each.pool.called for each in ranking.pools if each.outcome == outcome]
        if names:
            told.append(f"{_and(names)} {words if len(names) > 1 else outcome}")
    corrected = f"Corrected for {len(ranking.pools)} pools"
    corrected += f" and {len(ranking.ratios)} shares with their mean" * (len(ranking.ratios) > 1)
    sentences = [f"{corrected}, {'; '.join(told)}." if told else f"{corrected}, no pool is shown to help or to harm."]
    apart = [pair for pair in ranking.pairs if pair.gain.above or pair.gain.below]
    for pair in apart:
        better, worse = (pair.first, pair.second) if pair.gain.above else (pair.second, pair.first)
        low, high = sorted((abs(pair.gain.low), abs(pair.gain.high)))
        sentences.append(
            f"{_capital(where)}, {better} is above {worse} by {amount(pair.gain.difference, task.metric)} "
            f"({_plain(low, task.metric)} to {_plain(high, task.metric)}; p = {pair.gain.p:.2g})."
        )
    same = [f"{pair.first} and {pair.second}" for pair in ranking.pairs if pair not in apart]
    if same:
        sentences.append(f"Not told apart {where}: {'; '.join(same)}.")
    return [*sentences, *_limits(ranking)]


def _limits(ranking: Ranking) -> list[str]:
    limits = [
        "It ranks the images of these pools as they are: the luck of training a generator is in no interval of it."
    ]
    if unknown := [each.pool.called for each in ranking.pools if each.pool.unknown_training]:
        limits.append(
            f"Whether the generator of {_and(unknown)} saw test images is not known; if it did, its gain is too large."
        )
    return limits


def _plain(value: float, metric: str) -> str:
    return f"{100 * value:.1f}" if metric in IN_POINTS else f"{value:.3f}"


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
