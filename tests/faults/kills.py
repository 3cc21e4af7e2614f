"""The whole small journey, with processes killed at random times, until all its steps are done."""

from __future__ import annotations

import os
import random
import shutil
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import psutil

from engine.store.errors import ErsatzError
from tests.faults.facts import differences, facts, hidden
from tests.faults.forking import POLL_SECONDS, all_ended, forked
from tests.faults.plugin import FOLDER
from tests.faults.steps import STEPS
from tests.faults.trials import UNKNOWN, Bench, kill_descendants

LAST = "sweep"
ALL_AT_ONCE = 0.15
"""Share of the kills that hit every process at once, as a loss of power does."""


@dataclass
class Journey:
    """What became of a journey that was killed again and again."""

    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    starts: int = 0
    problems: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def plain(self) -> dict[str, Any]:
        return {**asdict(self), "kills": dict(self.kills)}


def killed_journey(bench: Bench, seed: int, most: int, mean_seconds: float) -> Journey:
    """Take the steps in order; every `mean_seconds` on average a process is killed, `most` times in all.

    The command is started again whenever it has ended, as a person would do.
    """
    rng, begun = random.Random(seed), time.monotonic()
    journey = Journey(seed)
    shutil.rmtree(bench.root, ignore_errors=True)
    shutil.rmtree(bench.marks, ignore_errors=True)
    bench.root.mkdir()
    bench.marks.mkdir()
    done = bench.marks / "taken"
    next_kill = time.monotonic() + rng.expovariate(1 / mean_seconds)
    while True:
        journey.starts += 1
        pid = forked(lambda: _all_steps(bench), {"ERSATZ_HOME": str(bench.root), FOLDER: ""})
        while _lives(pid):
            if time.monotonic() > next_kill and journey.kills.total() < most:
                journey.kills[_kill_one(rng)] += 1
                next_kill = time.monotonic() + rng.expovariate(1 / mean_seconds)
            time.sleep(POLL_SECONDS)
        said = bench.said.read_text() if bench.said.exists() else ""
        journey.problems += [f"said: {said[-600:]}"] if any(mark in said for mark in UNKNOWN) else []
        if done.exists() and done.read_text().split()[-1:] == [LAST]:
            break
        if journey.starts > 5 * most + 20:
            journey.problems.append(f"does not come to its end; it says: {said}")
            break
    if not all_ended(60):
        journey.problems.append("processes stayed")
        kill_descendants()
    journey.problems += differences(bench.expected[LAST], facts(bench.root))
    journey.leftovers = hidden(bench.root)
    journey.seconds = time.monotonic() - begun
    return journey


def _all_steps(bench: Bench) -> None:
    """The steps that were not taken yet."""
    done = bench.marks / "taken"
    bench.said.unlink(missing_ok=True)
    os.dup2(os.open(bench.said, os.O_CREAT | os.O_WRONLY | os.O_APPEND), 2)
    sys.stderr = open(2, "w", 1, closefd=False)  # noqa: SIM115
    taken = done.read_text().split() if done.exists() else []
    for name, step in STEPS.items():
        if name not in taken:
            try:
                step(bench.home)
            except ErsatzError as error:
                print(error, file=sys.stderr)
                return
            with done.open("a") as file:
                file.write(f"{name}\n")
        if name == LAST:
            return


def _lives(pid: int) -> bool:
    """Whether the command goes on; reaps orphans that have ended."""
    while True:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if ended == pid:
            return False
        if not ended:
            return True


def _kill_one(rng: random.Random) -> str:
    """Kill one of the processes, or all; what was killed."""
    found = psutil.Process().children(recursive=True)
    if rng.random() < ALL_AT_ONCE:
        for process in found:
            _kill(process)
        return "all"
    process = rng.choice(found)
    return _kill(process)


def _kill(process: psutil.Process) -> str:
    try:
        name = process.name()
        process.kill()
    except psutil.NoSuchProcess:
        return "none"
    return name
