"""Which way a home locks: by locks of the operating system, or by leases, which need nothing but names of files.

Locks of the operating system tell at once who is alive, but not every file system over a network has them, and where
they are missing or silent two machines would both believe that they are alone. All processes of a home must decide
alike, so what was found out once is remembered in `<home>/locks/leases`; the file server itself sees a local disk.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from engine.store import disk
from engine.store.errors import ErsatzError
from engine.store.files import write_text
from engine.store.mounts import mount_of
from engine.store.read_only import read_only

LOCKS = "ERSATZ_LOCKS"
"""`files` or `leases`: tells the way, whatever was found out. For all processes of the home or for none."""
CLUSTER_FILE = "cluster.toml"
"""Of the home: it is used by the nodes of a cluster."""
MARKER_FILE = "leases"
"""In `<home>/locks`: the home has leases; its content says why."""
LOOK_SECONDS = 2.0
"""Between two looks at these files, where a look is not asked for at once."""
NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS})
"""What file systems say that cannot lock."""


@dataclass(frozen=True)
class Way:
    """How a home locks."""

    leases: bool
    why: str
    """A clause, such as "the home is on nfs4 (server:/export)"."""

    def __str__(self) -> str:
        if self.leases:
            return f"{self.why}: leases instead of file locks, no WAL"
        return f"{self.why}: locks of the operating system"


_seen: dict[Path, tuple[float, Way]] = {}


def home_of(lock: Path) -> Path:
    """The home of a lock: those lie in `<home>/locks`, or in the folder of a run."""
    if lock.parent.name == "locks":
        return lock.parents[1]
    return lock.parents[2] if lock.parents[1].name == "runs" else lock.parent


def way_of(root: Path, at_once: bool = False) -> Way:
    """The way of the home at `root`; nothing is written. A change is noticed within seconds, or `at_once`."""
    now = time.monotonic()
    seen = _seen.get(root)
    if not at_once and seen and now - seen[0] < LOOK_SECONDS:
        return seen[1]
    way = _told() or _remembered(root) or _found(root)
    _seen[root] = (now, way)
    return way


def has_leases(root: Path) -> bool:
    """Whether it is written down that the home has leases, whatever this process was told."""
    return _remembered(root) is not None


def remember_leases(root: Path, why: str) -> None:
    """Write down that this home has leases, for all processes and machines, unless that is known."""
    marker = root / "locks" / MARKER_FILE
    if not marker.exists() and not read_only():
        write_text(marker, f"{why}\n")
    _seen.pop(root, None)


def forget_leases(root: Path) -> None:
    """Take back `remember_leases`."""
    disk.remove(root / "locks" / MARKER_FILE)
    _seen.pop(root, None)


def _told() -> Way | None:
    told = os.environ.get(LOCKS, "")
    if told not in ("", "files", "leases"):
        raise ErsatzError(f"{LOCKS} is {told!r}; files or leases is expected, or nothing. Correct it or unset it.")
    return Way(told == "leases", f"{LOCKS} says {told}") if told else None


def _remembered(root: Path) -> Way | None:
    marker = root / "locks" / MARKER_FILE
    if os.path.lexists(marker):  # two calls of the system: this is asked at every lock
        try:
            why = marker.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            why = ""
        return Way(True, why or f"locks/{MARKER_FILE} says so")
    if os.path.lexists(root / CLUSTER_FILE):
        return Way(True, f"the home belongs to a cluster ({CLUSTER_FILE})")
    return None


def _found(root: Path) -> Way:
    if not root.is_dir():  # what is to be made there is looked at again once it is
        return _of_file_system(root)
    return _of_file_system_once(root)


@cache
def _of_file_system_once(root: Path) -> Way:
    return _of_file_system(root)


def _of_file_system(root: Path) -> Way:
    mount = mount_of(root)
    if mount and mount.is_network:
        return Way(True, f"the home is on {mount}")
    if refusal := _refusal(root):
        return Way(True, f"the file system of the home cannot lock files ({refusal})")
    return Way(False, f"the home is on {mount.type}" if mount else "the home is on a local disk")


def _refusal(root: Path) -> str:
    """What the file system says when it is asked for locks of both kinds on the folder itself; empty if it has them.

    A folder that must not be read, or a system that locks files alone, proves nothing.
    """
    if sys.platform == "win32":
        return ""
    import fcntl

    try:
        descriptor = os.open(root, os.O_RDONLY)
    except OSError:
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # the locks of this program
        fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # the locks of SQLite
    except OSError as error:
        return os.strerror(error.errno) if error.errno in NO_LOCKS else ""
    finally:
        os.close(descriptor)
    return ""
