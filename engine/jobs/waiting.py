"""How a queued run waits for its slots: cheaply, since a hundred of them may wait for days.

A look costs a few calls of the operating system: is there a request to stop, and is a slot's lock free? The queue, and
with it the other runs, is read only when enough slots are free, and again only once others are free or a second has
gone by: then a run before this one waits for them too, and may have been cancelled, moved, or killed.
"""

from __future__ import annotations

import time

from engine.jobs.queue import take_slots
from engine.jobs.slots import Slot
from engine.store.errors import RunDeleted
from engine.store.lock_way import way_of
from engine.store.locks import FileLock, is_held
from engine.store.runs import Run

LOOK_SECONDS = 0.25
"""Between two looks at the slots and at the request to stop."""
LEASE_LOOK_SECONDS = 2.0
"""The same where each look asks the server of a network file system."""
QUEUE_SECONDS = 1.0
"""Between two looks at the queue while the same slots are free, and at whether the run is still there."""


def wait_for_slots(run: Run, slots: list[Slot], count: int = 1) -> tuple[list[Slot], list[FileLock]] | None:
    """`count` of `slots`, locked, when it is this run's turn; None once it was asked to stop.

    Raises `RunDeleted` when its folder is gone.
    """
    paths = [slot.lock(run.home).path for slot in slots]
    seen: list[bool] | None = None
    due = 0.0
    while not run.stop_requested():
        now = time.monotonic()
        free = [not is_held(path) for path in paths]
        if free != seen or now >= due:
            if not run.exists():
                raise RunDeleted(run.id)
            if sum(free) >= count and (taken := take_slots(run, slots, count)):
                return taken
            seen, due = free, now + QUEUE_SECONDS
        time.sleep(LEASE_LOOK_SECONDS if way_of(run.home.root).leases else LOOK_SECONDS)
    return None
