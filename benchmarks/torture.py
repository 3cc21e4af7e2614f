"""Break whole journeys at every step of the store, and kill their processes at random: do the numbers stay?

`python -m benchmarks.torture --faults` lets every place at which the store writes, flushes, renames, locks or starts a
process fail in every way, takes the step again and compares everything with an undisturbed journey. `--kills N` kills
processes at random N times. `--damage` damages the results of finished runs, which are asked for again then.
`--concurrent` lets many do the same thing at once. Prints JSON; problems are lost, doubled
or differing files and rows, errors that are no sentence, and runs that do not go on. Linux alone: it forks.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded

from tests.faults.damages import damage, every_damage
from tests.faults.forking import fork_instead, forked
from tests.faults.full_disk import HOME_MIB, ROOM, mount_small_disk, on_full_disk
from tests.faults.kills import killed_journey
from tests.faults.steps import STEPS
from tests.faults.trials import Bench, distinct, matrix, ready

KILLS_PER_JOURNEY = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", action="store_true", help="a fault at every place")
    parser.add_argument(
        "--all", action="store_true", help="every error at every place, also at those that differ in a number alone"
    )
    parser.add_argument("--limit", type=int, default=0, help="so many of them, drawn by the seed")
    parser.add_argument("--after", type=int, default=0, help="pass over so many of them, which were tried before")
    parser.add_argument("--steps", default="", help="of these steps alone, by commas")
    parser.add_argument("--full", action="store_true", help="a disk that is full in truth, with more and more room")
    parser.add_argument("--damage", action="store_true", help="each file of finished results, damaged in each manner")
    parser.add_argument("--kills", type=int, default=0, help="so many kills at random")
    parser.add_argument("--mean", type=float, default=1.5, help="seconds between two kills, on average")
    parser.add_argument("--concurrent", action="store_true", help="many do the same at once")
    parser.add_argument("--minutes", type=float, default=600.0, help="begin nothing new after these")
    parser.add_argument("--side-by-side", type=int, default=1, help="so many homes at once")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    told: dict[str, Any] = {"command": " ".join(["python -m benchmarks.torture", *sys.argv[1:]])}
    if arguments.faults or arguments.full or arguments.damage or arguments.kills:
        ready()
        with tempfile.TemporaryDirectory(dir=_quick_folder()) as folder:
            if arguments.faults:
                told["faults"] = _gathered(Path(folder), arguments, _faults, _told_of_faults)
            if arguments.full:
                told["full"] = _gathered(Path(folder), arguments, _full, _told_of_full)
            if arguments.damage:
                told["damage"] = _gathered(Path(folder), arguments, _damage, _told_of_damage)
            if arguments.kills:
                told["kills"] = _gathered(Path(folder), arguments, _kills, _told_of_kills)
    if arguments.concurrent:
        from tests.faults.concurrent import contend

        told["concurrent"] = contend(10, 8)
    print(json.dumps(told, indent=1))


def _quick_folder() -> str | None:
    """Memory, where there is some: what is measured is the order of the steps, and a flush waits for no disk."""
    shared = Path("/dev/shm")
    return str(shared) if shared.is_dir() and os.access(shared, os.W_OK) else None


def _gathered(
    folder: Path,
    arguments: argparse.Namespace,
    work: Callable[[Bench, argparse.Namespace, int], Iterator[dict[str, Any]]],
    tell: Callable[[list[dict[str, Any]]], dict[str, Any]],
) -> dict[str, Any]:
    """What the homes side by side found, together."""
    begun = time.monotonic()
    last = [step for step in STEPS if not arguments.steps or step in arguments.steps.split(",")][-1]
    if work is _damage:  # it begins with what is there before the following step
        last = list(STEPS)[-1]

    def one(number: int) -> None:
        fork_instead()  # orphans come to this process
        bench = Bench(folder / f"bench-{number}")
        bench.prepare(last)
        with (folder / f"found-{number}").open("w") as file:
            for found in work(bench, arguments, number):
                file.write(json.dumps(found) + "\n")
                file.flush()
                if found["problems"]:
                    print(json.dumps(found), file=sys.stderr, flush=True)

    pids = [forked(lambda number=number: one(number), {}, "driver") for number in range(arguments.side_by_side)]
    for pid in pids:
        os.waitpid(pid, 0)
    found = [
        json.loads(line)
        for number in range(arguments.side_by_side)
        for line in (folder / f"found-{number}").read_text().splitlines()
    ]
    for number in range(arguments.side_by_side):
        shutil.rmtree(folder / f"bench-{number}")
    return {**tell(found), "minutes": round((time.monotonic() - begun) / 60, 1)}


def _faults(bench: Bench, arguments: argparse.Namespace, number: int) -> Iterator[dict[str, Any]]:
    places = bench.places if arguments.all else distinct(bench.places)
    steps = arguments.steps.split(",") if arguments.steps else list(places)
    todo = [trial for trial in matrix(places, arguments.all) if trial[0] in steps]
    of_all = len(todo)
    random.Random(arguments.seed).shuffle(todo)
    todo = todo[arguments.after :][: arguments.limit or None]
    end = time.monotonic() + 60 * arguments.minutes
    for trial in todo[number :: arguments.side_by_side]:
        if time.monotonic() > end:
            return
        yield {**bench.attempt(*trial).plain(), "of_all": of_all}


def _told_of_faults(found: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "trials": len(found),
        "of": found[0]["of_all"] if found else 0,
        "reached": sum(trial["reached"] for trial in found),
        "by_fault": dict(Counter(trial["place"].split(":")[2] for trial in found if trial["reached"])),
        "by_step": dict(Counter(trial["step"] for trial in found if trial["reached"])),
        "with_leftovers": sum(bool(trial["leftovers"]) for trial in found),
        "problems": [trial for trial in found if trial["problems"]],
    }


def _full(bench: Bench, arguments: argparse.Namespace, number: int) -> Iterator[dict[str, Any]]:
    mount_small_disk(bench.root, HOME_MIB)
    steps = [step for step in bench.expected if not arguments.steps or step in arguments.steps.split(",")]
    todo = [(step, room) for step in steps for room in ROOM]
    random.Random(arguments.seed).shuffle(todo)
    todo = todo[: arguments.limit or None]
    end = time.monotonic() + 60 * arguments.minutes
    for step, room in todo[number :: arguments.side_by_side]:
        if time.monotonic() > end:
            return
        yield on_full_disk(bench, step, room).plain()


def _told_of_full(found: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "trials": len(found),
        "did_not_fit": sum(trial["reached"] for trial in found),
        "problems": [trial for trial in found if trial["problems"]],
    }


def _damage(bench: Bench, arguments: argparse.Namespace, number: int) -> Iterator[dict[str, Any]]:
    todo = [trial for trial in every_damage() if not arguments.steps or trial[0] in arguments.steps.split(",")]
    random.Random(arguments.seed).shuffle(todo)
    todo = todo[: arguments.limit or None]
    end = time.monotonic() + 60 * arguments.minutes
    for trial in todo[number :: arguments.side_by_side]:
        if time.monotonic() > end:
            return
        yield damage(bench, *trial).plain()


def _told_of_damage(found: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "trials": len(found),
        "made_again": sum(trial["reached"] for trial in found),
        "problems": [trial for trial in found if trial["problems"]],
    }


def _kills(bench: Bench, arguments: argparse.Namespace, number: int) -> Iterator[dict[str, Any]]:
    most = arguments.kills // arguments.side_by_side
    done = journeys = 0
    end = time.monotonic() + 60 * arguments.minutes
    while done < most and time.monotonic() < end:
        seed = 1000 * (arguments.seed + 1) + arguments.side_by_side * journeys + number
        journey = killed_journey(bench, seed, min(KILLS_PER_JOURNEY, most - done), arguments.mean)
        journeys += 1
        done += journey.kills.total()
        yield journey.plain()


def _told_of_kills(found: list[dict[str, Any]]) -> dict[str, Any]:
    kills: Counter[str] = Counter()
    for journey in found:
        kills.update(journey["kills"])
    return {
        "journeys": len(found),
        "kills": kills.total(),
        "by_process": dict(kills),
        "starts": sum(journey["starts"] for journey in found),
        "with_leftovers": sum(bool(journey["leftovers"]) for journey in found),
        "problems": [journey for journey in found if journey["problems"]],
    }


if __name__ == "__main__":
    main()
