"""Making the folder of a data set: one maker of a name at a time, and what killed makers have left is removed.

Who makes a data set holds the lock of its name, from before its first file until the folder has its name. A hidden
folder beside the data sets whose lock nobody holds is of a process that was killed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.store import disk
from engine.store.errors import ErsatzError
from engine.store.files import disk_errors, new_folder
from engine.store.home import Home
from engine.store.locks import FileLock

_HALF_MADE = re.compile(r"\.(?P<name>.+)\.[a-z0-9_]{8}")
"""What `files.new_folder` calls a folder that is being made."""
_HALF_DELETED = re.compile(r"\.(?P<name>.+)\.deleted")
_PATIENCE = 0.5
"""Seconds to wait for a lock that another process only looks at."""


@contextmanager
def making(home: Home, name: str) -> Iterator[None]:
    """Nobody else makes a data set of that name meanwhile; an `ErsatzError` when somebody does, or when it is there."""
    path = home.dataset(name)
    lock = FileLock(_making(home, name))
    if not lock.acquire(timeout=_PATIENCE):
        raise ErsatzError(
            f"A data set {name} is being made just now, by another import; a name that nothing else is making is "
            "expected. Wait until that has ended, or choose another name."
        )
    try:
        if path.exists():
            raise ErsatzError(
                f"There is a data set {name} already ({path}); a new name is expected. "
                "Choose another name, or delete that data set first."
            )
        clear_abandoned(home, own=name)
        yield
    finally:
        lock.release()


@contextmanager
def new_dataset(home: Home, name: str) -> Iterator[Path]:
    """A temporary folder that becomes the data set's on success and vanishes on failure, with the lock of `making`."""
    with making(home, name), new_folder(home.dataset(name)) as folder:
        yield folder


def clear_abandoned(home: Home, own: str = "") -> list[str]:
    """Remove the hidden folders of killed imports and deletions; the names of the data sets that they were for.

    `own`: the name whose lock of `making` the caller holds.
    """
    removed = []
    for path in sorted(home.datasets.glob(".*")):
        made, deleted = _HALF_MADE.fullmatch(path.name), _HALF_DELETED.fullmatch(path.name)
        if made and made["name"] == own:
            _remove(path)
            removed.append(own)
        elif found := made or deleted:
            name = found["name"]
            lock = FileLock(_making(home, name) if made else home.locks / f"dataset-{name}")
            if not lock.acquire():
                continue
            try:
                _remove(path)
                removed.append(name)
            finally:
                lock.release()
    return removed


def _making(home: Home, name: str) -> Path:
    return home.locks / f"making-{name}"


def _remove(path: Path) -> None:
    with disk_errors(path):
        disk.remove_tree(path) if path.is_dir() else disk.remove(path)
