"""Locks of the operating system on files: held as long as a process that has the file open lives."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import IO

import portalocker

from engine.store import disk
from engine.store.errors import ErsatzError
from engine.store.files import disk_errors


class FileLock:
    """An exclusive lock on a file; freed by the operating system when its last holder ends, however it ends."""

    def __init__(self, path: Path):
        self.path = path
        self._file: IO[str] | None = None

    def acquire(self, timeout: float = 0.0) -> bool:
        """Take the lock, waiting up to `timeout` seconds; False when another process holds it.

        `is_held` takes a shared lock for a moment, so that a timeout of 0 may fail although no process holds the lock.
        """
        with disk_errors(self.path):
            disk.make_folder(self.path.parent)
            with disk.passing("lock", self.path):
                file = self.path.open("a+")
        deadline = time.monotonic() + timeout
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
                raise _no_locks(self.path) from error
            else:
                self._file = file
                return True

    @staticmethod
    def adopt(path: Path, descriptor: int) -> FileLock:
        """The lock that this process inherited, locked already, as `descriptor`."""
        lock = FileLock(path)
        lock._file = os.fdopen(descriptor, "a+")
        return lock

    @property
    def descriptor(self) -> int:
        """For `Popen(pass_fds=...)`: the child then holds the lock too, until the last of them ends (POSIX)."""
        if self._file is None:
            raise ValueError(f"{self.path} is not locked by this process")
        return self._file.fileno()

    def release(self) -> None:
        """Let go of it; children that inherited it hold on."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> FileLock:
        self.acquire(timeout=float("inf"))
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def is_held(path: Path) -> bool:
    """Whether some process holds the exclusive lock on `path` (probed with a shared lock)."""
    if not path.exists():
        return False
    try:
        with path.open("r") as file:
            portalocker.lock(file, portalocker.LockFlags.SHARED | portalocker.LockFlags.NON_BLOCKING)
    except portalocker.AlreadyLocked:
        return True
    except portalocker.LockException as error:
        raise _no_locks(path) from error
    except FileNotFoundError:
        return False
    return False


def _no_locks(path: Path) -> ErsatzError:
    return ErsatzError(
        f"The file system of {path.parent} cannot lock files; Ersatz needs that to know which runs are alive. "
        "Move the home to a local disk with ERSATZ_HOME."
    )
