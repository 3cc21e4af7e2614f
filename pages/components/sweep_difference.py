"""The difference on which a sweep's verdict rests, in numbers: the same wherever a sweep is told in a line."""

from __future__ import annotations

from dataclasses import dataclass

from engine.report.difference_panel import ends
from engine.report.tables import Measure, measure_of
from engine.sweep.comparisons import Comparison
from engine.sweep.headline import Headline, headline
from pages.components.headlines import read_sweep
from pages.components.run_summary import RunSummary


@dataclass(frozen=True)
class Difference:
    """A difference with its interval, as fractions of the metric; the ends are NaN where there is none."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Deciding:
    """What the verdict of a sweep rests on."""

    told: Headline
    measure: Measure
    against: str
    shares: dict[float, Difference]
    """At each share that counts, in their order."""
    whole: Difference
    """What the headline quotes: the mean over the shares, or one of them."""


def deciding(seen: RunSummary) -> Deciding | None:
    """What the verdict of a sweep rests on; None where nothing was compared, or its file is damaged."""
    found = read_sweep(seen.run)
    told = headline(*found) if found else None
    if found is None or told is None or not told.family:
        return None
    summary, at = found[0], told.rows[0]
    shares = {row.ratio: _difference(row) for row in told.family if not row.is_mean}
    measure = measure_of(summary.metric, summary.positive_class)
    return Deciding(told, measure, at.against, shares, _difference(at))


def _difference(row: Comparison) -> Difference:
    return Difference(row.mean_difference, *ends(row))
