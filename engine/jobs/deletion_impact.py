"""What deleting a run would mean, said before it is done."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.jobs.kinds import kind_shown
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import Run, each, list_runs


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
    texts = [kind_shown(name).deletion_impact for name in dict.fromkeys(map(_kind, runs))]
    return DeletionImpact(
        size=sum(size_of(run.path) for run in runs),
        users=users_of(home, runs),
        lost=[of_kind.lost for of_kind in texts if of_kind.lost],
        stays=[of_kind.stays for of_kind in texts if of_kind.stays],
    )


def users_of(home: Home, runs: Collection[Run]) -> list[Run]:
    """Runs outside of `runs` whose settings name one of them, newest first."""
    ids = {run.id for run in runs}
    others = each((other for other in list_runs(home) if other.id not in ids), Run.config)
    return [other for other, settings in others if any(run_id in str(settings) for run_id in ids)]


def size_of(path: Path) -> int:
    """Bytes of the files below `path`, but for what goes or must not be looked into meanwhile."""
    size = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):
                size += (Path(folder) / name).lstat().st_size
    return size


def _kind(run: Run) -> str:
    """The kind of a run; empty where its folder is too damaged to tell."""
    try:
        return run.kind
    except ErsatzError:
        return ""
