"""What runs that wait in the queue cost: eight supervisors in a home of 500 runs, while every slot is taken.

Prints their processor time a second, and how soon one of them notices that it was cancelled, and that a slot is free.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psutil

from benchmarks.made_up_home import NAME, Size, make_home
from engine.configs import DcganConfig
from engine.jobs.slots import cpu_slots
from engine.jobs.submit import cancel, stop, submit, wait
from engine.store.home import Home
from engine.store.runs import Run, State

WAITING, RUNS, SECONDS, CANCELLED = 8, 500, 20.0, 4


def measure(home: Home, waiting: int, seconds: float) -> dict[str, float]:
    """Cores that `waiting` supervisors take together, and the seconds until they notice things."""
    with ExitStack() as slots:
        for slot in cpu_slots():
            slots.enter_context(slot.lock(home))
        runs = [
            submit(home, DcganConfig(dataset=NAME, class_name="bleed", kimg=1.0, seed=7 + n)) for n in range(waiting)
        ]
        supervisors = [_supervisor(run) for run in runs]
        time.sleep(2.0)  # their start is over
        before, began = _cpu(supervisors), time.monotonic()
        time.sleep(seconds)
        cores = (_cpu(supervisors) - before) / (time.monotonic() - began)
        noticed = []
        for run in runs[-CANCELLED:]:
            cancel(run)
            noticed.append(_seconds_until(lambda run=run: run.status().state is State.CANCELLED))
    started = _seconds_until(lambda: runs[0].status().state is State.RUNNING)
    for run in runs[:-CANCELLED]:
        if run.state().is_active:
            stop(run)
        wait(run)
    return {
        "waiting": waiting,
        "cores": cores,
        "cancel_noticed_s": statistics.median(noticed),
        "cancel_noticed_slowest_s": max(noticed),
        "free_slot_noticed_s": started,
    }


def _supervisor(run: Run) -> psutil.Process:
    return next(
        process
        for process in psutil.process_iter()
        if "engine.jobs.supervisor" in (words := process.cmdline()) and run.id in words
    )


def _cpu(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def _seconds_until(true: Callable[[], bool]) -> float:
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > 60:
            raise SystemExit("nothing was noticed within a minute")
        time.sleep(0.01)
    return time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--waiting", type=int, default=WAITING)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = Home(Path(temporary).resolve() / "home")
        os.environ["ERSATZ_HOME"] = str(home.root)
        make_home(home, Size(runs=chosen.runs))
        found = measure(home, chosen.waiting, chosen.seconds)
    print(
        f"{chosen.waiting} supervisors that wait take {found['cores']:.3f} cores; a cancelled one has noticed after "
        f"{found['cancel_noticed_s']:.2f} s (at most {found['cancel_noticed_slowest_s']:.2f}), a free slot after "
        f"{found['free_slot_noticed_s']:.2f} s"
    )
    if chosen.out:
        chosen.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
