"""Results of finished runs, damaged one file at a time: resumed, does the run make the same once more?"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from engine.jobs.submit import resume, wait
from engine.store.errors import ErsatzError
from engine.store.runs import Run, State, list_runs
from tests.faults.facts import differences, facts, hidden
from tests.faults.steps import STEPS
from tests.faults.trials import Bench, Trial

RESULTS = {
    "pool": ("manifest.csv", "pool.json", "training_images.txt", "images/*/*.png"),
    "quality": ("scores.json", "neighbours.parquet", "embedding.parquet"),
    "ranking": ("ranking.json",),
    "sweep": ("trials.parquet", "summary.json"),
}
"""What each step's run is to make again."""
MANNERS: dict[str, Callable[[bytes], bytes | None]] = {
    "gone": lambda _: None,
    "empty": lambda _: b"",
    "half": lambda content: content[: len(content) // 2],
    "noise": lambda content: content[: len(content) // 3] + bytes(range(256)) + content[len(content) // 3 + 256 :],
}
ASIDE = re.compile(r"\.damaged$")


def every_damage() -> list[tuple[str, str, str]]:
    """Step, file and manner."""
    return [(step, file, manner) for step, files in RESULTS.items() for file in files for manner in MANNERS]


def damage(bench: Bench, step: str, file: str, manner: str) -> Trial:
    """Damage a file of the finished run of a step, resume it, and compare."""
    following = list(STEPS)[list(STEPS).index(step) + 1]
    bench.reset(following)
    trial = Trial(step, manner, file)
    (run,) = list_runs(bench.home, step)
    path = sorted(run.path.glob(file))[-1]
    before = path.read_bytes()
    damaged = MANNERS[manner](before)
    path.unlink()
    if damaged is not None:
        path.write_bytes(damaged)
    said = bench.take(step, instead=lambda home: _resumed(Run(home, run.id)))
    trial.reached = path.is_file() and path.read_bytes() != damaged
    problems = [f"said: {said}"] if said else []
    problems += [] if trial.reached else [f"{file} was not made again"]
    problems += [] if _told(run) or manner == "gone" else ["no alarm tells of it"]
    if trial.reached:
        problems += _differences(bench, step)
    trial.problems, trial.leftovers = tuple(problems), tuple(hidden(bench.root))
    return trial


def _resumed(run: Run) -> None:
    resume(run)
    if wait(run) is not State.FINISHED:
        raise ErsatzError(run.status().error or f"The run is {run.state()}.")


def _told(run: Run) -> bool:
    return any(alarm.name.startswith("repaired") for alarm in run.status().alarms)


def _differences(bench: Bench, step: str) -> list[str]:
    """Beside what tells that something was repaired."""
    found = {name: content for name, content in facts(bench.root).items() if not ASIDE.search(name)}
    return differences(_without_alarms(bench.expected[step]), _without_alarms(found))


def _without_alarms(home: dict[str, str]) -> dict[str, str]:
    told = dict(home)
    for name in [name for name in told if Path(name).name == "status.json"]:
        values = json.loads(told[name])
        values["alarms"] = [alarm for alarm in values.get("alarms", ()) if not alarm["name"].startswith("repaired")]
        told[name] = json.dumps(values, sort_keys=True, indent=1)
    return told
