"""From locks of the operating system to leases, for a home that is to be shared by several machines."""

from __future__ import annotations

import sqlite3
import time
from contextlib import suppress
from pathlib import Path

from engine.store import databases
from engine.store.deleting import listed
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.lock_way import LOCKS, MARKER_FILE, forget_leases, remember_leases, way_of
from engine.store.locks import FileLock, is_held_by_system
from engine.store.read_only import refuse_writing

PATIENCE_SECONDS = 5.0
"""For locks that are held for a moment only."""


def switch_to_leases(home: Home, why: str) -> None:
    """Let the home have leases from now on, for all its processes; `why` is a clause that `doctor` repeats.

    Nothing is changed, with an `ErsatzError`, while a run is alive or something else of the home is being written:
    its lock would say nothing to those who look for a lease.
    """
    refuse_writing(home.root)
    way = way_of(home.root, at_once=True)
    if way.leases:
        remember_leases(home.root, way.why)
        return
    if way.why.startswith(LOCKS):
        raise ErsatzError(f"{way.why}, but this home is to have leases; unset {LOCKS} for all its processes.")
    starting = FileLock(home.locks / "submit")
    if not starting.acquire(PATIENCE_SECONDS):
        raise ErsatzError("Runs are being started or deleted right now; a quiet moment is expected. Try again.")
    try:
        _refuse_living(home)
        # Who takes a lock looks for the marker afterwards and takes a lease instead: from here on no lock is new.
        remember_leases(home.root, why)
        try:
            _wait_until_free(home, starting.path)
        except ErsatzError:
            forget_leases(home.root)
            raise
        for path in databases.databases_of(home):
            with FileLock(databases.lease_of(home, path)), suppress(sqlite3.Error):  # else its next opening does it
                if databases.in_wal_mode(path):
                    databases.leave_wal(path, PATIENCE_SECONDS, others=True)
    finally:
        starting.release()


def _refuse_living(home: Home) -> None:
    alive = [path.parent.name for path in _run_locks(home) if is_held_by_system(path)]
    if alive:
        runs = "1 run is" if len(alive) == 1 else f"{len(alive)} runs are"
        raise ErsatzError(
            f"{runs} alive in this home ({alive[0]}), which lock it in the way of a single machine; a home where "
            "nothing runs is expected. Stop them or wait for their end, and try again."
        )


def _wait_until_free(home: Home, own: Path) -> None:
    """Until every lock of the operating system is free but the caller's `own`."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    others = [path for path in listed(home.locks) if path.is_file() and path not in (own, home.locks / MARKER_FILE)]
    for path in [*_run_locks(home), *others]:
        while is_held_by_system(path):
            if time.monotonic() > deadline:
                raise ErsatzError(
                    f"Something of this home is being written just now ({path} is locked); a home at rest is expected. "
                    "Wait until that has ended, and try again."
                )
            time.sleep(0.05)


def _run_locks(home: Home) -> list[Path]:
    return [path / "lock" for path in listed(home.runs) if path.is_dir()]
