"""Locks: held as long as a process that holds them lives.

They are locks of the operating system on files, or leases where the home is on a network file system or shared by a
cluster (`engine.store.lock_way` tells which, `engine.store.leases` is the other one). Who uses them sees no difference,
but that a process inherits the one as an open file and joins the other by its token.
"""

from __future__ import annotations

import json
import os
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import portalocker

from engine.store import disk, leases
from engine.store.errors import ErsatzError
from engine.store.files import disk_errors
from engine.store.lock_way import LOCKS, NO_LOCKS, home_of, remember_leases, way_of

LEASE = "lease:"
"""Before the token in the key of a lease; a lock of the operating system has the number of a descriptor as its key."""
INHERITED = "ERSATZ_INHERITED_LEASES"
"""In the environment of a child: the leases that it joins, as JSON, path and key."""
LONGEST_PAUSE = 0.5
"""Seconds between two looks at a lease that another holds; each asks the server."""


class FileLock:
    """An exclusive lock on a file; freed when its last holder ends, however it ends."""

    def __init__(self, path: Path):
        self.path = path
        self._file: IO[str] | None = None
        self._lease: leases.Lease | None = None

    def acquire(self, timeout: float = 0.0) -> bool:
        """Take the lock, waiting up to `timeout` seconds; False when another process holds it.

        `is_held` takes a shared lock for a moment, so that a timeout of 0 may fail although no process holds the lock.
        """
        root = home_of(self.path)
        deadline = time.monotonic() + timeout
        with disk_errors(self.path):
            disk.make_folder(self.path.parent)
            if way_of(root).leases:
                return self._acquire_lease(deadline)
            with disk.passing("lock", self.path):
                file = self.path.open("a+")
        while True:
            try:
                portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
            except portalocker.AlreadyLocked:
                if time.monotonic() >= deadline:
                    file.close()
                    return False
                time.sleep(0.05)
            except portalocker.LockException as error:
                file.close()
                if not (refusal := _refusal(error)):
                    raise _no_locks(self.path) from error
                with disk_errors(self.path):
                    remember_leases(root, f"the file system of the home cannot lock files ({refusal})")
                    return self._acquire_lease(deadline)
            else:
                if way_of(root, at_once=True).leases:  # since a moment ago (`switch_to_leases`)
                    file.close()
                    with disk_errors(self.path):
                        return self._acquire_lease(deadline)
                self._file = file
                return True

    def _acquire_lease(self, deadline: float) -> bool:
        root = home_of(self.path)
        remember_leases(root, way_of(root).why)
        pause = 0.02
        while (lease := leases.take(self.path)) is None:
            if time.monotonic() >= deadline:
                return False
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        self._hold(lease)
        return True

    def _hold(self, lease: leases.Lease) -> None:
        self._lease = lease
        # A lock that nobody has any more is free, at the latest at the exit
        self._last = weakref.finalize(self, lease.release)

    @staticmethod
    def adopt(path: Path, key: str) -> FileLock:
        """The lock with this `key` that the parent of this process holds: inherited, locked already, or joined here.

        Raises `LeaseLost` when the parent was taken for dead meanwhile.
        """
        lock = FileLock(path)
        if key.startswith(LEASE):
            lock._hold(leases.join(path, key.removeprefix(LEASE)))
        else:
            lock._file = os.fdopen(int(key), "a+")
        return lock

    @property
    def is_lease(self) -> bool:
        """Whether this process holds it as a lease."""
        return self._lease is not None

    @property
    def lost(self) -> bool:
        """Whether others took this process for dead and the lock is theirs; of leases alone, at the next heartbeat."""
        return self._lease is not None and self._lease.lost

    @property
    def key(self) -> str:
        """What a child adopts it by."""
        return f"{LEASE}{self._lease.token}" if self._lease else str(self.descriptor)

    @property
    def descriptor(self) -> int:
        """For `Popen(pass_fds=...)`: the child then holds the lock too, until the last of them ends (POSIX)."""
        if self._file is None:
            raise ValueError(f"{self.path} is not locked by this process with a file")
        return self._file.fileno()

    def release(self) -> None:
        """Let go of it; children that inherited it hold on."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._lease is not None:
            self._lease.release()
            self._lease = None

    def __enter__(self) -> FileLock:
        self.acquire(timeout=float("inf"))
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def is_held(path: Path) -> bool:
    """Whether some process holds the exclusive lock on `path` (probed with a shared lock, or a look at the lease)."""
    if way_of(home_of(path)).leases:
        return leases.is_leased(path)
    try:
        return is_held_by_system(path)
    except portalocker.LockException as error:
        if not _refusal(error):
            raise _no_locks(path) from error
        return leases.is_leased(path)


def is_held_by_system(path: Path) -> bool:
    """Whether some process has the operating system's lock on `path`, whichever way its home locks."""
    if not path.exists():
        return False
    try:
        with path.open("r") as file:
            portalocker.lock(file, portalocker.LockFlags.SHARED | portalocker.LockFlags.NON_BLOCKING)
    except portalocker.AlreadyLocked:
        return True
    except FileNotFoundError:
        return False
    return False


def inheritance(locks: Sequence[FileLock]) -> tuple[tuple[int, ...], dict[str, str]]:
    """What a child needs to hold these locks too: descriptors for `pass_fds`, and its environment.

    A child that is to hold leases calls `hold_inherited`.
    """
    joined = {str(lock.path): lock.key for lock in locks if lock.is_lease}
    descriptors = tuple(lock.descriptor for lock in locks if not lock.is_lease)
    return descriptors, {INHERITED: json.dumps(joined)} if joined else {}


def hold_inherited() -> list[FileLock]:
    """Join the leases that the parent of this process handed on; they are held as long as the list is kept.

    They are held until this process is gone, not only until it begins to leave: as an inherited file is. Its parent
    clears up after it, and without a parent it is found dead.
    """
    locks = [FileLock.adopt(Path(path), key) for path, key in json.loads(os.environ.pop(INHERITED, "{}")).items()]
    for lock in locks:
        lock._last.atexit = False
    return locks


def _refusal(error: portalocker.LockException) -> str:
    """What a file system said that has no locks, so that leases are to be used; empty: it has some, and this failed."""
    refusal = error.__cause__ or next(iter(error.args), None)
    if not isinstance(refusal, OSError) or refusal.errno not in NO_LOCKS or os.environ.get(LOCKS) == "files":
        return ""
    return os.strerror(refusal.errno)


def _no_locks(path: Path) -> ErsatzError:
    return ErsatzError(
        f"The file system of {path.parent} cannot lock files; Ersatz needs that to know which runs are alive. "
        f"Set {LOCKS}=leases for all processes of the home, or move it to a local disk with ERSATZ_HOME."
    )
