"""What a job of the cluster does on its node: the work of a run, or one group of the trials of a sweep.

The scheduler warns a job before its time limit (SIGUSR2) and before a preemption (SIGTERM). The work then stops at its
next safe point, as when somebody asks it to, and a new job goes on to the same numbers with what was saved. submitit
would have the work saved inside of its signal handler, in the middle of whatever is being computed; therefore its
handlers are replaced.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.cluster.liveness import GIVEN_UP_SECONDS, WORK
from engine.cluster.settings import Request
from engine.cluster.slurm import requeue_this_job
from engine.jobs.cores import threads_environment
from engine.jobs.hooks import Hooks
from engine.jobs.kinds import kind_of, parse_config
from engine.jobs.places import gpus_of
from engine.jobs.slots import CPU
from engine.jobs.worker import work
from engine.store import disk
from engine.store.errors import RunDeleted
from engine.store.files import disk_errors
from engine.store.home import Home
from engine.store.locks import FileLock
from engine.store.log import log_to_stdout
from engine.store.plugins import named
from engine.store.progress import silent
from engine.store.runs import Run, State
from engine.sweep.live_parts import Group, folder, part_name
from engine.version import __version__

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""Between two looks at whether the work is still this job's."""
STREAMS = (1, 2)
"""stdout and stderr."""


@dataclass(frozen=True)
class Task:
    """The work of a run, or a part of it, as submitit pickles it: names alone, so that a newer program can read it."""

    home: str
    run_id: str
    part: Group | None = None
    """A group of a sweep's trials; None: the work of the run."""
    spread: bool = False
    """Whether a sweep leaves its trials to other tasks."""
    cpus: int = 1
    gpus: int = 0
    version: str = __version__

    @staticmethod
    def of(run: Run, request: Request, part: Group | None = None, spread: bool = False) -> Task:
        """The task of a run (or of a part of it) with what is asked of the cluster for it."""
        gpus = gpus_of(run.config()) if request.gpus else 0
        if part is not None or spread:
            gpus = min(gpus, 1)  # the others train other parts
        return Task(str(run.home.root), run.id, part, spread, request.cpus, gpus)

    def __call__(self) -> None:
        """Called on the node; what it prints goes to the log of the run, or of the part."""
        run = Run(Home(Path(self.home)), self.run_id)
        if not run.exists():
            return  # deleted while it waited
        os.environ["ERSATZ_HOME"] = self.home
        os.environ.update({"PYTHONFAULTHANDLER": "1", **self._environment(run)})
        log = run.log_path if self.part is None else folder(run) / f"{part_name(*self.part)}.txt"
        with _printing_to(log):
            log_to_stdout()
            lock = FileLock(run.path / (WORK if self.part is None else f"{WORK}-{part_name(*self.part)}"))
            if not lock.acquire(timeout=GIVEN_UP_SECONDS):
                logger.info(f"Another job does this work already; this one ({_job()}) leaves it to that.")
                return
            threading.Thread(target=_leave_when_lost, args=(lock,), name="lost lock", daemon=True).start()
            try:
                self._do(run)
            finally:
                lock.release()

    def _environment(self, run: Run) -> dict[str, str]:
        """Threads as they would be on a machine with just these cores: sums depend on them."""
        threads = threads_environment(run.config(), cores=self.cpus)
        return threads if self.gpus else {**threads, **CPU.environment}

    def _do(self, run: Run) -> None:
        if self.version != __version__:
            run.update(
                state=State.FAILED,
                ended=time.time(),
                error=f"The node has version {__version__} of this program, and {self.version} has submitted the run; "
                "the same is expected. Install it there, or name the right python in cluster.toml.",
            )
        elif self.part is None:
            work(run.home, run.id, spread=self.spread, go_on_later=requeue_this_job)
        else:
            train(run, self.part)


def train(run: Run, part: Group) -> None:
    """Do a part of what the run's worker has left to others; the run's status is left alone."""
    config = parse_config(run.config())
    hooks = Hooks(run)
    hooks.heed_signals(warned=True)
    logger.info(f"=== {time.strftime('%Y-%m-%d %H:%M:%S')} trials {part_name(*part)} {_job()}")
    try:
        outcome = named(kind_of(config).execute_part)(run, config, *part, silent, hooks.should_stop)
    except RunDeleted:
        run.remove_leftovers()
        return
    if outcome != "finished" and run.exists() and not run.stop_requested():
        requeue_this_job()


@contextmanager
def _printing_to(log: Path) -> Iterator[None]:
    """Append everything that this process and its children print to a log, apart from what submitit keeps of it."""
    before = [os.dup(stream) for stream in STREAMS]
    _flush()
    with disk_errors(log), disk.appended(log) as file:
        for stream in STREAMS:
            os.dup2(file.fileno(), stream)
    try:
        yield
    finally:
        _flush()
        for stream, kept in zip(STREAMS, before, strict=True):
            os.dup2(kept, stream)
            os.close(kept)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()


def _leave_when_lost(lock: FileLock) -> None:
    """End this process once others took it for dead: its node hung for minutes, and the work is another job's now."""
    while True:
        time.sleep(LOOK_SECONDS)
        if lock.lost:
            logger.warning(f"This job ({_job()}) was silent for so long that another one does its work; it ends.")
            os._exit(os.EX_TEMPFAIL)


def _job() -> str:
    """The job in words, for the log."""
    return f"job {os.environ.get('SLURM_JOB_ID', os.getpid())} on {socket.gethostname()}"
