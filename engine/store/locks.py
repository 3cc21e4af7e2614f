"""Locks of the operating system on files: held as long as a process that has the file open lives."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import IO

import portalocker


class FileLock:
    """An exclusive lock on a file; freed by the operating system when its last holder ends, however it ends."""

    def __init__(self, path: Path):
        self.path = path
        self._file: IO[str] | None = None

    def acquire(self, timeout: float = 0.0) -> bool:
        """Take the lock, waiting up to `timeout` seconds; False when another process holds it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("a+")
        deadline = time.monotonic() + timeout
        while True:
            try:
                portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
            except (portalocker.LockException, portalocker.AlreadyLocked):
                if time.monotonic() >= deadline:
                    file.close()
                    return False
                time.sleep(0.05)
            else:
                self._file = file
                return True

    def share_with_children(self) -> int:
        """Let a child process inherit the lock (POSIX); returns the descriptor for `Popen(pass_fds=...)`."""
        assert self._file is not None, "acquire() first"
        os.set_inheritable(self._file.fileno(), True)
        return self._file.fileno()

    def release(self) -> None:
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
    except (portalocker.LockException, portalocker.AlreadyLocked):
        return True
    except FileNotFoundError:
        return False
    return False
