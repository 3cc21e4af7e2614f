"""Reviews in one SQLite file of the home. Rows are only ever added, so nothing is lost.

<home>/team.db
    quizzes     a set of images, drawn once and the same for all reviewers
    answers     one a press: the first one of a reviewer on an image counts; with how sure the reviewer was, where asked
    decisions   accept, reject, or neither again: the last one of a reviewer on an image counts
    comments    one a version: the last one counts, an empty one says that the author took it back

Several processes and browsers write at once, and a writer waits for the one before it (`engine.store.databases`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Engine,
    Float,
    Integer,
    MetaData,
    Row,
    Select,
    String,
    Table,
    inspect,
)
from sqlalchemy.exc import SQLAlchemyError

from engine.store import databases, disk
from engine.store.about import plain_words
from engine.store.errors import ErsatzError
from engine.store.files import disk_errors
from engine.store.home import Home
from engine.store.locks import FileLock
from engine.store.read_only import read_only, refuse_writing

SCHEMA_VERSION = 2
"""In files of version 1 answers did not say how sure the reviewer was; they are read as they are, and the next answer
brings them up to date."""
BUSY_SECONDS = 30.0
LONGEST_NAME = 60
LONGEST_REASON = 200
NAME = re.compile(r"[\w .,@'+-]+")

_metadata = MetaData()


def _event(name: str, *columns: Column) -> Table:
    """A table of events: numbered in the order in which they were written, each with its time."""
    return Table(
        name,
        _metadata,
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("time", Float, nullable=False),
        *columns,
    )


def _text(name: str, index: bool = False) -> Column:
    return Column(name, String, nullable=False, index=index)


QUIZZES = _event("quizzes", _text("quiz", index=True), _text("author"), _text("content"))
ANSWERS = _event(
    "answers",
    _text("quiz", index=True),
    _text("reviewer"),
    Column("item", Integer, nullable=False),
    _text("answer"),
    Column("seconds", Float, nullable=False),
    Column("sure", Integer, nullable=False, server_default="0"),
)
DECISIONS = _event(
    "decisions", _text("pool", index=True), _text("path"), _text("reviewer"), _text("decision"), _text("reason")
)
COMMENTS = _event("comments", _text("comment", index=True), _text("run", index=True), _text("author"), _text("text"))


def database(home: Home) -> Path:
    """The file that holds it all."""
    return home.root / "team.db"


def add(home: Home, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Append events, all of them or none; they are on disk when this returns."""
    refuse_writing(database(home))
    _prepare(home)
    with _one_sentence(home), _open(home).begin() as connection:
        connection.execute(table.insert(), list(rows))


def read(home: Home, statement: Select) -> Sequence[Row]:
    """Rows of a query; none while there is no review. Reading makes no file."""
    if not database(home).is_file():
        return []
    with _one_sentence(home), _open(home).connect() as connection:
        return connection.execute(statement).all()


def checked_name(name: str) -> str:
    """A person's name with single spaces; an `ErsatzError` when it is empty, too long or no name."""
    name = " ".join(name.split())
    if len(name) > LONGEST_NAME or not NAME.fullmatch(name):
        raise ErsatzError(
            f"{name[:LONGEST_NAME]!r} is no name of a reviewer; 1 to {LONGEST_NAME} letters, digits, spaces or "
            "one of . , @ ' + _ - are expected, since answers are kept by name. Enter your name."
        )
    return name


def checked_reason(reason: str) -> str:
    """A reason in plain words on one line; an `ErsatzError` when it is too long."""
    reason = plain_words(reason.encode("utf-8", "replace").decode())
    if len(reason) > LONGEST_REASON:
        raise ErsatzError(f"The reason has {len(reason)} letters; at most {LONGEST_REASON} are expected. Shorten it.")
    return reason


def _prepare(home: Home) -> None:
    """Make the file before the first event; processes that come at the same moment wait for the first of them."""
    if version(home) == SCHEMA_VERSION:
        return
    with disk_errors(database(home)), FileLock(home.locks / "team"):
        disk.make_folder(home.root)
        if (found := version(home)) == SCHEMA_VERSION:
            return
        if found > SCHEMA_VERSION:
            raise ErsatzError(
                f"{database(home)} was written by a newer Ersatz (version {found}, this one knows {SCHEMA_VERSION}). "
                "Start that one."
            )
        engine = _open(home)
        with _one_sentence(home):
            with engine.connect() as connection:
                connection.exec_driver_sql(f"PRAGMA journal_mode={databases.journal_mode(home)}")
            _metadata.create_all(engine)
            _add_what_is_new(engine)
            with engine.connect() as connection:  # last, since it says that the tables are complete
                connection.exec_driver_sql(f"PRAGMA user_version={SCHEMA_VERSION}")


def _add_what_is_new(engine: Engine) -> None:
    """The columns that the tables of an earlier version lack; with their defaults, so that no row changes its sense.

    What is there already is left alone: a writer may have died between this and the new number of the version.
    """
    there = {column["name"] for column in inspect(engine).get_columns(ANSWERS.name)}
    if ANSWERS.c.sure.name not in there:
        with engine.connect() as connection:
            connection.exec_driver_sql("ALTER TABLE answers ADD COLUMN sure INTEGER NOT NULL DEFAULT 0")


def knows_how_sure(home: Home) -> bool:
    """Whether the file's answers have the column that says how sure the reviewer was."""
    return version(home) >= 2


def version(home: Home) -> int:
    """The version of the file's tables; 0 when there is none, or one that was only begun."""
    if not database(home).is_file():
        return 0
    with _one_sentence(home), _open(home).connect() as connection:
        return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())


@contextmanager
def _one_sentence(home: Home) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        reason = getattr(error, "orig", None) or error
        raise ErsatzError(
            f"{database(home)} cannot be used ({reason}); the file that holds all reviews is expected, on a disk with "
            "room. Free some space, or restore the file from a backup."
        ) from error


def _open(home: Home) -> Engine:
    """Where nothing may be written, the file is read as it is."""
    untouched = read_only() or (home.root.is_dir() and not os.access(home.root, os.W_OK))
    return databases.engine_of(home, database(home), BUSY_SECONDS, untouched)
