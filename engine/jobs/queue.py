"""The order in which waiting runs get a device."""

from __future__ import annotations

from engine.jobs.slots import Slot, slots_for
from engine.store import index
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.locks import FileLock
from engine.store.runs import Run, State


def waiting(home: Home) -> list[Run]:
    """The queued runs, next one first; those whose supervisor was killed are passed over."""
    runs = [Run(home, run_id) for run_id in index.queue(home)]
    return [run for run in runs if _is_queued(run)]


def ordered(home: Home) -> FileLock:
    """Guards the order: no run overtakes between looking at the queue and taking the slot."""
    return FileLock(home.locks / "queue")


def take_slots(run: Run, slots: list[Slot], count: int = 1) -> tuple[list[Slot], list[FileLock]] | None:
    """`count` free ones of `slots`, locked, if no run before this one waits for any of them; else None."""
    with ordered(run.home):
        for other in waiting(run.home):
            if other.id == run.id:
                break
            if _wants_any(other, slots):
                return None
        taken: list[Slot] = []
        locks: list[FileLock] = []
        for slot in slots:
            lock = slot.lock(run.home)
            if lock.acquire():
                taken.append(slot)
                locks.append(lock)
            if len(taken) == count:
                index.leave_queue(run.home, run.id)
                return taken, locks
        for lock in locks:  # too few; a run that holds some and waits for others would block all
            lock.release()
    return None


def _wants_any(run: Run, slots: list[Slot]) -> bool:
    try:
        return bool(set(slots_for(run.config())) & set(slots))
    except ErsatzError:  # deleted meanwhile, or about to fail for want of a GPU
        return False


def _is_queued(run: Run) -> bool:
    try:
        return run.state() is State.QUEUED
    except ErsatzError:  # deleted meanwhile
        return False
