"""Where everything of a sweep stands along x: one slot a share, in order and equally far apart, and none of them empty.

Shares of 5, 25 and 400 % are as far apart as 25, 50 and 75 %: what is compared is neighbours. The arm real+classical
has no share and so a slot of its own, left of the real images alone; the mean over the shares has one right of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.report.tables import show_share
from engine.sweep.arms import has_ratios

ROOM = 0.72
"""What the arms at one share take together at most, of the gap between two slots."""
WIDEST = 0.26
"""What one arm takes at most: its mean, and the trials behind it."""
CLASSICAL_AT = -1.15


@dataclass(frozen=True)
class SweepAxis:
    """The slots of some arms."""

    shares: tuple[float, ...]
    """Of synthetic images, above 0."""
    side_by_side: tuple[str, ...]
    """The arms that stand at each share."""
    classical: bool
    """Whether there is the slot of classical augmentation."""

    @classmethod
    def of(cls, arms: Sequence[str], shares: Sequence[float]) -> SweepAxis:
        """Of the arms and shares that are shown."""
        return cls(
            tuple(sorted({share for share in shares if share > 0})),
            tuple(arm for arm in arms if has_ratios(arm)),
            "real+classical" in arms,
        )

    @property
    def width(self) -> float:
        """Of one arm."""
        return min(WIDEST, ROOM / max(1, len(self.side_by_side)))

    def place(self, arm: str, share: float) -> float:
        """Where the mean of an arm at a share stands; the group of a share is centred on its tick."""
        if arm == "real+classical":
            return CLASSICAL_AT
        if arm not in self.side_by_side:
            return 0.0
        aside = self.side_by_side.index(arm) - (len(self.side_by_side) - 1) / 2
        return self.slot(share) + aside * self.width

    def slot(self, share: float) -> float:
        """The tick of a share; of the mean over the shares (not a number) that of its slot."""
        return float(self.shares.index(share) + 1) if share in self.shares else self.mean_slot

    @property
    def mean_slot(self) -> float:
        """Right of all shares."""
        return len(self.shares) + 1.0

    def ticks(self, mean: bool) -> dict[float, str]:
        """Places and names of the slots; `mean`: of the mean over the shares too."""
        names = {CLASSICAL_AT: "classical<br>aug."} if self.classical else {}
        names |= {0.0: "0<br>real"}
        names |= {self.slot(share): show_share(share).removesuffix(" %") for share in self.shares}
        return names | ({self.mean_slot: "mean"} if mean else {})

    @property
    def range(self) -> list[float]:
        """From the left of the first slot to the right of that of the mean, where the names of the lines stand."""
        return [(CLASSICAL_AT if self.classical else 0.0) - 0.55, self.mean_slot + 0.5]
