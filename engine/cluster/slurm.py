"""The scheduler: which jobs it has, how one ended, and what it is told to do.

A `Request` says which scheduler is meant: SLURM, or the processes of submitit's local executor. One that does not
answer is `NoAnswer`, which says nothing about the jobs.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from engine.cluster import local_jobs
from engine.cluster.settings import LOCAL, Request
from engine.cluster.states import Ending, JobState, exit_of
from engine.cluster.submission import rehearse, submit
from engine.cluster.tools import NoAnswer, Refused, ask, call, find_tools, require_slurm, said
from engine.store.errors import ErsatzError

__all__ = [
    "Ending",
    "JobState",
    "NoAnswer",
    "Refused",
    "cancel",
    "ended",
    "find_tools",
    "jobs",
    "rehearse",
    "requeue_this_job",
    "require_slurm",
    "start_now",
    "submit",
    "this_job",
]

FIELDS = "%i|%T|%r|%N|%S|%l|%P|%j"
"""What squeue prints of a job; its name is last, since it may hold anything."""
ENDED = frozenset(
    {
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "PREEMPTED",
        "REVOKED",
        "TIMEOUT",
    }
)
SILENCE_SECONDS = 10.0
"""For how long a scheduler that did not answer is not asked again, by callers that take what is known."""


class _Known:
    """The last answer of a scheduler, or its silence, for all threads of this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.asked = -1e9
        self.jobs: dict[str, JobState] = {}
        self.silent: NoAnswer | None = None


_known = _Known()


def jobs(request: Request, max_age: float = 2.0) -> dict[str, JobState]:
    """This user's jobs by id, from one question for all of them; an answer of the last `max_age` seconds will do.

    Raises `NoAnswer` when the scheduler does not answer, and `ErsatzError` where there is no SLURM.
    """
    if request.executor == LOCAL:
        return local_jobs.jobs()
    with _known.lock:
        age = time.monotonic() - _known.asked
        if _known.silent is not None and max_age > 0 and age < max(max_age, SILENCE_SECONDS):
            raise _known.silent
        if _known.silent is None and age < max_age:
            return dict(_known.jobs)
        try:
            answer = call("squeue", "--me", "--noheader", "--array", f"--format={FIELDS}")
        except (NoAnswer, Refused) as error:
            _known.silent = error if isinstance(error, NoAnswer) else NoAnswer(str(error))
            _known.asked = time.monotonic()
            raise _known.silent from error
        _known.jobs, _known.silent, _known.asked = read_queue(answer), None, time.monotonic()
        return dict(_known.jobs)


def read_queue(printed: str) -> dict[str, JobState]:
    """The jobs in what squeue prints as `FIELDS`; lines that are none (a site's greeting) are passed over."""
    found = {}
    for line in printed.splitlines():
        parts = line.split("|", 7)
        if len(parts) != 8:
            continue
        written, state, reason, node, start, limit, partition, name = (part.strip() for part in parts)
        if state in ENDED:
            continue
        for number in expanded(written):
            why = "" if reason in ("None", "(null)") else reason
            found[number] = JobState(number, name, state, why, node, _time(start), limit, partition)
    return found


def expanded(written: str) -> list[str]:
    """Each id in one that stands for several: `123_[4-6,9%2]` is 123_4, 123_5, 123_6 and 123_9."""
    several = re.fullmatch(r"(\d+)_\[([\d,:-]+)(?:%\d+)?\]", written)
    if several is None:
        return [written] if re.fullmatch(r"\d+(_\d+|\+\d+)?", written) else []
    numbers: list[int] = []
    for part in several[2].split(","):
        bounds = re.fullmatch(r"(\d+)(?:-(\d+)(?::(\d+))?)?", part)
        if bounds is not None:
            numbers += range(int(bounds[1]), int(bounds[2] or bounds[1]) + 1, int(bounds[3] or 1))
    return [f"{several[1]}_{number}" for number in numbers]


def _time(written: str) -> float | None:
    with suppress(ValueError):
        return datetime.fromisoformat(written).timestamp()
    return None


def ended(request: Request, job_id: str) -> Ending | None:
    """How a job that the scheduler has no more has ended; None where nobody remembers it.

    The scheduler itself remembers it for some minutes, and an accounting, where there is one, for long. Raises
    `NoAnswer` when the scheduler does not answer.
    """
    if request.executor == LOCAL:
        return None
    shown = ask("scontrol", "--oneliner", "show", "job", job_id)
    if shown.returncode == 0 and (ending := read_job(job_id, shown.stdout)) is not None:
        return ending
    with suppress(ErsatzError):  # many small clusters have no accounting
        told = ask("sacct", "-X", "-n", "-P", "-j", job_id, "-o", "State,ExitCode,Reason,NodeList")
        if told.returncode == 0:
            return read_account(job_id, told.stdout)
    return None


def read_job(job_id: str, printed: str) -> Ending | None:
    """The ending in what `scontrol --oneliner show job` prints; None of a job that has not ended."""
    for line in printed.splitlines():
        values = dict(re.findall(r"(?:^|\s)(\w[\w:/]*)=(\S*)", line))
        state = values.get("JobState", "")
        if state in ENDED:
            code, signal = exit_of(values.get("ExitCode", ""))
            reason = values.get("Reason", "")
            raised = re.match(r"RaisedSignal:(\d+)", reason)
            node = values.get("NodeList", "")
            return Ending(
                job_id,
                state,
                code,
                signal or (int(raised[1]) if raised else 0),
                "" if reason == "None" else reason,
                "" if node == "(null)" else node,
            )
    return None


def read_account(job_id: str, printed: str) -> Ending | None:
    """The ending in what sacct prints; None of a job that it does not know, or that has not ended."""
    for line in printed.splitlines():
        parts = [part.strip() for part in line.split("|")]
        if len(parts) != 4 or (state := parts[0].split(" ")[0]) not in ENDED:  # CANCELLED by 1000
            continue
        reason, node = ("" if part in ("None", "None assigned") else part for part in parts[2:])
        return Ending(job_id, state, *exit_of(parts[1]), reason, node)
    return None


def cancel(request: Request, ids: Sequence[str]) -> None:
    """End these jobs, whether they wait or run; those that have ended are left alone."""
    if request.executor == LOCAL:
        local_jobs.cancel(ids)
    elif ids:
        _tell("scancel", *ids)


def start_now(request: Request, job_id: str) -> None:
    """Let a requeued job start soon; SLURM would hold it for two minutes. To be called until it runs.

    The first call does nothing: in the second in which a job was requeued, its node would refuse it ("Job credential
    revoked"), and the job would have failed.
    """
    if request.executor == LOCAL:
        return
    if time.monotonic() - _requeued.setdefault(job_id, time.monotonic()) >= REST_SECONDS:
        del _requeued[job_id]
        _tell("scontrol", "update", f"JobId={job_id}", "StartTime=now")


REST_SECONDS = 2.0
"""How long a requeued job rests before it starts again."""
_requeued: dict[str, float] = {}
"""When each job that is to start again was first seen to wait, by this process's clock."""


def _tell(*command: str) -> None:
    """Tell the scheduler something about jobs that may have ended meanwhile."""
    finished = ask(*command)
    if finished.returncode != 0 and not any(mark in finished.stderr.lower() for mark in _OVER):
        raise Refused(f"The scheduler refused it: {said(finished.stderr)}.")


_OVER = (
    "invalid job id",
    "already finished",
    "already completing",
    "already completed",
    "job/step already",
    "job is no longer pending",
)
"""What SLURM's programs say, in lower case, of a job that has ended or started meanwhile."""


def requeue_this_job() -> None:
    """In a job: have the scheduler start it again. Where it does not, the job just ends, and may be submitted anew.

    A job that is being cancelled is left to end: the scheduler would start even that one again.
    """
    if not (number := this_job()):
        return
    with suppress(ErsatzError):
        shown = ask("scontrol", "--oneliner", "show", "job", number)
        if re.search(r"\bJobState=RUNNING\b", shown.stdout):
            ask("scontrol", "requeue", number)


def this_job() -> str:
    """The id of the job of SLURM that this process is in; empty outside of one."""
    if array := os.environ.get("SLURM_ARRAY_JOB_ID"):
        return f"{array}_{os.environ.get('SLURM_ARRAY_TASK_ID', '')}"
    return os.environ.get("SLURM_JOB_ID", "")
