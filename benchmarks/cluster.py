"""What a SLURM cluster costs a sweep beyond its work, and how the wall time falls with the tasks that run at once.

A real SLURM of two nodes is started on this machine (Debian's packages). First one sweep is trained here and then as an
array; its parts are read off what everybody wrote down: the trials' own seconds, and when each job was submitted, began
and ended. Then arrays of tasks that do nothing but wait as long as a real group of trials took are run 1, 2, 4 and 8 at
a time: what is left beyond the waiting is the scheduler's and the start of a process, however many cores are here.

The share of a sweep of one hour is computed from these parts, not measured.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.machine import describe_cpu
from engine.cluster import slurm
from engine.cluster.settings import ClusterSettings, Request, write_settings
from engine.configs import SweepConfig
from engine.jobs import submit as jobs
from engine.store.home import Home
from engine.store.runs import Run, State
from tests.cluster.one_node_slurm import Slurm, missing
from tests.sweep.conftest import make_dataset, make_pool

SEEDS, STEPS = 8, 400
TASKS, SLOTS = 16, (1, 2, 4, 8)
HOUR = 3600.0
LAW_SECONDS, LAW_PERCENT = 5.0, 3.0
"""What a task may cost beyond its work, and a sweep of an hour."""


@dataclass(frozen=True)
class Wait:
    """A task that waits, as long as a group of trials takes on a node of its own."""

    seconds: float

    def __call__(self) -> None:
        time.sleep(self.seconds)


def sweep_of(home: Home) -> SweepConfig:
    """A sweep of the small network on drawn pictures."""
    dataset = make_dataset(home, {"train": 24, "valid": 10, "test": 16})
    pool = make_pool(dataset).run
    pool.update(state=State.FINISHED)
    return SweepConfig.build(
        {"name": "cluster", "dataset": dataset.name, "pool": pool.id, "seeds": SEEDS, "steps": STEPS, "device": "cpu"}
    )


def measure_sweep(home: Home, slots: int) -> dict[str, Any]:
    """One sweep here and as an array, in seconds; what a task costs beyond its trials is the median over its tasks."""
    config = sweep_of(home)
    began = time.time()
    here = jobs.submit(home, config, place="here")
    _finished(here)
    seconds_here, trials_here = time.time() - began, _trials(here)
    scores = trials_here.sort_values(["arm", "ratio", "seed"])["scores"].map(tuple).tolist()
    jobs.delete(here)
    began = time.time()
    run = jobs.submit(home, config, place="slurm")
    _finished(run)
    seconds = time.time() - began
    trials = _trials(run)
    of_task = _tasks(run)
    work = trials.groupby("seed")["seconds"].sum()
    beyond = [row["ended"] - row["began"] - work[row["seed"]] for row in of_task]
    return {
        "tasks": len(of_task),
        "slots": slots,
        "here_s": seconds_here,
        "cluster_s": seconds,
        "ratio": seconds / seconds_here,
        "trials_of_a_task_s": float(work.median()),
        "task_beyond_its_trials_s": statistics.median(beyond),
        "task_beyond_its_trials_slowest_s": max(beyond),
        "outside_of_the_array_s": seconds
        - (max(row["ended"] for row in of_task) - min(row["began"] for row in of_task)),
        "same_scores": trials.sort_values(["arm", "ratio", "seed"])["scores"].map(tuple).tolist() == scores,
    }


def _finished(run: Run) -> None:
    state = jobs.wait(run)
    if state is not State.FINISHED:
        raise SystemExit(f"The sweep is {state}: {run.status().error}")


def _trials(run: Run) -> pd.DataFrame:
    return pd.read_parquet(run.path / "trials.parquet")


def _tasks(run: Run) -> list[dict[str, float]]:
    """When each task of the array began and ended, as the scheduler saw it."""
    found = []
    for path in (run.path / "slurm").glob("*_submitted.pkl"):
        job = path.name.removesuffix("_submitted.pkl")
        if "_" not in job:
            continue  # the sweep's own worker
        shown = dict(
            part.partition("=")[::2] for part in slurm.call("scontrol", "--oneliner", "show", "job", job).split()
        )
        times = {
            name: time.mktime(time.strptime(shown[key], "%Y-%m-%dT%H:%M:%S"))
            for name, key in (("began", "StartTime"), ("ended", "EndTime"))
        }
        found.append({"seed": int(job.partition("_")[2]), **times})
    return found


def measure_scaling(request: Request, folder: Path, seconds: float) -> list[dict[str, float]]:
    """Arrays of tasks that wait, so many at a time: the wall time against the best that there could be."""
    rows = []
    for slots in SLOTS:
        asked = Request.build({**{name: getattr(request, name) for name in Request.model_fields}, "throttle": slots})
        began = time.time()
        ids = slurm.submit(asked, [Wait(seconds)] * TASKS, name=f"slots-{slots}", folder=folder / f"slots-{slots}")
        submitted = time.time() - began
        while slurm.jobs(asked, max_age=0).keys() & set(ids):
            time.sleep(0.2)
        wall = time.time() - began
        best = ceil(TASKS / slots) * seconds
        beyond = (wall - best) / ceil(TASKS / slots)
        rows.append(
            {"slots": slots, "tasks": TASKS, "submit_s": submitted, "wall_s": wall, "best_s": best}
            | {"efficiency": best / wall, "beyond_a_task_s": beyond}
        )
        print(f"{slots} at a time: {wall:6.1f} s, at best {best:6.1f} s ({100 * best / wall:.0f} %)", flush=True)
    for row in rows:
        row["speed_up"] = rows[0]["wall_s"] / row["wall_s"]
    return rows


def hour(found: dict[str, Any], a_task: float) -> dict[str, float]:
    """The share of an hour's sweep, in per cent, for groups of so many minutes that are trained 8 at a time."""
    shares = {}
    for minutes in (2, 5, 10):
        waves = HOUR / (60 * minutes)
        shares[f"groups_of_{minutes}_min"] = 100 * (waves * a_task + found["outside_of_the_array_s"]) / HOUR
    return shares


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--only", choices=("sweep", "scaling"), help="measure one thing only")
    parser.add_argument("--seconds", type=float, default=0.0, help="of a waiting task; 0: as a group of trials took")
    chosen = parser.parse_args(arguments)
    if reason := missing():
        raise SystemExit(reason)
    results: dict[str, Any] = {"machine": {"processor": describe_cpu(), "cores": os.cpu_count()}}
    with tempfile.TemporaryDirectory(prefix="slurm") as folder, Slurm(Path(folder) / "s", nodes=2) as scheduler:
        os.environ.update(scheduler.environment)
        home = Home(Path(folder) / "home")
        home.root.mkdir()
        os.environ |= {"ERSATZ_HOME": str(home.root), "OMP_NUM_THREADS": "1"}
        slots = min(2, os.cpu_count() or 1)
        settings = ClusterSettings(partition="main", cpus=1, memory_gib=1, hours=1, throttle=slots)
        write_settings(home, settings)
        seconds = chosen.seconds or 10.0
        if chosen.only != "scaling":
            results["sweep"] = found = measure_sweep(home, slots)
            seconds = chosen.seconds or found["trials_of_a_task_s"]
        if chosen.only != "sweep":
            results["scaling"] = measure_scaling(settings, Path(folder), seconds)
    if "sweep" in results:
        found = results["sweep"]
        a_task = found["task_beyond_its_trials_s"]
        results["of_an_hour_percent"] = shares = hour(found, a_task)
        met = a_task < LAW_SECONDS
        print(
            f"The sweep here {found['here_s']:.1f} s, as {found['tasks']} tasks, {found['slots']} at a time, "
            f"{found['cluster_s']:.1f} s: ratio {found['ratio']:.2f}; same scores: {found['same_scores']}"
        )
        print(
            f"A task beyond its {found['trials_of_a_task_s']:.1f} s of trials: {a_task:.1f} s "
            f"({'met' if met else 'MISSED'}, under {LAW_SECONDS:g} s); before and after the array "
            f"{found['outside_of_the_array_s']:.1f} s"
        )
        for name, share in shares.items():
            print(
                f"  of a sweep of one hour, {name.replace('_', ' ')}: {share:.1f} % "
                f"({'met' if share < LAW_PERCENT else 'MISSED'}, under {LAW_PERCENT:g} %)"
            )
    if chosen.out:
        chosen.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
