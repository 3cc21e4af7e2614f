"""The snapshots of a training beside each other, as a ranking's run folder keeps them; read without torch."""

from __future__ import annotations

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
    high: Number


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
