"""Whether a run on the cluster is alive: by its worker's lock, or by the scheduler."""

from __future__ import annotations

from engine.cluster import slurm
from engine.cluster.job import Job
from engine.cluster.settings import require_settings
from engine.store.errors import ErsatzError
from engine.store.leases import DEAD_SECONDS
from engine.store.locks import is_held
from engine.store.runs import Run

WORK = "work"
"""Name in the run folder of the lock that a worker on a node holds."""
GIVEN_UP_SECONDS = DEAD_SECONDS + 30.0
"""How long it is waited for: the lock of a worker whose node went down is given up within it."""
MAX_AGE = 2.0
"""Seconds for which an answer of the scheduler will do: a page asks for each of its runs."""


def lives_on_cluster(run: Run) -> bool:
    """Whether a job does this run's work or waits to.

    A scheduler that does not answer says nothing: jobs that were there are taken to be there.
    """
    if is_held(run.path / WORK):
        return True
    try:
        request = require_settings(run.home).for_kind(run.kind)
        return any(job.name == run.id for job in slurm.jobs(request, MAX_AGE).values())
    except ErsatzError:  # also where this machine has no SLURM, or cluster.toml is being mended
        return _was_submitted(run)


def _was_submitted(run: Run) -> bool:
    try:
        return bool(Job.of(run).ids)
    except ErsatzError:
        return False
