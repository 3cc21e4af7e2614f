"""Many processes and sessions that do the same thing at the same moment; counts doubles, lost writes and odd errors.

`python -m tests.faults.concurrent [PROCESSES] [SESSIONS]` prints what it counted as JSON. Trainings go by a script.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

import engine.datasets.importing
import engine.jobs.pipeline
import engine.jobs.supervisor
import engine.jobs.worker  # noqa: F401
from engine.configs import Config, ImportConfig
from engine.jobs import submit as jobs
from engine.review.decisions import decide, decisions
from engine.sampling.pools import COLUMNS, Pool
from engine.store import disk, ledger
from engine.store.about import about, change_about, change_tags
from engine.store.errors import AlreadyActive, ErsatzError
from engine.store.home import Home
from engine.store.runs import State, create_run, list_runs
from tests.faults.forking import all_ended, fork_instead, forked
from tests.faults.steps import draw
from tests.jobs.scene import SCRIPTED, ended, finish, make_dataset, training, until

WRITES = 5
"""Of each process, of each kind."""
Answers = list[str]


def at_once(actions: Sequence[Callable[[], Any]], folder: Path) -> Answers:
    """Do each in a process of its own, all at the same moment: what it returned, or `error: ` and its words."""
    start = time.time() + 0.3 + 0.02 * len(actions)

    def do(number: int, action: Callable[[], Any]) -> None:
        time.sleep(max(0.0, start - time.time()))
        (folder / f"answer-{number}").write_text(told(action))

    pids = [forked(lambda n=number, a=action: do(n, a), {}) for number, action in enumerate(actions)]
    for pid in pids:
        os.waitpid(pid, 0)
    paths = [folder / f"answer-{number}" for number in range(len(actions))]
    answers = [path.read_text() if path.exists() else "trace: it ended without an answer" for path in paths]
    for path in paths:
        path.unlink(missing_ok=True)
    return answers


def told(action: Callable[[], Any]) -> str:
    """What an action returned, as text; of an error its class or, where it is no sentence, its trace."""
    try:
        return str(action())
    except AlreadyActive:
        return "error: active"
    except ErsatzError as error:
        return f"error: {error}"
    except Exception:
        return "trace: " + " | ".join(traceback.format_exc().splitlines()[-6:])


def in_sessions(count: int, action: Callable[[], Any]) -> Answers:
    """Do it in as many threads of this process, as a server does for its browsers."""
    barrier = threading.Barrier(count)
    answers: Answers = []

    def session() -> None:
        barrier.wait()
        answers.append(told(action))

    threads = [threading.Thread(target=session) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def contend(processes: int = 10, sessions: int = 8) -> dict[str, Any]:
    """Every contest once, in a home of its own: what each counted, and what was wrong."""
    os.environ |= {"PYTHONPATH": str(SCRIPTED), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    sys.path.insert(0, str(SCRIPTED))
    import sitecustomize  # the stand-in for trainings

    assert hasattr(sitecustomize, "BEHAVIOURS"), "another sitecustomize was loaded first"
    fork_instead()
    found: dict[str, Any] = {}
    for contest in (starts, ensures, resumes, imports, deletions, writes, servers):
        with tempfile.TemporaryDirectory() as folder:
            home = Home(Path(folder) / "home")
            os.environ["ERSATZ_HOME"] = str(home.root)
            make_dataset(home)
            begun, before = time.monotonic(), sum(os.times()[:4])
            problems = list(contest(home, processes if contest is not servers else sessions))
            finish(home)
            if not all_ended(30):
                problems.append("processes stayed")
            found[contest.__name__] = {
                "problems": problems,
                "seconds": round(time.monotonic() - begun, 1),
                "cpu_seconds": round(sum(os.times()[:4]) - before, 1),
            }
    return found


def starts(home: Home, count: int) -> list[str]:
    """The same run is started by all."""
    answers = at_once([lambda: jobs.submit(home, training("patient")).id] * count, home.root)
    return [*_one_of(answers, "error: active"), *_alone(home)]


def ensures(home: Home, count: int) -> list[str]:
    """The same run is asked for by all, and all get it."""
    answers = at_once([lambda: jobs.ensure(home, training("patient")).id] * count, home.root)
    return [f"several runs: {set(answers)}"] * (len(set(answers)) != 1) + _alone(home)


def resumes(home: Home, count: int) -> list[str]:
    """The same run is resumed by all, while others ask for it."""
    run = jobs.submit(home, training("patient"))
    until((run.path / "worker.pid").exists)
    jobs.stop(run)
    ended(run)
    answers = at_once([lambda: jobs.resume(run)] * count, home.root)
    refused = [answer for answer in answers if answer != "None"]
    problems = [f"{count - len(refused)} resumed it"] * (len(refused) != count - 1)
    return problems + _odd(refused) + _alone(home)


def imports(home: Home, count: int) -> list[str]:
    """All import a data set of one name, each with settings of its own."""
    draw(home.root / "pictures")

    def importing(seed: int) -> str:
        values = {"name": "one", "layout": "folder", "source": str(home.root / "pictures"), "size": 16, "seed": seed}
        run = jobs.submit(home, ImportConfig.build(values))
        state = jobs.wait(run)
        return f"{state} {run.status().error}"

    answers = at_once([lambda s=seed: importing(s) for seed in range(count)], home.root)
    made = [answer for answer in answers if answer.startswith("finished")]
    others = [answer for answer in answers if answer not in made]
    problems = [f"{len(made)} imports of one name have finished"] * (len(made) != 1)
    manifest = pd.read_csv(home.dataset("one") / "manifest.csv")
    problems += [f"{len(manifest)} rows"] * (len(manifest) != 48)
    return problems + _odd(others) + [f"left over: {path}" for path in home.datasets.glob(".*")]


def deletions(home: Home, count: int) -> list[str]:
    """Runs are deleted, resumed and annotated by some while others list them all."""
    runs = [create_run(home, training("quick", seed).plain(), "train") for seed in range(8)]
    for run in runs:
        run.update(state=State.STOPPED, ended=1.0)

    def remove() -> None:
        for run in runs:
            with suppress(ErsatzError):
                jobs.delete(run)

    def look() -> int:
        end = time.monotonic() + 1.0
        times = 0
        while time.monotonic() < end:
            for run in list_runs(home):
                with suppress(ErsatzError):  # it is being deleted, in a sentence
                    run.state()
                    about(run)
            times += 1
        return times

    def change(number: int) -> None:
        for run in runs:
            with suppress(ErsatzError):
                change_tags(run, add=[f"t{number}"])
            with suppress(ErsatzError):
                jobs.resume(run)

    third = max(1, count // 3)
    actions = [remove] * third + [look] * third + [lambda n=n: change(n) for n in range(count - 2 * third)]
    answers = at_once(actions, home.root)
    for run in list_runs(home):
        ended(run)
        jobs.delete(run)
    left = [path.name for path in home.runs.iterdir()]
    return _odd(answers) + [f"left over: {name}" for name in left]


def writes(home: Home, count: int) -> list[str]:
    """All add their own to what is shared: tags, pool exclusions, decisions, lines of the ledger."""
    run = create_run(home, {"kind": "pool", "name": "p", "dataset": "empty"}, "pool")
    run.update(state=State.FINISHED)
    rows = [{"path": f"images/a/{number}.png", "class": "a", "seed": number} for number in range(count * WRITES)]
    pd.DataFrame(rows, columns=COLUMNS).to_csv(run.path / "manifest.csv", index=False)
    numbers = {process: [process * WRITES + write for write in range(WRITES)] for process in range(count)}

    def write(process: int) -> None:
        pool = Pool.open(run)
        for number in numbers[process]:
            change_tags(run, add=[f"t{number}"])
            change_about(run, title=f"title {number}")
            pool.exclude([f"images/a/{number}.png"], f"reason {number}")
            decide(pool, [f"images/a/{number}.png"], f"R{process}", "reject", f"reason {number}")
            ledger.add(home, lambda events, n=number: [{"event": "reading", "number": n, "before": len(events)}])

    answers = at_once([lambda p=process: write(p) for process in numbers], home.root)
    every = set(range(count * WRITES))
    events = ledger.events(home)
    counted = {
        "tags": {int(tag[1:]) for tag in about(run).tags},
        "exclusions": {int(text.split()[1]) for text in Pool.open(run).manifest["excluded"] if text},
        "decisions": {int(path.split("/")[-1][:-4]) for path in decisions(home, run.id)["path"]},
        "lines of the ledger": {event["number"] for event in events},
    }
    problems = [f"lost {what}: {sorted(every - found)}" for what, found in counted.items() if found != every]
    if [event["before"] for event in events] != sorted(every):
        problems.append("a writer of the ledger did not see those before")
    return problems + _odd([answer for answer in answers if answer != "None"])


def servers(home: Home, count: int) -> list[str]:
    """Two servers with browsers each, in all of which one button is pressed; then every session answers."""
    config: Config = training("patient")

    def serve(number: int) -> str:
        disk.subprocess = subprocess  # a fork of a process with threads may hang
        return json.dumps(in_sessions(count // 2, lambda: jobs.submit(home, config, owner=f"server {number}").id))

    told_by = at_once([lambda n=number: serve(n) for number in range(2)], home.root)
    try:
        answers = [answer for server in told_by for answer in json.loads(server)]
    except ValueError:
        return told_by
    return [*_one_of(answers, "error: active"), *_alone(home)]


def _one_of(answers: Answers, refusal: str) -> list[str]:
    """That exactly one was served and all others refused so."""
    served = [answer for answer in answers if not answer.startswith(("error", "trace"))]
    problems = [f"{len(served)} of {len(answers)} were served"] * (len(served) != 1)
    return problems + [answer for answer in answers if answer not in (*served, refusal)]


def _odd(answers: Answers) -> list[str]:
    """Answers that are no sentences."""
    return [answer for answer in answers if answer.startswith("trace") or "does not know" in answer]


def _alone(home: Home) -> list[str]:
    """That there is one run, and one worker on it."""
    runs = list_runs(home)
    if len(runs) != 1:
        return [f"{len(runs)} runs"]
    until((runs[0].path / "steps").exists)
    before = int((runs[0].path / "steps").read_text())
    until(lambda: int((runs[0].path / "steps").read_text()) > before)
    finish(home)
    state = ended(runs[0])
    begun = runs[0].log_path.read_text().count(" train ")
    expected = 1 + (before > 0 and "stopped" in runs[0].log_path.read_text())
    return [f"it is {state}"] * (state is not State.FINISHED) + [f"{begun} workers"] * (begun != expected)


if __name__ == "__main__":
    print(json.dumps(contend(*map(int, sys.argv[1:])), indent=1))
