"""Where a run is, in words: its job on the cluster, the node that has it, and what it waits for."""

from __future__ import annotations

from dataclasses import dataclass

from engine.cluster.job import Job
from engine.jobs.kinds import kind_shown
from engine.store.errors import ErsatzError
from engine.store.runs import HERE, Run, State, Status


@dataclass(frozen=True)
class Whereabouts:
    """What the scheduler said last of a run's jobs; empty texts and zeros for a run that is done here."""

    place: str = HERE
    job: str = ""
    """Its id; of an array the id of the whole."""
    node: str = ""
    waits: str = ""
    """While it waits: for what, as a sentence."""
    tasks: str = ""
    """While an array is worked on: how many of its tasks run and wait, as a sentence."""

    @property
    def known(self) -> str:
        """Job and node in a few words; empty before it has a job."""
        if not self.job:
            return ""
        return f"job {self.job} on {self.node}" if self.node else f"job {self.job}"

    @property
    def short(self) -> str:
        """Where it is, or what it waits for, in a column of a list; empty for a run that is done here."""
        return "" if self.place == HERE else self.waits or self.tasks or self.known or "on the cluster"

    @property
    def told(self) -> str:
        """What is to be said beside its state: what it waits for, or how far an array is; empty: nothing."""
        return self.waits or self.tasks


def whereabouts(run: Run) -> Whereabouts:
    """Where a run is, by the files of its folder; the scheduler is not asked."""
    status = run.status()
    if status.place == HERE:
        return Whereabouts()
    return placed(run.kind, status, run.state_of(status), job_of(run))


def job_of(run: Run) -> Job:
    """What `job.json` says; nothing where it is damaged, since the work does not depend on it."""
    try:
        return Job.of(run)
    except ErsatzError:
        return Job()


def placed(kind: str, status: Status, state: State, job: Job) -> Whereabouts:
    """The same of what has been read already."""
    if status.place == HERE:
        return Whereabouts()
    if kind_shown(kind).made_of_runs:  # its runs go there, one after the other, and it waits for them here
        return Whereabouts(status.place)
    known = job.id or (job.ids[0] if job.ids else "")
    number = known.partition("_")[0] if job.parts else known
    node = "" if job.parts else job.node
    if not state.is_active:
        return Whereabouts(status.place, number, node)
    if job.parts:
        return Whereabouts(status.place, number, tasks=_tasks(job))
    waits = _waits(number, job) if state is not State.RUNNING else ""
    return Whereabouts(status.place, number, node, waits)


def _waits(number: str, job: Job) -> str:
    if not number:
        return "It is being handed to the scheduler."
    return _sentence(f"Job {number} {job.words}") if job.words else ""


def _tasks(job: Job) -> str:
    """How many tasks of an array run, wait and are done, and what those wait for where none runs."""
    told = f"{job.running} of {len(job.ids)} tasks run" if job.running else f"None of {len(job.ids)} tasks runs yet"
    if job.waiting:
        told += f", {job.waiting} wait{'s' * (job.waiting == 1)}"
    if done := len(job.ids) - job.running - job.waiting:
        told = told.replace(" yet", "") + f", {done} {'is' if done == 1 else 'are'} done"
    return _sentence(f"{told}; the next one {job.words}" if job.words else told)


def _sentence(words: str) -> str:
    return words if words.endswith(".") else f"{words}."
