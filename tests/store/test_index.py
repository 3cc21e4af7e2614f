"""The index follows the folders, whatever happens to its file."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from engine.store import index
from engine.store.files import write_json
from engine.store.home import REPOSITORY, Home
from engine.store.runs import State, create_run, find_runs, list_runs


def config(number: int, kind: str = "attempt") -> dict:
    return {"kind": kind, "dataset": "d", "seed": number}


def test_lists_follow_the_folders(home: Home) -> None:
    assert list_runs(home) == []
    runs = [create_run(home, config(number), f"run {number}") for number in range(3)]
    pool = create_run(home, config(9, "heap"), "heap")
    assert list_runs(home) == [pool, *reversed(runs)]
    assert list_runs(home, "heap") == [pool]
    assert find_runs(home, config(1)) == [runs[1]]
    shutil.rmtree(runs[1].path)
    assert list_runs(home, "attempt") == [runs[2], runs[0]]
    assert find_runs(home, config(1)) == []
    assert index.entries(home)[0].label == "heap"


def test_folders_that_are_no_runs_are_passed_over(home: Home) -> None:
    run = create_run(home, config(0), "run")
    shutil.copytree(run.path, home.runs / f".{run.id}.half")  # what `create_run` and `delete` leave for a moment
    (home.runs / "empty").mkdir()
    write_json(home.runs / "damaged" / "config.json", ["not", "a", "config"])
    assert list_runs(home) == [run]


@pytest.mark.parametrize("damage", ["deleted", "emptied", "overwritten", "torn"])
def test_a_lost_index_is_made_again(home: Home, damage: str) -> None:
    runs = [create_run(home, config(number), "run") for number in range(30)]
    runs[0].update(state=State.FINISHED)
    listed = list_runs(home)
    content = home.database.read_bytes()
    if damage == "deleted":
        home.database.unlink()
    elif damage == "emptied":
        home.database.write_bytes(b"")
    elif damage == "overwritten":
        home.database.write_bytes(b"no database " * 1000)
    else:
        home.database.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    assert list_runs(home) == listed
    assert index.queue(home) == [run.id for run in runs[1:]]  # by age, since nothing else is known any more
    index.enqueue(home, runs[1].id)
    assert index.queue(home)[-1] == runs[1].id


def test_lists_do_without_an_index_that_cannot_be_written(home: Home) -> None:
    run = create_run(home, config(0), "run")
    home.database.mkdir()  # stands in for a full disk: SQLite can open nothing here
    assert list_runs(home) == [run]
    index.enqueue(home, run.id)
    assert index.queue(home) == [run.id]


def test_reindexing_keeps_what_the_folders_know(home: Home) -> None:
    runs = [create_run(home, config(number), f"run {number}") for number in range(3)]
    before = index.entries(home)
    assert index.reindex(home) == before
    assert [entry.id for entry in before] == [run.id for run in reversed(runs)]


def test_queue_order(home: Home) -> None:
    ids = [create_run(home, config(number), "run").id for number in range(4)]
    for run_id in ids:
        index.enqueue(home, run_id)
    assert index.queue(home) == ids
    index.leave_queue(home, ids[1])
    assert index.queue(home) == [ids[0], ids[2], ids[3]]
    index.reorder(home, [ids[3], ids[0]])
    assert index.queue(home) == [ids[3], ids[2], ids[0]]


def test_many_processes_at_once(home: Home) -> None:
    """Each makes and queues runs in an index that none of them finds there; nothing is lost."""
    code = (
        "from engine.store import index; from engine.store.home import Home; from engine.store.runs import create_run\n"
        "home = Home.from_environment()\n"
        "for number in range(10):\n"
        "    run = create_run(home, {'kind': 'train'}, 'run'); index.enqueue(home, run.id); print(run.id)\n"
    )
    command = [sys.executable, "-c", code]
    writers = [subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    ids = [run_id for writer in writers for run_id in writer.communicate()[0].split()]
    assert len(ids) == 30
    assert sorted(index.queue(home)) == sorted(ids)
    assert len({entry.position for entry in index.entries(home)}) == 30
