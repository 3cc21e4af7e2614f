"""SQLite where the home has leases: one connection at a time, no WAL, and nothing lost on the way from a local disk."""

from __future__ import annotations

import multiprocessing
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import select

from engine.review.store import ANSWERS, add, database, read
from engine.store import databases, index
from engine.store.home import Home
from engine.store.locks import is_held
from engine.store.runs import create_run
from engine.store.switching import switch_to_leases

WRITERS, EACH = 2, 15


@pytest.fixture
def leased(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home that has leases."""
    monkeypatch.setenv("ERSATZ_LOCKS", "leases")
    return home


def answer(writer: int, item: int) -> dict[str, object]:
    return {"time": time.time(), "quiz": "q", "reviewer": f"r{writer}", "item": item, "answer": "real", "seconds": 1.0}


def press(home: Home, writer: int) -> None:
    for item in range(EACH):
        add(home, ANSWERS, [answer(writer, item)])


def line_up(home: Home, writer: int) -> None:
    for _ in range(EACH):
        run = create_run(home, {"kind": "train", "dataset": "d", "class_name": "c"}, f"of {writer}")
        index.enqueue(home, run.id)


def begin(work: Callable[[Home, int], None], home: Home, writer: int, gate: str) -> None:
    """A process that waits for the others, and then writes as fast as it can."""
    while not Path(gate).exists():
        time.sleep(0.005)
    work(home, writer)


def together(work: Callable[[Home, int], None], home: Home, gate: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=begin, args=(work, home, n, str(gate))) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    gate.touch()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0


def is_sound(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as found:
        return found.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_two_writers_of_reviews_lose_nothing(leased: Home, tmp_path: Path) -> None:
    together(press, leased, tmp_path / "gate")
    found = [(row.reviewer, row.item) for row in read(leased, select(ANSWERS))]
    assert sorted(found) == [(f"r{n}", item) for n in range(WRITERS) for item in range(EACH)]
    assert not databases.in_wal_mode(database(leased)) and is_sound(database(leased))


def test_two_writers_of_the_index_lose_no_run_of_the_queue(leased: Home, tmp_path: Path) -> None:
    together(line_up, leased, tmp_path / "gate")
    queue = index.queue(leased)
    assert len(queue) == len(set(queue)) == WRITERS * EACH
    with databases.engine_of(leased, leased.database, 5.0).connect() as connection:
        positions = connection.exec_driver_sql("SELECT position FROM runs").scalars().all()
    # Each came a whole place behind the last one there; one that was only found again is where its time puts it.
    assert all(after - before > 0.99 for before, after in pairwise(sorted(positions)))
    assert not databases.in_wal_mode(leased.database) and is_sound(leased.database)


def test_a_connection_has_its_database_for_itself(leased: Home) -> None:
    leased.root.mkdir()
    path = leased.root / "team.db"
    with closing(databases.connect(leased, path, 1.0)):
        assert is_held(databases.lease_of(leased, path))
        with pytest.raises(sqlite3.OperationalError, match="others had it"):
            databases.connect(leased, path, 0.1)
        with closing(databases.connect(leased, leased.database, 0.1)):  # another one is not in its way
            pass
    assert not is_held(databases.lease_of(leased, path))


def test_a_database_that_is_none_keeps_no_lease(leased: Home) -> None:
    (leased.root / "team.db").mkdir(parents=True)
    with pytest.raises(sqlite3.OperationalError):
        databases.connect(leased, leased.root / "team.db", 1.0)
    assert not is_held(databases.lease_of(leased, leased.root / "team.db"))


def left_in_wal(home: Home) -> Path:
    """Reviews of a local home whose last writer was killed: one answer is in the side file alone."""
    add(home, ANSWERS, [answer(0, 0)])
    path = database(home)
    with closing(sqlite3.connect(path)) as first:
        first.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        add(home, ANSWERS, [answer(0, 1)])  # stays in the side file while `first` is open
        kept = {suffix: path.with_name(path.name + suffix).read_bytes() for suffix in ("", "-wal")}
    for suffix, content in kept.items():
        path.with_name(path.name + suffix).write_bytes(content)
    return path


def test_what_a_local_home_left_in_wal_is_kept(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    path = left_in_wal(home)
    assert databases.in_wal_mode(path) and path.with_name("team.db-wal").stat().st_size
    monkeypatch.setenv("ERSATZ_LOCKS", "leases")
    assert [row.item for row in read(home, select(ANSWERS))] == [0, 1]
    assert not databases.in_wal_mode(path)
    assert [found.name for found in home.root.glob("team.db*")] == ["team.db"]
    add(home, ANSWERS, [answer(0, 2)])
    assert [row.item for row in read(home, select(ANSWERS))] == [0, 1, 2]


def test_switching_takes_the_databases_out_of_wal(home: Home) -> None:
    path = left_in_wal(home)
    switch_to_leases(home, "the home belongs to a cluster")
    assert not databases.in_wal_mode(path)
    assert [row.item for row in read(home, select(ANSWERS))] == [0, 1]


def test_a_local_home_keeps_wal_and_has_no_lease(home: Home) -> None:
    add(home, ANSWERS, [answer(0, 0)])
    assert databases.in_wal_mode(database(home))
    with closing(databases.connect(home, database(home), 1.0)):
        assert not list(home.locks.glob("*.lease"))
