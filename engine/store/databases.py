"""How the SQLite files of a home are opened: the index, the reviews, the caches of features.

On a local disk SQLite's own locks order the writers, and WAL lets readers read meanwhile. Neither works on network
file systems. So where the home has leases, a connection holds the lease of its file from its opening to its closing,
reading or writing, SQLite's own locks are off, and changes are rolled back from a journal beside the file. Connections
last for one operation for that reason.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing, suppress
from functools import cache
from pathlib import Path

from sqlalchemy import Engine, NullPool, create_engine

from engine.store import disk
from engine.store.home import Home
from engine.store.lock_way import way_of
from engine.store.locks import FileLock

SIDE_FILES = ("", "-wal", "-shm", "-journal")
"""A database is these files together; the last three come and go."""
WAL = b"\x02"
"""At bytes 18 and 19 of a file in WAL mode (https://www.sqlite.org/fileformat.html)."""


class _Leased(sqlite3.Connection):
    """A connection that has the lease of its file until it is closed."""

    lease: FileLock | None = None

    def close(self) -> None:
        super().close()
        if self.lease is not None:
            self.lease.release()


def connect(home: Home, path: Path, patience: float, untouched: bool = False) -> sqlite3.Connection:
    """A connection to a database of the home, which waits up to `patience` seconds for others.

    Where it must be `untouched` it is read as it is: SQLite otherwise makes side files even to read. Raises
    `sqlite3.OperationalError` when others have it for too long.
    """
    address = path.absolute().as_uri()
    if untouched:
        return sqlite3.connect(f"{address}?immutable=1", patience, uri=True)
    if not way_of(home.root, at_once=True).leases:
        return sqlite3.connect(address, patience, uri=True)
    lease = FileLock(lease_of(home, path))
    if not lease.acquire(patience):
        raise sqlite3.OperationalError(f"database is locked: others had it for {patience:.0f} seconds")
    try:
        if in_wal_mode(path):
            leave_wal(path)
        connection = sqlite3.connect(f"{address}?nolock=1", patience, uri=True, factory=_Leased)
    except BaseException:
        lease.release()
        raise
    connection.lease = lease
    return connection


def lease_of(home: Home, path: Path) -> Path:
    """The lock that a connection to a database has, where the home has leases."""
    return home.locks / f"sqlite-{path.stem}"


@cache
def engine_of(home: Home, path: Path, patience: float, untouched: bool = False) -> Engine:
    """An SQLAlchemy engine whose connections are those of `connect`, each for one operation."""
    return create_engine("sqlite://", creator=lambda: connect(home, path, patience, untouched), poolclass=NullPool)


def journal_mode(home: Home) -> str:
    """How a new database of the home keeps what it may have to roll back."""
    return "DELETE" if way_of(home.root).leases else "WAL"


def in_wal_mode(path: Path) -> bool:
    """Whether a database is in WAL mode, which only machines with memory in common can read at the same time."""
    try:
        with path.open("rb") as file:
            return WAL in file.read(20)[18:]
    except OSError:
        return False


def leave_wal(path: Path, patience: float = 0.0, others: bool = False) -> None:
    """Put a database that was made on a local disk into the mode for all file systems; nothing in it is lost.

    The caller holds its lease. `others` may have it open still, who know nothing of the lease but heed SQLite's locks.
    """
    # A database in WAL mode needs no shared memory when one connection has it for itself; `nolock` refuses WAL.
    without_locks = "" if others or sys.platform == "win32" else "?vfs=unix-none"
    with closing(sqlite3.connect(path.absolute().as_uri() + without_locks, patience, uri=True)) as database:
        if not others:
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA journal_mode = DELETE")
    if not in_wal_mode(path):
        with suppress(OSError):
            disk.remove(path.with_name(f"{path.name}-shm"))


def databases_of(home: Home) -> list[Path]:
    """All that there are now."""
    return [
        path for path in (home.database, home.root / "team.db", *home.cache.glob("features/*.sqlite")) if path.is_file()
    ]
