"""Runs whose place is a cluster, on a real SLURM: they end as if done here, whatever happens on the way."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest

from engine.cluster.job import Job
from engine.cluster.settings import ClusterSettings, write_settings
from engine.configs import Config, DcganConfig, ImportConfig, StyleganConfig, SweepConfig
from engine.datasets.dataset import Dataset
from engine.datasets.importing import import_dataset
from engine.jobs import submit as jobs
from engine.sampling.exported import read_info
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import Run, State
from tests.cluster.one_node_slurm import Slurm
from tests.gans.conftest import write_pictures
from tests.jobs.scene import kill, supervisor_of, until
from tests.sweep.conftest import make_dataset, make_pool
from tests.sweep.test_runner import assert_same_trials

pytestmark = pytest.mark.slow

PATIENCE = 180.0
SMALL = {"dataset": "discs", "class_name": "a", "device": "cpu", "batch": 8, "z_dim": 8}
SMALL |= {"g_channels": 8, "d_channels": 8, "grid": 4, "tick_kimg": 0.1, "snapshot_ticks": 1}


@pytest.fixture
def cluster(home: Home, slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A home with a cluster, whose runs here and there compute with one thread; nothing is left running."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    home.root.mkdir(parents=True)
    write_settings(home, ClusterSettings(partition="main", cpus=1, memory_gib=1, hours=1, grace_seconds=10, throttle=2))
    yield home
    for process in psutil.process_iter(["environ"]):
        if (process.info["environ"] or {}).get("ERSATZ_HOME") == str(home.root) and process.pid != os.getpid():
            with suppress(psutil.NoSuchProcess):
                process.kill()


@pytest.fixture
def discs(cluster: Home, tmp_path: Path) -> Home:
    """Two classes of 32 px."""
    source = str(write_pictures(tmp_path / "source", 32))
    settings = {"name": "discs", "source": source, "layout": "folder", "size": 32, "mode": "L", "split": "given"}
    import_dataset(cluster, ImportConfig.build({**settings, "positive": "b"}))
    Dataset.open(cluster, "discs").freeze(accept_findings=True)
    return cluster


def training(**settings: Any) -> DcganConfig:
    return DcganConfig.build({**SMALL, "kimg": 12.0, **settings})


def follow(run: Run, done: Callable[[Run], bool] = lambda run: not run.state().is_active) -> State:
    until(lambda: done(run), PATIENCE)
    return run.state()


def at_work(run: Run) -> bool:
    return len(run.read_metrics()[0]) > 1


def generator(run: Run) -> str:
    assert run.state() is State.FINISHED, run.status().error
    return read_info(run.path).sha256


def tasks_on_nodes(run: Run) -> list[psutil.Process]:
    """The processes on the nodes that do something for the run."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if (
            "submitit.core._submit" in command
            and "python" in Path(command[0]).name
            and f"{run.id}/slurm" in " ".join(command)
        ):
            found.append(process)
    return found


def test_a_training_that_reaches_its_time_limit_goes_on_to_the_same_numbers(discs: Home, slurm: Slurm) -> None:
    other = Home(discs.root.with_name("other"))
    shutil.copytree(discs.root, other.root)
    settings = training(kimg=45.0)  # the scheduler looks at time limits every 30 seconds
    here = jobs.submit(other, settings, place="here")
    run = jobs.submit(discs, settings, place="slurm")
    follow(run, at_work)
    (job,) = Job.of(run).ids
    slurm.command("scontrol", "update", f"JobId={job}", "EndTime=now+1")
    follow(run, lambda run: "goes on in a new job" in run.log_path.read_text())
    assert follow(run) is State.FINISHED, run.status().error
    follow(here)
    assert generator(run) == generator(here)


def test_a_run_whose_supervisor_was_killed_goes_on_and_gets_another_one(discs: Home, slurm: Slurm) -> None:
    run = jobs.submit(discs, training(), place="slurm")
    follow(run, at_work)
    kill(supervisor_of(run))
    assert run.state() is State.RUNNING
    jobs.attach_all(discs)
    assert supervisor_of(run).is_running()
    (worker,) = tasks_on_nodes(run)
    kill(worker)
    assert follow(run) is State.FINISHED, run.status().error
    said = [line for line in run.log_path.read_text().splitlines() if line.startswith("===")]
    assert "It is submitted again." in said[1], said
    assert len({row["kimg"] for row in run.read_metrics()[0]}) == len(run.read_metrics()[0])


def test_two_ranks_of_one_job_train_as_they_do_here(discs: Home) -> None:
    small = {"dataset": "discs", "class_name": "a", "channel_base": 128, "channel_max": 8, "z_dim": 8, "w_dim": 8}
    small |= {"kimg": 0.064, "batch": 8, "tick_kimg": 0.032, "precision": "fp32", "grid": 4, "gpus": 2, "device": "cpu"}
    here = jobs.submit(discs, StyleganConfig.build(small), place="here")
    assert follow(here) is State.FINISHED, here.status().error
    expected = generator(here)
    here.delete()
    run = jobs.submit(discs, StyleganConfig.build(small), place="slurm")
    assert follow(run) is State.FINISHED, run.status().error
    assert generator(run) == expected


def test_a_waiting_run_says_what_it_waits_for_and_can_be_cancelled(discs: Home, slurm: Slurm) -> None:
    for _ in slurm.nodes:
        slurm.submit("sleep 600", "--cpus-per-task=4")
    run = jobs.submit(discs, training(), place="slurm")
    follow(run, lambda run: Job.of(run).reason not in ("", "None"))
    assert run.state() is State.QUEUED
    assert re.match(r"waits for free CPU cores and memory of partition main|waits for its turn", Job.of(run).words)
    jobs.cancel(run)
    assert follow(run) is State.CANCELLED
    assert slurm.command("squeue", "--noheader", f"--name={run.id}").stdout == ""


def test_stop_and_resume_and_scancel(discs: Home, slurm: Slurm) -> None:
    run = jobs.submit(discs, training(), place="slurm")
    follow(run, at_work)
    jobs.stop(run)
    assert follow(run) is State.STOPPED
    assert run.status().error == ""
    jobs.resume(run)
    follow(run, lambda run: run.state() is State.RUNNING and bool(Job.of(run).node))
    slurm.command("scancel", *Job.of(run).ids)
    assert follow(run) is State.STOPPED
    assert "was cancelled" in run.status().error and "Resume" in run.status().error
    jobs.resume(run, place="here")
    assert follow(run) is State.FINISHED
    assert run.status().place == "here"


def test_a_deleted_run_leaves_no_job(discs: Home, slurm: Slurm) -> None:
    run = jobs.submit(discs, training(kimg=50.0), place="slurm")
    follow(run, at_work)
    jobs.stop(run)
    follow(run)
    jobs.delete(run)
    until(lambda: slurm.command("squeue", "--noheader").stdout == "")
    assert not run.path.exists()


def sweep(home: Home, **changes: Any) -> Config:
    dataset = make_dataset(home, {"train": 24, "valid": 10, "test": 16}) if not home.dataset("spots").exists() else None
    dataset = dataset or Dataset.open(home, "spots")
    pools = [run for run in jobs.list_runs(home, "pool")]
    pool = pools[0].id if pools else make_pool(dataset).run.id
    Run(home, pool).update(state=State.FINISHED)
    settings = {"seeds": 3, "ratios": (1.0,), "steps": 200, "batch": 8, "validations": 3, "device": "cpu"}
    return SweepConfig.build({"name": "sweep", "dataset": "spots", "pool": pool, **settings, **changes})


def trials(run: Run) -> pd.DataFrame:
    return pd.read_parquet(run.path / "trials.parquet")


def test_a_sweep_as_an_array_is_the_sweep_run_here_though_a_task_and_a_node_die(cluster: Home, slurm: Slurm) -> None:
    here = jobs.submit(cluster, sweep(cluster), place="here")
    assert follow(here) is State.FINISHED, here.status().error
    expected, summary = trials(here), here.status().result
    jobs.delete(here)

    run = jobs.submit(cluster, sweep(cluster), place="slurm")
    follow(run, lambda run: Job.of(run).parts and bool(list((run.path / "groups").glob("*.jsonl"))))
    victim = tasks_on_nodes(run)[0]
    kill(victim)
    follow(run, lambda run: bool(run.read_metrics()[0]))
    slurm.take_down("n1")
    for heartbeat in run.path.glob("work*.lease/*"):  # as if two minutes had gone by: those of living jobs are renewed
        os.utime(heartbeat, (0, 0))
    assert follow(run) is State.FINISHED, run.status().error
    slurm.bring_up("n1")
    assert_same_trials(expected, trials(run))
    assert run.status().result == summary
    rows = run.read_metrics()[0]
    assert len(rows) == len(expected)
    assert np.array_equal(sorted(row["accuracy"] for row in rows), sorted(expected["accuracy"]))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"partition": "nosuch"}, "nosuch"),
        ({"memory_gib": 100.0}, "memory"),
        ({"gpus": "tpu"}, "tpu"),
    ],
)
def test_what_the_scheduler_refuses_is_one_sentence_and_leaves_nothing(
    discs: Home, changes: dict[str, Any], told: str
) -> None:
    write_settings(discs, ClusterSettings(cpus=1, **changes))
    before = list(discs.runs.iterdir()) if discs.runs.exists() else []
    with pytest.raises(ErsatzError) as error:
        jobs.submit(discs, training(device="auto"), place="slurm")
    assert told in str(error.value) and str(error.value).count("\n") == 0
    assert (list(discs.runs.iterdir()) if discs.runs.exists() else []) == before
