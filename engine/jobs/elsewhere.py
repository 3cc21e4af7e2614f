"""What the supervisor of a run on the cluster does: submits it, mirrors the scheduler, and submits it again.

The work itself is done by `engine.jobs.cluster_task` on a node, and what it writes into the run folder is the truth of
it. The supervisor keeps `job.json` beside that, which says what the scheduler says; it writes `status.json` only while
no worker lives. Killed, it loses nothing: the job goes on, and the next supervisor finds it by its name.

A job that ends before the run has ended is submitted again: at once where it had saved itself for its time limit or a
preemption, and `MOST_DEATHS` times in a row where it died without a word. One that somebody cancelled is not.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from engine.cluster import slurm
from engine.cluster.job import SPREAD, WANTS_TO_GO_ON, Job
from engine.cluster.liveness import GIVEN_UP_SECONDS, WORK, lives_on_cluster
from engine.cluster.settings import Request, require_settings
from engine.cluster.slurm import Ending, JobState, NoAnswer
from engine.cluster.words import waits_for
from engine.jobs.cluster_task import Task
from engine.jobs.kinds import kind_named
from engine.jobs.last_words import last_lines
from engine.jobs.stop_grace import stop_grace
from engine.store.errors import ErsatzError, LeaseLost, RunDeleted
from engine.store.locks import FileLock
from engine.store.runs import Run, State
from engine.sweep.live_parts import take_live_rows, todo

POLL_SECONDS = 1.0
"""Between two looks at the run folder; the scheduler is asked every `ASK_SECONDS`."""
ASK_SECONDS = 3.0
MOST_SECONDS = 15.0
"""A job of which the scheduler says the same each time is asked about as seldom as this: there may be many runs."""
MOST_DEATHS = 2
"""How often in a row a job may end without a word and be submitted again."""
MOST_TASKS = 500
"""In one array: SLURM takes 1001 unless it is told otherwise."""
MOST_ROUNDS = 3
"""Arrays for the trials of one look, before what is left of them is trained by the run's own worker."""


def supervise_elsewhere(run: Run, lock: FileLock) -> None:
    """Bring a run on the cluster to its end; this process holds the `lock` of the run.

    Raises `LeaseLost` when another supervisor has it meanwhile, and `ErsatzError` when nothing can be submitted. What
    goes wrong here while a job lives does not end the run: the job goes on, and the log says it.
    """
    try:
        _Supervision(run, lock).to_the_end()
    except (LeaseLost, RunDeleted):
        raise
    except ErsatzError as error:
        if not lives_on_cluster(run):
            raise
        _log(run, f"{error} Nobody supervises the run now; its job goes on.")


class _Supervision:
    """A run on the cluster, its jobs, and how often they died."""

    def __init__(self, run: Run, lock: FileLock):
        self.run = run
        self.lock = lock
        self.request: Request = require_settings(run.home).for_kind(run.kind)
        self.deaths = 0
        self.rounds: Counter[tuple[tuple[int, int], ...]] = Counter()

    def to_the_end(self) -> None:
        spread = bool(kind_named(self.run.kind).execute_part)
        while not self._is_over():
            endings = self._follow(self._alive() or self._submit([Task.of(self.run, self.request, spread=spread)]))
            status = self.run.status()
            if status.state.is_final or self.run.stop_requested():
                continue
            if cancelled := next((ending for ending in endings if ending.was_cancelled), None):
                self._was_cancelled(cancelled)
            elif status.stage == SPREAD:
                self.deaths = 0
                if not Job.of(self.run).parts:  # else these were the parts, which a former supervisor had submitted
                    spread = self._train_parts()
            elif status.stage == WANTS_TO_GO_ON:
                self.deaths = 0
            else:
                self._died(endings[0] if endings else None)
        Job.of(self.run).model_copy(update={"words": "", "running": 0, "waiting": 0}).write(self.run)

    def _is_over(self) -> bool:
        """Whether there is nothing to submit (any more)."""
        if not self.run.exists():
            raise RunDeleted(self.run.id)
        if self.run.status().state.is_final:
            return True
        if self.run.stop_requested() and not self._alive():
            begun = self.run.status().started is not None
            state = State.STOPPED if begun else State.CANCELLED
            self._record(GIVEN_UP_SECONDS, state=state, ended=time.time())
            return True
        return False

    def _train_parts(self) -> bool:
        """Have the trials that are left trained by an array; whether the next worker is to spread what is left then."""
        left = todo(self.run)
        self.rounds[tuple(left)] += 1
        if not left or self.rounds[tuple(left)] > MOST_ROUNDS:
            return False
        tasks = [Task.of(self.run, self.request, group) for group in left[:MOST_TASKS]]
        endings = self._follow(self._submit(tasks))
        if endings and all(ending.was_cancelled for ending in endings):
            self._was_cancelled(endings[0])
        return True

    def _submit(self, tasks: Sequence[Task]) -> list[str]:
        """The ids of the jobs; their name is the run's, by which a supervisor finds those of a former one."""
        folder = self.run.path / "slurm"
        while True:
            try:
                ids = slurm.submit(self.request, tasks, name=self.run.id, folder=folder, gpus=tasks[0].gpus)
                break
            except NoAnswer:  # it may have taken them nevertheless
                time.sleep(ASK_SECONDS)
                if ids := self._alive():
                    break
                if self.run.stop_requested() or not self.run.exists():
                    return []
        Job(ids=tuple(ids), parts=tasks[0].part is not None, submitted=time.time()).write(self.run)
        return ids

    def _alive(self) -> list[str]:
        """The jobs of this run that the scheduler has, whoever submitted them; waits for its answer."""
        while True:
            with suppress(NoAnswer):
                return [job.id for job in slurm.jobs(self.request, max_age=0).values() if self._is_mine(job)]
            time.sleep(ASK_SECONDS)

    def _is_mine(self, job: JobState) -> bool:
        return job.name == self.run.id and job.state != "COMPLETING"  # that one has ended but for its cleaning

    def _follow(self, ids: Sequence[str]) -> list[Ending]:
        """Mirror these jobs until the scheduler has none of them any more; how those ended of which it knows."""
        found: dict[str, JobState] = {}
        cancelled: set[str] = set()
        looked = asked = float("-inf")
        pause = ASK_SECONDS
        parts = Job.of(self.run).parts
        while True:
            if time.monotonic() - looked > pause:
                before = found
                with suppress(NoAnswer):  # it may be restarted: the jobs go on
                    known = slurm.jobs(self.request, max_age=0)
                    found = {number: known[number] for number in ids if number in known}
                    if not found:
                        return [ending for number in ids if (ending := slurm.ended(self.request, number)) is not None]
                    self._mirror(list(found.values()))
                looked = time.monotonic()
                pause = ASK_SECONDS if found != before or len(ids) > 1 else min(2 * pause, MOST_SECONDS)
            if not self.run.exists():
                slurm.cancel(self.request, ids)
                raise RunDeleted(self.run.id)
            if self.lock.lost:
                raise LeaseLost(f"Another process supervises run {self.run.id} now; this one was silent for too long.")
            if self.run.status().state.is_final:
                return []
            if parts:
                self._take_rows()
            if self.run.stop_requested():
                asked, pause = time.monotonic() if asked < 0 else asked, ASK_SECONDS
                late = time.monotonic() - asked > stop_grace()
                unwanted = {number for number, job in found.items() if late or job.is_pending} - cancelled
                if unwanted:
                    slurm.cancel(self.request, sorted(unwanted))
                    cancelled |= unwanted
            time.sleep(POLL_SECONDS)

    def _mirror(self, jobs: Sequence[JobState]) -> None:
        """Say in `job.json` what the scheduler says, in words where it waits; a requeued job starts at once."""
        for job in jobs:
            if job.is_requeued:
                with suppress(ErsatzError):  # a site may forbid it: the job starts later then
                    slurm.start_now(self.request, job.id)
        running = [job for job in jobs if not job.is_pending]
        pending = [job for job in jobs if job.is_pending]
        shown = (running or pending)[0]
        words = waits_for(pending[0], self.request) if pending else ""
        kept = Job.of(self.run)
        kept.mirroring(shown, words, running=len(running), waiting=len(pending)).write(self.run)
        if not running and not kept.parts and self.run.status().state is State.RUNNING:
            self._record(state=State.QUEUED)  # requeued by the scheduler itself: its node went down, say

    def _take_rows(self) -> None:
        """The trials that the parts have done, for the curves: no worker of the run counts them meanwhile."""
        if take_live_rows(self.run):
            self._record(done=len(self.run.read_metrics()[0]))

    def _record(self, wait: float = 0.0, **changes: Any) -> None:
        """Change `status.json`, unless a worker lives: that one writes it then, and knows better."""
        lock = FileLock(self.run.path / WORK)
        if lock.acquire(timeout=wait):
            try:
                if not self.run.status().state.is_final:
                    self.run.update(**changes)
            finally:
                lock.release()

    def _was_cancelled(self, ending: Ending) -> None:
        """Somebody did so with the scheduler's own means, and will have had a reason."""
        told = f"{ending.sentence} Resume the run, and it goes on from what it had saved."
        self._record(GIVEN_UP_SECONDS, state=State.STOPPED, ended=time.time(), error=told)

    def _died(self, ending: Ending | None) -> None:
        """A worker that ended without a word: again, or the sentence on how it died."""
        how = ending.sentence if ending is not None else "Its job ended without a word."
        self.deaths += 1
        if self.deaths > MOST_DEATHS or (ending is not None and ending.is_hopeless):
            error = f"{how} {last_lines(self.run.log_path)}".strip()
            self._record(GIVEN_UP_SECONDS, state=State.FAILED, ended=time.time(), error=error)
        else:
            _log(self.run, f"{how} It is submitted again.")
            self._record(state=State.QUEUED, stage="")


def _log(run: Run, sentence: str) -> None:
    with run.open_log() as log:
        log.write(f"=== {time.strftime('%Y-%m-%d %H:%M:%S')} {sentence}\n".encode())
