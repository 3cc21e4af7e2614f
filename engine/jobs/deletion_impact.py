"""What deleting a run would mean, said before it is done."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from engine.jobs.kinds import kind_shown
from engine.store.home import Home
from engine.store.runs import Run, list_runs


@dataclass(frozen=True)
class DeletionImpact:
    """What deleting some runs would mean."""

    size: int
    """Bytes that become free."""
    users: list[Run]
    """Other runs that name them in their settings, newest first: these cannot be repeated afterwards."""
    lost: list[str]
    stays: list[str]


def deletion_impact(home: Home, runs: Collection[Run]) -> DeletionImpact:
    """What deleting `runs` would mean; `size` walks their folders."""
    texts = [kind_shown(name).deletion_impact for name in dict.fromkeys(run.kind for run in runs)]
    return DeletionImpact(
        size=sum(file.lstat().st_size for run in runs for file in run.path.rglob("*") if file.is_file()),
        users=users_of(home, runs),
        lost=[of_kind.lost for of_kind in texts if of_kind.lost],
        stays=[of_kind.stays for of_kind in texts if of_kind.stays],
    )


def users_of(home: Home, runs: Collection[Run]) -> list[Run]:
    """Runs outside of `runs` whose settings name one of them, newest first."""
    ids = {run.id for run in runs}
    return [other for other in list_runs(home) if other.id not in ids and _names(other, ids)]


def _names(run: Run, ids: Collection[str]) -> bool:
    settings = str(run.config())
    return any(run_id in settings for run_id in ids)
