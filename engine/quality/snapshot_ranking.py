"""The snapshots of a training beside each other, as a ranking's run folder keeps them; read without torch."""

from __future__ import annotations

import math
from typing import Any

from pydantic import model_validator

from engine.store.versioned import Number, Result, Versioned

RANKING_FILE = "ranking.json"


class RankedSnapshot(Result):
    """One snapshot with its KID against the validation images and the 95 % interval of that."""

    snapshot: str
    """Name of the file."""
    kimg: float
    kid: Number
    low: Number
    """Of the 95 % interval of this KID alone; for a difference see `behind`."""
    high: Number
    behind: Number = math.nan
    """Its KID minus that of the best, on the same real images and seeds; nan in rankings of before there was a test."""
    behind_low: Number = math.nan
    """Of the 95 % interval of `behind`, which holds for all pairs of snapshots together."""
    behind_high: Number = math.nan
    behind_p: Number = math.nan
    """Two-sided p of no difference to the best, corrected for all pairs."""

    @property
    def worse(self) -> bool:
        """Whether it is shown to be worse than the best."""
        return self.behind_low > 0


class Ranking(Versioned):
    """The content of `ranking.json`."""

    snapshots: tuple[RankedSnapshot, ...]
    """Oldest first."""

    @model_validator(mode="before")
    @classmethod
    def _list_alone(cls, values: Any) -> Any:
        """Files from before there were versions hold the list of snapshots alone."""
        return {"snapshots": values} if isinstance(values, list) else values

    @property
    def best(self) -> RankedSnapshot:
        """The snapshot with the lowest KID."""
        return min(self.snapshots, key=lambda row: row.kid)

    @property
    def last(self) -> RankedSnapshot:
        """The newest snapshot."""
        return max(self.snapshots, key=lambda row: row.kimg)

    @property
    def tested(self) -> bool:
        """Whether snapshots were compared by a paired test; not so in rankings of earlier versions."""
        return len(self.snapshots) < 2 or any(math.isfinite(row.behind) for row in self.snapshots)

    @property
    def clear(self) -> bool:
        """Whether the best is shown to be better than the last."""
        return self.last.worse

    def alike(self, row: RankedSnapshot, margin: float | None) -> bool:
        """Whether the KID of a snapshot is shown to be within a margin, set beforehand, of that of the best."""
        return margin is not None and -margin < row.behind_low and row.behind_high < margin


def sentence_of(ranking: Ranking, margin: float | None = None) -> str:
    """What a ranking says of the snapshot with the lowest KID, of the last one, and of the others.

    A difference that is not shown is not called none: only a margin that was set beforehand allows that.
    """
    best, last = ranking.best, ranking.last
    told = f"{best.kid:.3g} ({best.low:.3g} to {best.high:.3g})"
    if len(ranking.snapshots) == 1:
        return f"The only snapshot, of {best.kimg:g} kimg, has a KID of {told}."
    if best.snapshot == last.snapshot:
        return f"The last snapshot, of {best.kimg:g} kimg, has the lowest KID, {told}. {_of_others(ranking)}"
    text = f"The snapshot of {best.kimg:g} kimg has the lowest KID, {told}. "
    if not ranking.tested:
        return text + (
            f"Whether it is better than the last one, of {last.kimg:g} kimg, was not tested: this ranking is of an "
            "earlier version, and two intervals side by side do not tell. Rank the snapshots again."
        )
    behind = f"The last one, of {last.kimg:g} kimg, has {last.behind:.3g} more"
    if not math.isfinite(last.behind_low):
        return f"{text}{behind}; with so few images it cannot be tested whether that is luck."
    behind += f" (95 % interval {last.behind_low:.3g} to {last.behind_high:.3g}, p {_p(last.behind_p)})"
    if ranking.alike(last, margin):
        harmless = f"within the margin of {margin:g} that was set beforehand: no relevant difference."
        return f"{text}{behind}, {harmless} {_of_others(ranking)}"
    if ranking.clear:
        return f"{text}{behind}: the one with the lowest KID is better than the last, and worth exporting."
    return (
        f"{text}{behind}: the two are not told apart, which does not show that they are equally good. "
        f"{_of_others(ranking)}"
    )


def difference_of(row: RankedSnapshot) -> str:
    """Its difference to the lowest KID with the interval; a dash where there is none."""
    if not math.isfinite(row.behind):
        return "–"
    interval = f" ({row.behind_low:.4f} to {row.behind_high:.4f})" if math.isfinite(row.behind_low) else ""
    return f"{row.behind:.4f}{interval}"


def remark(ranking: Ranking, row: RankedSnapshot, margin: float | None = None) -> str:
    """How a snapshot stands to the best, in a word or two."""
    if row.snapshot == ranking.best.snapshot:
        return "lowest KID"
    if not math.isfinite(row.behind_low):
        return "not tested"
    if ranking.alike(row, margin):
        return "no relevant difference"
    return "worse" if row.worse else "not told apart"


def _of_others(ranking: Ranking) -> str:
    """How many are shown to be worse than the best."""
    if not ranking.tested:
        return "Whether it is better than any other was not tested by this ranking, which is of an earlier version."
    others = [row for row in ranking.snapshots if row.snapshot != ranking.best.snapshot]
    worse = sum(row.worse for row in others)
    if worse == len(others):
        return "All others are shown to be worse." if worse > 1 else "The other one is shown to be worse."
    return f"Of {len(others)} other{'s' * (len(others) > 1)}, {worse or 'none'} {_is(worse)} shown to be worse."


def _is(count: int) -> str:
    return "are" if count > 1 else "is"


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
