"""The difference on which a sweep's verdict rests, in numbers: the same wherever a sweep is told in a line.

What decides is the comparison with as many repeated real images (a harm: with the real images alone), at the one share
that was declared, else at all shares together: never the kindest of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.report.tables import Measure, measure_of
from engine.store.errors import ErsatzError
from engine.sweep.arms import baseline_of, control_of
from engine.sweep.comparisons import Comparison
from engine.sweep.statistics import QUICK_LOOK_BELOW
from engine.sweep.summary_model import SUMMARY_FILE, SweepSummary
from engine.sweep.verdict_words import others_in_words
from pages.components.files import read_model
from pages.components.run_summary import RunSummary


@dataclass(frozen=True)
class Difference:
    """A difference with its interval, as fractions of the metric."""

    value: float
    low: float
    high: float

    @property
    def significant(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Deciding:
    """What the verdict of a sweep rests on."""

    summary: SweepSummary
    measure: Measure
    against: str
    shares: dict[float, Difference]
    """At each share that counts, in their order."""
    whole: Difference
    """On the mean over the shares, or at the only one."""

    @property
    def quick_look(self) -> bool:
        """Whether it has too few repetitions to claim anything."""
        return self.summary.seeds < QUICK_LOOK_BELOW

    @property
    def others(self) -> str:
        """What the synthetic images were compared with, as in `than with ...`."""
        return others_in_words(self.against)

    def line(self) -> str:
        """`-3.3 to +1.3 points at 4 shares against ...: lower at 3 of 4, none significant`."""
        values = [found.value for found in self.shares.values()]
        if len(values) == 1:
            interval = self.measure.show_interval(self.whole.low, self.whole.high, signed=True)
            range_ = f"{self.measure.show_difference(values[0])} ({interval})"
            return f"{range_} compared {self.others}"
        range_ = self.measure.show_interval(min(values), max(values), signed=True)
        worse = sum(value < 0 for value in values)
        clear = sum(found.significant for found in self.shares.values())
        side = f"worse at {worse} of {len(values)} shares"
        significant = {0: "none significant", len(values): "all significant"}.get(clear, f"{clear} significant")
        return f"{range_} compared {self.others}: {side}, {significant}"


def deciding(seen: RunSummary) -> Deciding | None:
    """What the first verdict of a sweep rests on; None where nothing was compared, or its file is damaged."""
    try:
        summary = read_model(seen.run.path / SUMMARY_FILE, SweepSummary)
    except (OSError, ErsatzError):
        return None
    arm = summary.primary_arm or "real+synthetic"
    harms = summary.verdict.verdict == "harms"
    rows = [row for row in summary.comparisons if row.arm == arm and row.metric == summary.metric]
    declared = seen.config.get("primary_ratio")
    for against in (baseline_of(arm) if harms else control_of(arm), control_of(arm), baseline_of(arm)):
        of_shares = [row for row in rows if row.against == against and declared in (None, row.ratio)]
        if against and of_shares:
            alone = declared is not None
            shares = {row.ratio: _difference(row, alone) for row in of_shares}
            means = [row for row in summary.averages if (row.arm, row.against) == (arm, against)]
            mean = next((row for row in means if row.metric == summary.metric), None)
            whole = _difference(mean, alone) if mean and len(shares) > 1 else _middle(shares)
            return Deciding(summary, measure_of(summary.metric, summary.positive_class), against, shares, whole)
    return None


def _difference(row: Comparison, alone: bool) -> Difference:
    """With the interval that the verdict uses: for seeds and test images, where the sweep knows both kinds of luck."""
    ends = (row.low_alone, row.high_alone) if alone else (row.low_total, row.high_total)
    low, high = ends if all(map(math.isfinite, ends)) else (row.low, row.high)
    return Difference(row.mean_difference, low, high)


def _middle(shares: dict[float, Difference]) -> Difference:
    """Of sweeps of before, which kept no mean over the shares: the share in the middle, by its difference."""
    found = sorted(shares.values(), key=lambda difference: difference.value)
    return found[(len(found) - 1) // 2]
