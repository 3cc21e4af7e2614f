"""Looks at a sweep while it grows: how alpha is shared among numbers of repetitions that were planned beforehand.

Let m_k be the mean over k repetitions (seeds) of a paired difference, all judged on the same test images. With s2 the
variance over the seeds and i2 that over the test patients, Var(m_k) = s2 / k + i2, and for k < K, since the image part
is the same in both, Cov(m_k, m_K) = s2 / K + i2 = Var(m_K). So the looks have the canonical joint distribution of
group-sequential theory, with information 1 / Var(m_k) (Jennison and Turnbull 2000, chapter 11): of z_1, z_2, ... the
correlation of two is the root of the ratio of their information.

Where the luck of the test images dominates, Var(m_k) hardly falls with k: the first look then has nearly all the
information there will ever be, is given nearly all of alpha, and later looks add little.

Alpha is spent by a function of the information fraction (Lan and DeMets 1983), each side half of it; the bounds come
from integrating along the looks (Armitage, McPherson and Rowe 1969; Jennison and Turnbull 2000, chapter 19). What is
used of them is the nominal alpha of a look, the two-sided tail beyond its bound, which t and max-t then take in the
place of 5 %, so that degrees of freedom are allowed for (significance levels: Jennison and Turnbull 2000, chapter 11).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special
from scipy.optimize import brentq

from engine.configs import SweepConfig
from engine.sweep.comparisons import Comparison
from engine.sweep.statistics import ALPHA

Spending = Literal["obrien-fleming", "pocock"]
SPENDING = {"obrien-fleming": "O'Brien-Fleming", "pocock": "Pocock"}

LEAST_SPENT = 1e-6
"""Alpha that every look is given, also where an estimate of the information has fallen since the last."""
CLOSEST = 1 - 1e-4
"""Information of a look as a share of the next one's, at most: equal ones could not be told apart."""
WIDEST = 9.0
"""|z| that is never exceeded, as far as these numbers go."""
NODES = 2001


@dataclass(frozen=True)
class Boundary:
    """What one look may spend."""

    fraction: float
    """Its information as a share of that of the last planned look, as estimated when it was made."""
    spent: float
    """Alpha spent by this look and those before it, two-sided."""
    alpha: float
    """Nominal: the two-sided tail beyond its bound."""

    @property
    def bound(self) -> float:
        """The |z| beyond which it claims."""
        return float(-special.ndtri(self.alpha / 2))


def spent_at(fraction: float, spending: Spending = "obrien-fleming", alpha: float = ALPHA) -> float:
    """Two-sided alpha that may be spent by this information fraction (Lan and DeMets 1983), half of it on each side.

    O'Brien-Fleming type: 2 - 2 Phi(z / sqrt(t)) a side; Pocock type: alpha log(1 + (e - 1) t).
    """
    fraction = min(max(fraction, 0.0), 1.0)
    if fraction == 0:
        return 0.0
    if spending == "pocock":
        return alpha * math.log1p((math.e - 1) * fraction)
    return 4 * float(special.ndtr(special.ndtri(alpha / 4) / math.sqrt(fraction)))


def next_boundary(
    earlier: Sequence[Boundary],
    fractions: Sequence[float],
    spending: Spending = "obrien-fleming",
    alpha: float = ALPHA,
) -> Boundary:
    """The boundary of the look after the `earlier` ones.

    `fractions` are the information of all looks up to this one, as it is estimated now; the earlier looks keep the
    bounds and the alpha that they had. This one gets the alpha that makes the probability to pass here, and at none of
    them, what may be spent and has not been.
    """
    now = fractions[-1]
    before = earlier[-1].spent if earlier else 0.0
    spent = max(spent_at(now, spending, alpha), before + LEAST_SPENT)
    bounds = [look.bound for look in earlier]
    rest = _still_inside(bounds, fractions)
    bound = brentq(lambda c: _passes(rest, c) - (spent - before), 0.0, WIDEST, xtol=1e-7)
    return Boundary(now, spent, 2 * float(special.ndtr(-bound)))


def information_fractions(
    comparisons: Iterable[Comparison], repetitions: int, looks: Sequence[int], last: int
) -> list[float]:
    """The information of each of the `looks` (repetitions) as a share of that of the `last` planned one, growing.

    From the seeds' and the patients' parts of the variance of comparisons after so many `repetitions`. Of several the
    smallest is taken: with a correlation between looks that is too small, later bounds are too strict and never too
    wide. Where the parts are not known, it is the share of the repetitions.
    """
    parts = [(each.seed_variance * repetitions, each.image_variance) for each in comparisons]
    parts = [(seeds, images) for seeds, images in parts if math.isfinite(seeds + images) and seeds + images > 0]
    found = []
    for look in looks:
        shares = [(seeds / last + images) / (seeds / look + images) for seeds, images in parts] or [look / last]
        found.append(min(shares))
    for place in range(len(found) - 1, -1, -1):  # each a little less than the next, so that they stay apart
        highest = found[place + 1] * CLOSEST if place + 1 < len(found) else CLOSEST if looks[place] < last else 1.0
        found[place] = min(found[place], highest)
    return found


def planned_looks(config: SweepConfig) -> tuple[int, ...]:
    """Numbers of repetitions at which this sweep is read: the planned looks up to its end; its end alone where none was
    planned, or where it goes beyond them."""
    return tuple(look for look in config.looks if look <= config.seeds) if is_planned(config) else (config.seeds,)


def is_planned(config: SweepConfig) -> bool:
    """Whether the end of this sweep is one of several looks that were planned."""
    return config.seeds in config.looks


def _still_inside(bounds: Sequence[float], fractions: Sequence[float]) -> tuple[np.ndarray, np.ndarray, float]:
    """Where z is, of those that passed no earlier bound: nodes, weights (with the density), and the correlation that
    the next look has with it."""
    if not bounds:
        return np.zeros(1), np.ones(1), 0.0
    nodes, weights = _grid(bounds[0])
    density = np.exp(-(nodes**2) / 2) / math.sqrt(2 * math.pi) * weights
    for place in range(1, len(bounds)):
        correlation = math.sqrt(fractions[place - 1] / fractions[place])
        spread = math.sqrt(1 - correlation**2)
        after, weights = _grid(bounds[place])
        steps = (after[:, None] - correlation * nodes[None, :]) / spread
        moved = np.exp(-(steps**2) / 2) / math.sqrt(2 * math.pi) / spread @ density
        nodes, density = after, moved * weights
    return nodes, density, math.sqrt(fractions[len(bounds) - 1] / fractions[len(bounds)])


def _passes(rest: tuple[np.ndarray, np.ndarray, float], bound: float) -> float:
    """The probability that the next |z| exceeds `bound`."""
    nodes, density, correlation = rest
    spread = math.sqrt(1 - correlation**2)
    beyond = special.ndtr((-bound - correlation * nodes) / spread)
    beyond += special.ndtr((correlation * nodes - bound) / spread)
    return float(beyond @ density)


def _grid(bound: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes from -bound to bound, and Simpson's weights."""
    bound = min(bound, WIDEST)
    nodes = np.linspace(-bound, bound, NODES)
    weights = np.ones(NODES)
    weights[1:-1:2], weights[2:-1:2] = 4.0, 2.0
    return nodes, weights * (nodes[1] - nodes[0]) / 3
