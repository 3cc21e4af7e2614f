"""SQLite index of the runs: quick lists of hundreds of them, and the order of the queue.

The folders are the truth. The index is brought into line with them whenever it is read, made again when its file was
deleted or damaged, and done without when it cannot be written or must not (a public demo: SQLite writes even to read).
Connections last for one operation, so that every process notices a new file at once.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    MetaData,
    String,
    Table,
    func,
    select,
)
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from engine.store import databases, disk
from engine.store.damage import CONFIG_FILE, STATUS_FILE, read_config
from engine.store.deleting import listed
from engine.store.errors import ErsatzError
from engine.store.files import read_json
from engine.store.hashing import sha256_value
from engine.store.home import NAME_PATTERN, Home
from engine.store.locks import FileLock
from engine.store.read_only import read_only, refuse_writing

HERE = "here"
"""The place of a run that this machine does; others wait elsewhere, and not in the queue."""
SCHEMA_VERSION = 1
BUSY_SECONDS = 10.0

UNUSABLE = (SQLAlchemyError, ErsatzError, OSError)
"""What opening the index, or its lock, raises where it can be neither read nor made."""

_metadata = MetaData()
_runs = Table(
    "runs",
    _metadata,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("label", String, nullable=False),
    Column("dataset", String, nullable=False),
    Column("created", Float, nullable=False),
    Column("config_digest", String, nullable=False, index=True),
    Column("position", Float),
)

T = TypeVar("T")


class Entry(NamedTuple):
    """What the index knows of a run; `position` orders the queue and is None outside it."""

    id: str
    kind: str
    label: str
    dataset: str
    created: float
    config_digest: str
    position: float | None


def entries(home: Home) -> list[Entry]:
    """All runs of the home, newest first."""
    if read_only():
        read = [_read_folder(home, run_id) for run_id in _run_folders(home)]
        return _newest_first([entry for entry in read if entry])
    try:
        known = {row.id: Entry(*row) for row in _on_index(home, lambda index: index.execute(select(_runs)).all())}
    except UNUSABLE:  # the disk is full or must not be written, say: the folders hold the same, only slower to read
        known = {}
    # The folders are read after the rows, so that a row without a folder was deleted and is not just being made.
    folders = _run_folders(home)
    gone = known.keys() - folders
    found = [entry for run_id in folders - known.keys() if (entry := _read_folder(home, run_id))]
    if gone or found:
        with suppress(*UNUSABLE):
            _on_index(home, lambda index: _bring_into_line(index, gone, found))
    return _newest_first([entry for run_id, entry in known.items() if run_id in folders] + found)


def queue(home: Home) -> list[str]:
    """Ids of the runs that were put into the queue and have not left it, first one first.

    A run whose supervisor was killed is still in it: ask the run's lock.
    """
    if not home.runs.is_dir():  # reading makes no file
        return []
    if not read_only():
        with suppress(*UNUSABLE):  # a full disk, say: as in `entries`
            # The rows alone, without a look at the folders of all runs: who enters the queue is in the index.
            in_order = select(_runs.c.id).where(_runs.c.position.is_not(None)).order_by(_runs.c.position, _runs.c.id)
            return list(_on_index(home, lambda index: index.execute(in_order).scalars().all()))
    waiting = [entry for entry in entries(home) if entry.position is not None]
    return [entry.id for entry in sorted(waiting, key=lambda entry: (entry.position, entry.id))]


def enqueue(home: Home, run_id: str) -> None:
    """Put a run at the end of the queue: behind the last one there, whatever a clock says."""
    entries(home)  # indexes its folder
    refuse_writing(home.database)
    last = select(func.coalesce(func.max(_runs.c.position), 0.0) + 1).scalar_subquery()

    def write(index: Connection) -> None:
        index.execute(_runs.update().where(_runs.c.id == run_id).values(position=last))

    with suppress(*UNUSABLE):
        _on_index(home, write)


def leave_queue(home: Home, run_id: str) -> None:
    """Take a run out of the queue, because it starts or will not start."""
    _set_positions(home, {run_id: None})


def reorder(home: Home, run_ids: Sequence[str]) -> None:
    """Give these queued runs this order, in the places that they have now among the others."""
    positions = sorted(
        entry.position for entry in entries(home) if entry.id in set(run_ids) and entry.position is not None
    )
    _set_positions(home, dict(zip(run_ids, positions, strict=False)))


def reindex(home: Home) -> list[Entry]:
    """Make the index again from the folders; queued runs are then ordered by their age."""
    with FileLock(home.locks / "index"):
        _build(home)
    return entries(home)


def differences(home: Home) -> str:
    """What the index has that the folders do not, or the reverse, as a clause; empty when they agree or there is none.

    Their place in the queue is known to the index alone, and left as it is.
    """
    if not home.database.exists():
        return ""
    try:
        with _engine(home).connect() as connection:
            known = {row.id: Entry(*row)._replace(position=None) for row in connection.execute(select(_runs)).all()}
            damaged = connection.exec_driver_sql("PRAGMA integrity_check").scalar() != "ok"
    except UNUSABLE as error:
        return f"cannot be read ({getattr(error, 'orig', None) or error})"
    if damaged:
        return "is damaged"
    read = (_read_folder(home, run_id) for run_id in _run_folders(home))
    there = {entry.id: entry._replace(position=None) for entry in read if entry}
    folders = _run_folders(home)
    gone = len(known.keys() - folders)
    other = sum(run_id in known and known[run_id] != entry for run_id, entry in there.items())
    parts = [f"has {gone} that are gone"] * bool(gone) + [f"says something else of {other} runs"] * bool(other)
    return " and ".join(parts)


def _newest_first(listed: list[Entry]) -> list[Entry]:
    return sorted(listed, key=lambda entry: (entry.created, entry.id), reverse=True)


def _set_positions(home: Home, positions: dict[str, float | None]) -> None:
    refuse_writing(home.database)

    def write(index: Connection) -> None:
        for run_id, position in positions.items():
            index.execute(_runs.update().where(_runs.c.id == run_id).values(position=position))

    # Without the index (a full disk) the queue still works, ordered by age.
    with suppress(*UNUSABLE):
        _on_index(home, write)


def _bring_into_line(index: Connection, gone: set[str], found: list[Entry]) -> None:
    index.execute(_runs.delete().where(_runs.c.id.in_(gone)))
    for entry in found:  # another process may have found it too
        index.execute(insert(_runs).values(entry._asdict()).on_conflict_do_nothing())


def _run_folders(home: Home) -> set[str]:
    runs, names = str(home.runs), [path.name for path in listed(home.runs)]
    return {name for name in names if NAME_PATTERN.fullmatch(name) and _has_config(f"{runs}/{name}")}


def _has_config(folder: str) -> bool:
    """No Path is made: there may be thousands."""
    return os.path.isfile(f"{folder}/{CONFIG_FILE}")  # noqa: PTH113  (False where it must not be looked into)


def _read_folder(home: Home, run_id: str) -> Entry | None:
    """The entry of a run, read from its folder; None when that was deleted or damaged meanwhile."""
    folder = home.run(run_id)
    try:
        config = read_config(folder)
        status = read_json(folder / STATUS_FILE)
        queued = status["state"] == "queued" and status.get("place", HERE) == HERE
        entry = Entry(
            id=run_id,
            kind=config["kind"],
            label=status.get("label", ""),
            dataset=config.get("dataset") or (config["name"] if config["kind"] == "import" else ""),
            created=float(status["created"]),
            config_digest=sha256_value(config),
            position=float(status["created"]) if queued else None,
        )
    except (ErsatzError, ValueError, KeyError, AttributeError, TypeError, OverflowError, RecursionError):
        return None
    return entry if isinstance(entry.label, str) and isinstance(entry.dataset, str) else None


def _on_index(home: Home, operation: Callable[[Connection], T]) -> T:
    """`operation` in one transaction, on an index made again first if its file is missing or damaged."""
    engine = _engine(home)
    try:
        if _is_current(engine, home.database):
            with engine.begin() as index:
                return operation(index)
    except DatabaseError as error:
        if not _is_damage(error):
            raise
    with FileLock(home.locks / "index"):
        if not _is_whole(engine, home.database):  # else another process has just made it
            _build(home)
    with engine.begin() as index:
        return operation(index)


def _is_current(engine: Engine, database: Path) -> bool:
    if not database.exists():
        return False
    with engine.connect() as index:
        return index.exec_driver_sql("PRAGMA user_version").scalar() == SCHEMA_VERSION


def _is_whole(engine: Engine, database: Path) -> bool:
    try:
        if not _is_current(engine, database):
            return False
        with engine.connect() as index:
            return index.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    except DatabaseError as error:
        if not _is_damage(error):
            raise
        return False


def _is_damage(error: DatabaseError) -> bool:
    return getattr(error.orig, "sqlite_errorcode", None) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _build(home: Home) -> None:
    """Make the file anew; the caller holds the lock of the index."""
    for suffix in databases.SIDE_FILES:
        disk.remove(home.database.with_name(home.database.name + suffix))
    engine = _engine(home)
    with engine.connect() as index:
        index.exec_driver_sql(f"PRAGMA journal_mode={databases.journal_mode(home)}")
    found = [entry for run_id in _run_folders(home) if (entry := _read_folder(home, run_id))]
    with engine.begin() as index:
        _metadata.create_all(index)
        _bring_into_line(index, set(), found)
    with engine.connect() as index:  # last, since it says that the index is complete
        index.exec_driver_sql(f"PRAGMA user_version={SCHEMA_VERSION}")


def _engine(home: Home) -> Engine:
    return databases.engine_of(home, home.database, BUSY_SECONDS)
