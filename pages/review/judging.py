"""A pool in front of a reviewer: its pictures, what was decided, and what a quality check found."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import pandas as pd

from engine.datasets.manifest import is_usable, left_out
from engine.report.style import FLAGS
from engine.review.decisions import REJECT, decisions
from engine.sampling.pools import Pool
from engine.store.parquet import read_parquet
from engine.store.runs import Run, State, list_runs
from pages.components.files import stamp
from pages.components.home import home
from pages.components.pools import open_pool, training_folder
from pages.components.reviewer import reviewer
from pages.components.run_summary import config_of, state_of

MINE, REJECTED, FLAGGED, OUT, ALL = "Undecided", "Rejected", "Flagged", "Out of the pool", "All"


@dataclass(frozen=True)
class Neighbours:
    """What a quality run knows of a pool's images; indexed by path."""

    table: pd.DataFrame
    """As the quality run wrote it: neighbour, flag, twin, …"""
    folder: Path | None
    """Where the neighbours lie; None when the data set is not the same any more."""


@dataclass(frozen=True)
class Judging:
    """A pool as it stands at this moment, and who looks at it."""

    pool: Pool
    table: pd.DataFrame
    """See `decisions`."""
    beside: Neighbours | None
    who: str

    @cached_property
    def own(self) -> pd.DataFrame:
        """This reviewer's decisions by path; asked once for each of a pool's pictures."""
        return self.table[self.table["reviewer"] == self.who].set_index("path")

    @property
    def filters(self) -> list[str]:
        return [MINE, REJECTED, *([FLAGGED] if self.beside is not None else []), OUT, ALL]

    def chosen(self, wanted: str, class_name: str) -> list[str]:
        """The paths that a filter lets through, in the pool's order; flagged ones the worst first."""
        manifest = self.pool.manifest
        rows = manifest if class_name == "" else manifest[manifest["class"] == class_name]
        if wanted == MINE:
            rows = rows[is_usable(rows) & ~rows["path"].isin(self.own.index)]
        elif wanted == REJECTED:
            rows = rows[rows["path"].isin(self.table.loc[self.table["decision"] == REJECT, "path"])]
        elif wanted == FLAGGED and self.beside is not None:
            worst = {flag: -place for place, flag in enumerate(FLAGS)}
            order = rows["path"].map(self.beside.table["flag"]).map(worst)
            rows = rows.assign(order=order)[order < 0].sort_values("order", kind="stable")
        elif wanted == OUT:
            rows = left_out(rows)
        return rows["path"].tolist()


def judging(run: Run) -> Judging:
    """Everything about a pool that its review needs."""
    pool = open_pool(run)
    return Judging(pool, decisions(home(), run.id), _neighbours(pool), reviewer())


def _neighbours(pool: Pool) -> Neighbours | None:
    """What the newest finished quality run of a pool says."""
    for run in list_runs(home(), "quality"):
        path = run.path / "neighbours.parquet"
        if config_of(run)["pool"] == pool.run.id and state_of(run) is State.FINISHED and path.is_file():
            return Neighbours(_table(*stamp(path)), training_folder(run))
    return None


@lru_cache(4)
def _table(path: Path, written: float, size: int) -> pd.DataFrame:
    return read_parquet(path).set_index("path")
