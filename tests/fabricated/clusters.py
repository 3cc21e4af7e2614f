"""Homes that use a cluster, and runs on it as their supervisor leaves them."""

from __future__ import annotations

from typing import Any

from engine.cluster.job import Job
from engine.cluster.settings import ClusterSettings, settings_path, write_settings
from engine.jobs.places import SLURM
from engine.store.home import Home
from engine.store.runs import Run, State


def make_cluster(home: Home, **settings: Any) -> ClusterSettings:
    """A home with a `cluster.toml`; nothing is submitted by that."""
    found = ClusterSettings.build({"partition": "gpu", "gpus": "gpu", **settings})
    write_settings(home, found)
    return found


def break_cluster(home: Home) -> None:
    """A `cluster.toml` with a value that cannot be."""
    settings_path(home).write_text("cpus = -1\n")


def on_cluster(run: Run, state: State = State.QUEUED, /, **job: Any) -> Run:
    """A run as its supervisor on the cluster leaves it: waiting for a GPU, unless `job` says otherwise."""
    run.update(state=state, place=SLURM, ended=None, **({"started": None} if state is State.QUEUED else {}))
    usual = {"ids": ("123",), "id": "123", "state": "PENDING", "reason": "Resources", "waiting": 1}
    Job.parse({**usual, "words": "waits for a GPU of partition gpu", **job}, "a test").write(run)
    return run
