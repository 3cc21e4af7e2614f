"""How the differences of an arm to a control lie over all shares of synthetic images, in a few words.

The sentence about a sweep never picks the share that looks best: it counts at how many the arm was higher and lower,
with the whole range, and says what of it is significant.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from engine.sweep.comparisons import Comparison
from engine.sweep.metrics import LOSSES
from engine.sweep.statistics import QUICK_LOOK_BELOW
from engine.sweep.verdict_words import IN_POINTS, amount, interval_ends, listed


def above(comparison: Comparison) -> bool:
    """Shown to be above 0: the interval for all kinds of luck, and the p that belongs to it."""
    return comparison.low_total > 0 and comparison.p_corrected < comparison.alpha


def below(comparison: Comparison) -> bool:
    return comparison.high_total < 0 and comparison.p_corrected < comparison.alpha


def overall(comparisons: Sequence[Comparison]) -> Comparison:
    """What stands for all shares: their mean; the one share where there is one; else, as no mean is known, the lowest.

    Never the kindest: the largest of several differences is above 0 by chance alone.
    """
    means = [each for each in comparisons if each.is_mean]
    return means[0] if means else min(comparisons, key=lambda each: each.mean_difference)


def tally(comparisons: Sequence[Comparison]) -> str:
    """`lower at 4 of 4 shares of synthetic images (by share -9.5 to -2.3 points), not significant`; empty for none.

    `comparisons` are those of one arm with one other in one metric, that of the mean among them or not.
    """
    rows = sorted((each for each in comparisons if not each.is_mean), key=lambda each: each.ratio)
    if not rows:
        return ""
    if len(rows) == 1:
        return f"{_one(rows[0])}, {_significance(rows, [])}"
    up, down = (sum(_sign(each) == sign for each in rows) for sign in (1, -1))
    more, less = _directions(rows[0])
    parts = [f"{more} at {up} of {len(rows)} shares of synthetic images"] if up else []
    if down:
        parts.append(f"{less} at {down}" + ("" if up else f" of {len(rows)} shares of synthetic images"))
    if not parts:
        return f"the same at {len(rows)} of {len(rows)} shares of synthetic images"
    differences = [each.mean_difference for each in rows]
    spread = f"{_signed(min(differences), rows[0])} to {_signed(max(differences), rows[0], unit=True)}"
    means = [each for each in comparisons if each.is_mean]
    # said to be no interval: readers took it for one
    return f"{', '.join(parts)} (by share {spread}), {_significance(rows, means)}"


def _one(row: Comparison) -> str:
    sign = _sign(row)
    if not sign:
        return "the same"
    more, less = _directions(row)
    low, high = interval_ends(row)
    known = row.n > 1 and math.isfinite(row.low if math.isnan(row.low_total) else row.low_total)
    ends = f" ({low} to {high})" if known else ""
    return f"{amount(row.mean_difference, row.metric)} {more if sign > 0 else less}{ends}"


def _significance(rows: Sequence[Comparison], means: Sequence[Comparison]) -> str:
    n = min(row.n for row in rows)
    if n < 2:
        return "from one training of each, which cannot be told from luck"
    if n < QUICK_LOOK_BELOW:
        return f"from {n} repetitions, too few for a test"
    if all(math.isnan(row.p_corrected) for row in (*rows, *means)):
        return "not tested"
    shown = [row for row in rows if above(row) or below(row)]
    if not shown:
        on_mean = any(above(row) or below(row) for row in means)
        return "significant on their mean alone" if on_mean else "not significant"
    if len(rows) == 1:
        return "significant"
    where = "all" if len(shown) == len(rows) else f"{listed([row.ratio for row in shown])} alone"
    return f"significant at {where}"


def _directions(row: Comparison) -> tuple[str, str]:
    return ("better", "worse") if row.metric in LOSSES else ("higher", "lower")


def _sign(row: Comparison) -> int:
    """0 where nothing of the difference is left when it is written."""
    size = float(amount(row.mean_difference, row.metric).split()[0])
    return 0 if size == 0 else 1 if row.mean_difference > 0 else -1


def _signed(difference: float, row: Comparison, unit: bool = False) -> str:
    scale, digits = (100, 1) if row.metric in IN_POINTS else (1, 3)
    written = round(scale * difference, digits) + 0.0  # without the sign of a negative zero
    return f"{written:+.{digits}f}" + (" points" if unit and row.metric in IN_POINTS else "")
