"""The small process beside every run: waits for a device, starts the worker, and records how it ended.

`python -m engine.jobs.supervisor RUN [--lock KEY]`, started by `engine.jobs.submit` in a session of its own.
It holds the lock of the run, and its worker inherits it: the run counts as alive until both have ended. A worker whose
supervisor was killed notices it and stops (see `engine.jobs.lifeline`). It imports no torch, so that a hundred queued
runs cost little.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psutil

from engine.jobs.cores import threads_environment
from engine.jobs.elsewhere import supervise_elsewhere
from engine.jobs.last_words import death, last_lines
from engine.jobs.places import is_on_cluster
from engine.jobs.slots import Slot, combined, slots_for, slots_needed
from engine.jobs.stop_grace import stop_grace
from engine.jobs.waiting import wait_for_slots
from engine.jobs.webhook import tell_end
from engine.store import index
from engine.store.errors import ErsatzError, LeaseLost, RunDeleted
from engine.store.home import Home
from engine.store.locks import FileLock, inheritance
from engine.store.processes import module_command, module_environment
from engine.store.processes import start as start_process
from engine.store.runs import ENDING_SECONDS, Run, State

POLL_SECONDS = 0.2
KILL_GRACE_SECONDS = 10.0  # from SIGTERM to SIGKILL, if the stop grace is not shorter
READY = "ready"


def supervise(run: Run, lock: FileLock) -> None:
    """Bring a queued run to its end; `lock` is the run's, held by this process."""
    if is_on_cluster(run):
        supervise_elsewhere(run, lock)
        return
    config, beside = run.config(), run.status().beside
    slots = slots_for(config)
    slot: Slot | None = None
    locks = [lock]
    if slots and (taken := wait_for_slots(run, slots, slots_needed(config, slots, beside))):
        slot = combined(taken[0])
        locks += taken[1]
    if run.stop_requested():
        run.update(state=State.CANCELLED, ended=time.time())
        return
    index.leave_queue(run.home, run.id)
    run.update(state=State.RUNNING, started=time.time(), stage="starting", device=_device(run, slot))
    worker = _start_worker(run, slot, locks)
    forced = _watch(worker, run, lock)
    _record_end(run, worker.returncode, forced)


def _device(run: Run, slot: Slot | None) -> str:
    """The name of the slot, until the worker says what it is, or what a former worker said.

    A resumed run may have all but its last step done, and then nothing asks again on what that was.
    """
    said = run.status().device
    return said if said and not re.match(r"(cpu|cuda:)", said) else slot.name if slot else ""


def _supervise_to_the_end(run: Run, lock: FileLock) -> None:
    try:
        supervise(run, lock)
    except LeaseLost as error:  # the run is another's now, and its status too
        print(error, file=sys.stderr)
        raise
    except ErsatzError as error:
        run.update(state=State.FAILED, ended=time.time(), error=str(error))


def _start_worker(run: Run, slot: Slot | None, locks: Sequence[FileLock]) -> subprocess.Popen[bytes]:
    descriptors, leases = inheritance(locks)
    environment = {
        **(threads_environment(run.config(), run.status().beside) if slot else {}),
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",  # a segmentation fault then tells its place in the log
        **(slot.environment if slot else {}),
        **leases,
    }
    with run.open_log() as log:
        return start_process(
            module_command("engine.jobs.worker", run.id),
            cwd=run.home.root,
            env=module_environment(environment),
            stdin=subprocess.PIPE,  # never written to: its end tells the worker that this process has ended
            stdout=log,
            stderr=log,
            pass_fds=() if sys.platform == "win32" else descriptors,
            **detached(),
        )


def detached() -> dict[str, Any]:
    """Arguments of `Popen` for a process that a closed terminal or an ended parent does not touch."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def _watch(worker: subprocess.Popen[bytes], run: Run, lock: FileLock) -> bool:
    """Wait for the worker's end; whether it had to be forced, since it did not heed a stop request in time.

    Raises `LeaseLost`, with the worker killed, when another process has the `lock` of the run.
    """
    grace = stop_grace()
    asked: float | None = None
    terminated: float | None = None
    while True:
        with suppress(subprocess.TimeoutExpired):
            worker.wait(POLL_SECONDS)
            break
        if lock.lost and run.exists():
            _kill_group(worker.pid)
            raise LeaseLost(
                f"This machine gave no sign of life for too long, so run {run.id} was taken for dead and may go on "
                "elsewhere; it was ended here."
            )
        now = time.monotonic()
        if asked is None:
            asked = now if run.stop_requested() or not run.exists() else None
        elif terminated is None:
            if now - asked > grace:
                worker.terminate()  # it alone: it may need its helpers to save what it has
                terminated = now
        elif now - terminated > min(grace, KILL_GRACE_SECONDS):
            _kill_group(worker.pid)
    _kill_group(worker.pid)  # whatever it started and left behind
    return terminated is not None


def _kill_group(pid: int) -> None:
    """Kill the worker and what it started, in other sessions too; those ended already do not matter."""
    with suppress(psutil.NoSuchProcess):
        worker = psutil.Process(pid)
        for process in [*worker.children(recursive=True), worker]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
    if sys.platform != "win32":
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _record_end(run: Run, returncode: int, forced: bool) -> None:
    """Keep what the worker recorded itself; else say how it died."""
    if not run.exists() or run.status().state.is_final:
        return
    if forced:
        state = State.STOPPED
        error = "It did not stop in time and was ended by force; resume it, and it goes on from what it had saved."
    else:
        state = State.FAILED
        error = f"{death(returncode)} {last_lines(run.log_path)}".strip()
    run.update(state=state, ended=time.time(), error=error)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("run_id")
    parser.add_argument("--lock", default=None)
    arguments = parser.parse_args()
    run = Run(Home.from_environment(), arguments.run_id)
    if arguments.lock is not None:
        lock = FileLock.adopt(run.lock_path, arguments.lock)
    else:
        lock = FileLock(run.lock_path)
        if not lock.acquire(timeout=ENDING_SECONDS):
            raise SystemExit(f"Run {run.id} is held by another process.")
    with suppress(BrokenPipeError):  # the run outlives who started it, also when that was killed just now
        print(READY, flush=True)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the pipe has no reader from here on
    try:
        with suppress(RunDeleted, LeaseLost):
            _supervise_to_the_end(run, lock)
            if run.exists():
                tell_end(run)
    finally:
        index.leave_queue(run.home, run.id)
        run.remove_leftovers()


if __name__ == "__main__":
    main()
