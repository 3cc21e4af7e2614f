"""A run that waits for its slot looks at the locks, not at the queue, and notices what changes."""

from __future__ import annotations

import threading
import time

import pytest

from engine.jobs import waiting
from engine.jobs.slots import Slot
from engine.store import index
from engine.store.errors import RunDeleted
from engine.store.home import Home
from engine.store.runs import Run, create_run
from tests.jobs.scene import training

SLOTS = [Slot("one"), Slot("two")]


@pytest.fixture
def run(home: Home) -> Run:
    run = create_run(home, training("quick").plain(), "train")
    index.enqueue(home, run.id)
    return run


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A moment for each look at the queue; a look at the locks comes every hundredth of a second."""
    found: list[int] = []
    plain = waiting.take_slots
    monkeypatch.setattr(waiting, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(waiting, "take_slots", lambda *given: (found.append(1), plain(*given))[1])
    return found


def test_the_queue_is_not_read_while_too_few_slots_are_free(run: Run, looks: list[int]) -> None:
    lock = SLOTS[0].lock(run.home)
    assert lock.acquire()
    threading.Timer(0.3, lock.release).start()
    began = time.monotonic()
    taken = waiting.wait_for_slots(run, SLOTS, 2)
    assert taken is not None and taken[0] == SLOTS
    assert 0.25 < time.monotonic() - began < 1.3
    assert len(looks) <= 3  # a look at a lock may be in the way of another one's for a moment
    for held in taken[1]:
        held.release()


def test_a_request_to_stop_and_a_deleted_folder_end_the_waiting(run: Run, looks: list[int]) -> None:
    lock = SLOTS[0].lock(run.home)
    assert lock.acquire()
    threading.Timer(0.1, run.request_stop).start()
    assert waiting.wait_for_slots(run, SLOTS, 2) is None
    run.clear_stop()
    (run.path / "config.json").unlink()
    with pytest.raises(RunDeleted):
        waiting.wait_for_slots(run, SLOTS, 2)
    assert looks == []
    lock.release()


def test_the_queue_reads_no_folder_of_other_runs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    later = create_run(run.home, training("quick", 1).plain(), "train")
    index.enqueue(run.home, later.id)
    monkeypatch.setattr(index, "entries", lambda home: pytest.fail("all runs were listed"))
    assert index.queue(run.home) == [run.id, later.id]
