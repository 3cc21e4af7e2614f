"""What the supervisor of a run on the cluster does: submits it, mirrors the scheduler, and submits it again.

The work itself is done by `engine.jobs.cluster_task` on a node, and what it writes into the run folder is the truth of
it. The supervisor keeps `job.json` beside that, which says what the scheduler says; it writes `status.json` only while
no worker lives. Killed, it loses nothing: the job goes on, and the next supervisor finds it by its name.

A job that ends before the run has ended is submitted again: at once where it had saved itself for its time limit or a
preemption, and `MOST_DEATHS` times in a row where it died without a word. One that somebody cancelled is not.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress

from engine.cluster import slurm
from engine.cluster.job import SPREAD, WANTS_TO_GO_ON, Job
from engine.cluster.settings import Request, require_settings
from engine.cluster.slurm import Ending, JobState
from engine.cluster.words import waits_for
from engine.jobs.cluster_task import Part, Task
from engine.jobs.last_words import last_lines
from engine.jobs.places import gpus_of
from engine.jobs.stop_grace import stop_grace
from engine.store.errors import RunDeleted
from engine.store.runs import Run, State
from engine.sweep.live_parts import take_live_rows, todo

POLL_SECONDS = 1.0
"""Between two looks at the run folder; the scheduler is asked every `ASK_SECONDS`."""
ASK_SECONDS = 3.0
MOST_DEATHS = 2
"""How often in a row a job may end without a word and be submitted again."""
MOST_ROUNDS = 3
"""Arrays for the trials of one look, before what is left of them is trained by the run's own worker."""


def supervise_elsewhere(run: Run) -> None:
    """Bring a run on the cluster to its end; the caller holds the run's lock."""
    _Supervision(run).to_the_end()


class _Supervision:
    """A run on the cluster, its jobs, and how often they died."""

    def __init__(self, run: Run):
        settings = require_settings(run.home)
        self.run = run
        self.request: Request = settings.for_kind(run.kind)
        self.deaths = 0
        self.rounds: dict[str, int] = {}

    def to_the_end(self) -> None:
        spread = self.run.kind == "sweep"
        while not self._is_over():
            endings = self._follow(self._alive() or self._submit([Task.of(self.run, self.request, spread=spread)]))
            status = self.run.status()
            if status.state.is_final:
                break
            if self.run.stop_requested():
                self._record_stop()
            elif status.stage == SPREAD:
                self.deaths = 0
                spread = self._train_parts()
            elif status.stage == WANTS_TO_GO_ON:
                self.deaths = 0
            else:
                self._died(endings)
        Job.clear(self.run)

    def _is_over(self) -> bool:
        """Whether there is nothing to submit (any more); a run that was cancelled while it waited has ended so."""
        if not self.run.exists():
            raise RunDeleted(self.run.id)
        if self.run.status().state.is_final:
            return True
        if self.run.stop_requested() and not self._alive():
            self._record_stop()
            return True
        return False

    def _train_parts(self) -> bool:
        """Have the groups of trials that are left trained by an array; whether the next worker is to spread again."""
        left = todo(self.run)
        rounds = self.rounds[str(left)] = self.rounds.get(str(left), 0) + 1
        if not left or rounds > MOST_ROUNDS:
            return False
        self._follow(self._submit([Task.of(self.run, self.request, Part(*group)) for group in left]))
        return True

    def _submit(self, tasks: Sequence[Task]) -> list[str]:
        if self.run.status().state is State.QUEUED:
            self.run.update(stage="submitting to the cluster")
        jobs = slurm.submit(
            self.request, tasks, name=self.run.id, folder=self.run.path / "slurm", gpus=gpus_of(self.run.config())
        )
        Job(ids=tuple(jobs), parts=tasks[0].part is not None, submitted=time.time()).write(self.run)
        return jobs

    def _alive(self) -> list[str]:
        """The jobs of this run that the scheduler has, whoever submitted them."""
        return [job.id for job in slurm.jobs(self.request, max_age=0).values() if job.name == self.run.id]

    def _follow(self, ids: Sequence[str]) -> dict[str, Ending | None]:
        """Mirror these jobs until the scheduler has none of them any more; how each has ended."""
        asked: float | None = None
        forced = False
        looked, found = 0.0, {}
        while True:
            if time.monotonic() - looked > ASK_SECONDS:
                with suppress(slurm.NoAnswer):  # it may be restarted: the jobs go on
                    known = slurm.jobs(self.request, max_age=0)
                    found = {number: known[number] for number in ids if number in known}
                    if not found:
                        return {number: slurm.ended(self.request, number) for number in ids}
                    self._mirror(list(found.values()))
                looked = time.monotonic()
            if not self.run.exists():
                slurm.cancel(self.request, ids)
                raise RunDeleted(self.run.id)
            if Job.of(self.run).parts:
                self._take_rows()
            if self.run.stop_requested():
                now = time.monotonic()
                asked = asked or now
                waiting = [number for number, job in found.items() if job.is_pending]
                late = now - asked > stop_grace()
                if waiting or (late and not forced):
                    slurm.cancel(self.request, list(ids) if late else waiting)
                    forced = late
            time.sleep(POLL_SECONDS)

    def _mirror(self, jobs: Sequence[JobState]) -> None:
        """Say in `job.json` what the scheduler says, in words where it waits; a requeued job starts at once."""
        for job in jobs:
            if job.is_requeued:
                slurm.start_now(self.request, job.id)
        running = [job for job in jobs if not job.is_pending]
        shown = running[0] if running else jobs[0]
        words = "" if running else waits_for(shown, self.request)
        Job.of(self.run).mirroring(shown, words, running=len(running), waiting=len(jobs) - len(running)).write(self.run)

    def _take_rows(self) -> None:
        """The trials that the parts have done, for the curves; while the array runs no worker of the run does."""
        if taken := take_live_rows(self.run):
            self.run.update(done=self.run.status().done + taken)

    def _record_stop(self) -> None:
        begun = self.run.status().started is not None
        self.run.update(state=State.STOPPED if begun else State.CANCELLED, ended=time.time())

    def _died(self, endings: dict[str, Ending | None]) -> None:
        """A worker that ended without a word: again, or the sentence on how it died."""
        ending = next((one for one in endings.values() if one is not None), None)
        self.deaths += 1
        if ending is not None and ending.was_cancelled:
            told = "Its job was cancelled on the cluster (scancel). Resume it, and it goes on from what it had saved."
            self.run.update(state=State.STOPPED, ended=time.time(), error=told)
        elif self.deaths > MOST_DEATHS or (ending is not None and ending.is_hopeless):
            how = ending.sentence if ending is not None else "Its job ended before it had finished."
            error = f"{how} {last_lines(self.run.log_path)}".strip()
            self.run.update(state=State.FAILED, ended=time.time(), error=error)
        else:
            how = ending.sentence if ending is not None else "The job ended without a word."
            with self.run.open_log() as log:
                log.write(f"=== {time.strftime('%Y-%m-%d %H:%M:%S')} {how} It is submitted again.\n".encode())
            self.run.update(state=State.QUEUED, stage="")
