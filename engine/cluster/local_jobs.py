"""Jobs of submitit's local executor: processes of this machine, which outlive the one that submitted them.

A job is the process that submitit starts for it (its controller); its id is that process's. It is found by its command
line and the name in its environment, so that nothing has to be written down.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

import psutil

from engine.cluster.states import JobState

NAME = "ERSATZ_JOB_NAME"
"""The variable that holds the name of a job, for its process and those that it starts."""
CONTROLLER = "submitit.local._local"
START_SECONDS, END_SECONDS = 5.0, 5.0
"""At most until a job is seen, and from SIGTERM to SIGKILL."""


def jobs() -> dict[str, JobState]:
    """This user's jobs by id; each runs."""
    return {
        str(process.pid): JobState(str(process.pid), name, "RUNNING", node="this machine", start=process.create_time())
        for process, name in _controllers()
    }


def await_start(ids: Sequence[str]) -> None:
    """Wait until these new jobs can be seen. For a moment after the start of a process the system tells neither its
    command line nor its environment, and it would be taken for ended."""
    end = time.monotonic() + START_SECONDS
    for each in ids:
        with suppress(psutil.Error):
            process = psutil.Process(int(each))
            while time.monotonic() < end and process.status() != psutil.STATUS_ZOMBIE:
                if process.cmdline() and process.environ():
                    break
                time.sleep(0.01)


def _controllers() -> Iterator[tuple[psutil.Process, str]]:
    for process in psutil.process_iter(["cmdline"]):
        if not any(CONTROLLER in part for part in process.info["cmdline"] or ()):
            continue
        with suppress(psutil.Error):  # it has just ended, or belongs to somebody else
            parent = process.parent()
            wrapped = parent is not None and any(CONTROLLER in part for part in parent.cmdline())
            if not wrapped and NAME in (environment := process.environ()):
                yield process, environment[NAME]


def cancel(ids: Sequence[str]) -> None:
    """End these jobs with all their processes, as scancel does: asked first, and killed some seconds later."""
    for process, _ in list(_controllers()):
        if str(process.pid) in ids:
            _end(process)


def _end(controller: psutil.Process) -> None:
    """The work is asked first; the controller, which would start it again, goes last."""
    with suppress(psutil.Error):
        family = controller.children(recursive=True)
        for process in family:
            with suppress(psutil.Error):
                process.terminate()
        _, alive = psutil.wait_procs(family, timeout=END_SECONDS)
        for process in [*alive, *controller.children(recursive=True), controller]:
            with suppress(psutil.Error):
                process.kill()
