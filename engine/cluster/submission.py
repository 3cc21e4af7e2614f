"""Handing jobs in: to SLURM through submitit, or to its local executor.

submitit keeps the pickled task, the script and its own log of each job in the folder of the jobs. What SLURM refuses
leaves nothing there.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

from engine.cluster import local_jobs
from engine.cluster.nodes import fitting, partitions
from engine.cluster.settings import LOCAL, Request
from engine.cluster.states import NOT_FOUND
from engine.cluster.tools import NoAnswer, Refused, ask, is_silence, require_slurm, said
from engine.store import disk
from engine.store.errors import ErsatzError
from engine.store.files import disk_errors
from engine.store.processes import module_environment

SLURM_SETTINGS = ("SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_CLUSTERS")
"""Variables that lead to the scheduler; others with this beginning tell of the job that this process may be in."""


def submit(
    request: Request,
    tasks: Sequence[Callable[[], Any]],
    *,
    name: str,
    folder: Path,
    gpus: int = 0,
) -> list[str]:
    """Hand in one job for a task, or an array for several, `request.throttle` of which run at once; their ids in order.

    The tasks are pickled: what they refer to must be importable on the node. `folder` takes submitit's files, `gpus` is
    how many a task needs where the request is for nodes with GPUs.

    Raises `Refused` with SLURM's reason in words, `NoAnswer` when the scheduler does not answer (it may have the job
    nevertheless: look for it by its name), and `ErsatzError` where SLURM or submitit is not installed. Nothing is left
    of jobs that were not submitted.
    """
    _require_submitit()
    if request.executor != LOCAL:
        require_slurm()
    from submitit import AutoExecutor
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    exported = _exported()
    with (
        _nothing_left(folder),
        disk_errors(folder),
        _submitting(request, {**exported, local_jobs.NAME: name}),
        _quiet(),
    ):
        executor = AutoExecutor(folder, cluster=request.executor, **{f"{request.executor}_python": _python(request)})
        executor.update_parameters(**_parameters(request, gpus, name, folder, exported))
        if request.executor == LOCAL:  # which heeds it, but does not let it through
            executor.parameters["signal_delay_s"] = request.grace_seconds
        try:
            if len(tasks) == 1:
                submitted = [executor.submit(tasks[0])]
            else:
                with executor.batch():
                    submitted = [executor.submit(task) for task in tasks]
            ids = [str(job.job_id) for job in submitted]
        except (FailedJobError, FailedSubmissionError) as error:
            raise _refusal(str(error), request) from error
    if request.executor == LOCAL:
        local_jobs.await_start(ids)
    return ids


def rehearse(request: Request, gpus: int = 0) -> None:
    """Ask whether the scheduler would accept such a job; nothing is submitted. Raises as `submit` does."""
    _require_submitit()
    if request.executor == LOCAL:
        return
    require_slurm()
    fitting(request, partitions())
    options = [f"--{name}" if value is True else f"--{name}={value}" for name, value in _options(request, gpus).items()]
    finished = ask("sbatch", "--test-only", *options, "--output=/dev/null", stdin="#!/bin/sh\ntrue\n")
    if finished.returncode != 0:
        raise _refusal(finished.stderr, request)


def _require_submitit() -> None:
    if find_spec("submitit") is None:
        raise ErsatzError(
            "submitit, which hands jobs in, is not installed; run `pip install 'ersatz-images[slurm]'` in the "
            "environment of this program."
        )


def _options(request: Request, gpus: int) -> dict[str, Any]:
    """What is asked for as options of sbatch; the values of flags are True."""
    options: dict[str, Any] = {
        "partition": request.partition,
        "account": request.account,
        "qos": request.qos,
        "constraint": request.constraint,
        "gres": f"{request.gpus}:{gpus}" if request.gpus and gpus else "",
        "cpus-per-task": request.cpus,
        "mem": f"{round(request.memory_gib * 1024)}M" if request.memory_gib else "",
        "time": request.minutes,
    }
    asked = {name: value for name, value in options.items() if value != ""}
    return asked | {name: value if value else True for name, value in request.extra.items()}


def _parameters(request: Request, gpus: int, name: str, folder: Path, exported: Mapping[str, str]) -> dict[str, Any]:
    """The same for submitit."""
    shared = {"name": name, "timeout_min": request.minutes, "stderr_to_stdout": True}
    if request.executor == LOCAL:
        cards = gpus if request.gpus else 0
        return shared | {"gpus_per_node": cards, "local_setup": list(request.setup)}
    options = _options(request, gpus)
    further = {key: value for key, value in options.items() if key not in ("cpus-per-task", "time")}
    further |= {"requeue": True, "chdir": str(folder.absolute())}
    return shared | {
        "cpus_per_task": request.cpus,
        "slurm_signal_delay_s": request.grace_seconds,
        "slurm_array_parallelism": request.throttle,
        "slurm_setup": [
            *(f"export {key}={shlex.quote(value)}" for key, value in exported.items()),
            *request.setup,
            _refusing_without(_python(request)),
        ],
        # srun does not take the job's number of cores over by itself since SLURM 22.05
        "slurm_srun_args": [f"--cpus-per-task={request.cpus}"],
        "slurm_additional_parameters": further,
    }


def _python(request: Request) -> str:
    """The command of Python on the node. `-P` keeps the working directory out of the imports."""
    return f"{request.python or shlex.quote(sys.executable)} -P"


def _refusing_without(python: str) -> str:
    """A line of shell that ends the job with a shell's own exit code; srun's does not tell that there is no program."""
    program = shlex.quote(shlex.split(python)[0])
    return f"command -v {program} > /dev/null || {{ echo {program} is not on this node >&2; exit {NOT_FOUND}; }}"


def _exported() -> dict[str, str]:
    """What the node is told: this program's own variables, and where its modules are."""
    own = {name: value for name, value in os.environ.items() if name.startswith("ERSATZ_")}
    path = {name: value for name, value in module_environment().items() if name == "PYTHONPATH"}
    return {**own, **path}


@contextmanager
def _submitting(request: Request, exported: Mapping[str, str]) -> Iterator[None]:
    """The environment of this process as submitit is to see it: it starts sbatch, or the job itself, with that.

    What a job that this process is in says of itself, and options that the user's shell has for sbatch, are left out:
    they would go before those of `cluster.toml`.
    """
    before = dict(os.environ)
    for name in before:
        if name.startswith(("SLURM_", "SLURMD_", "SRUN_", "SBATCH_", "SUBMITIT_")) and name not in SLURM_SETTINGS:
            del os.environ[name]
    if request.executor == LOCAL:
        os.environ.update(exported)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _quiet() -> redirect_stderr[StringIO]:
    """submitit prints what sbatch says, which the error tells anyway."""
    return redirect_stderr(StringIO())


@contextmanager
def _nothing_left(folder: Path) -> Iterator[None]:
    """Remove what the body has written into `folder` when it fails, and the folder if it was not there."""
    there = set(folder.iterdir()) if folder.is_dir() else None
    try:
        yield
    except BaseException:
        if there is None:
            disk.remove_tree(folder)
        else:
            for path in set(folder.iterdir()) - there:
                disk.remove(path)
        raise


def _refusal(told: str, request: Request) -> ErsatzError:
    """What sbatch said, as one sentence with what to do about it."""
    reason = said(_without_traceback(told))
    low = told.lower()
    if is_silence(told):
        return NoAnswer(f"The scheduler did not answer to a new job ({reason}). It may have it: look at `squeue --me`.")
    for marks, sentence in _REFUSALS:
        if any(mark in low for mark in marks):
            return Refused(f"{sentence.format(**request.plain())} (sbatch: {reason}).")
    return Refused(
        f"The scheduler refused the job: {reason}. Compare its limits with cluster.toml, or ask the administrators."
    )


def _without_traceback(told: str) -> str:
    """The lines of sbatch in an error of submitit, whose last line is Python's."""
    lines = [line for line in told.splitlines() if line.startswith(("sbatch:", "allocation failure"))]
    return "\n".join(lines) or told


_REFUSALS: Sequence[tuple[Sequence[str], str]] = (
    (
        ("invalid partition", "partition name"),
        "There is no partition {partition!r} on this cluster; name one that `sinfo` lists as partition in cluster.toml",
    ),
    (
        ("invalid account", "account/partition", "account is not permitted", "not permitted to use this partition"),
        "The account {account!r} may not submit to partition {partition!r} with quality of service {qos!r} (empty: the "
        "default); name the right ones in cluster.toml",
    ),
    (("invalid qos",), "The quality of service {qos!r} is not known or not yours; name another as qos in cluster.toml"),
    (
        ("job submit limit", "qosmaxsubmit", "assocmaxsubmit", "maximum number of jobs", "maxsubmit"),
        "You have as many jobs on the cluster as you may have; wait until some have ended, or lower throttle",
    ),
    (
        ("job violates accounting/qos policy",),
        "The job asks for more than your account may use, or you have as many jobs as you may have; lower hours, gpus, "
        "cpus or memory_gib in cluster.toml, or wait until other jobs have ended",
    ),
    (("time limit",), "The partition {partition!r} does not allow {hours:g} hours; lower hours in cluster.toml"),
    (("generic resource", "gres"), "The cluster has no GPUs named {gpus!r}; `sinfo -o %G` lists what it has"),
    (("invalid feature",), "No node has the features {constraint!r}; mend constraint in cluster.toml"),
    (
        ("node configuration is not available", "more processors requested", "memory required by task"),
        "No node has as many cores ({cpus}), as much memory ({memory_gib:g} GiB; 0: the default) or as many GPUs "
        "({gpus!r}) as the run asks for; lower them in cluster.toml or in the run",
    ),
    (
        ("array",),
        "The cluster does not allow arrays of so many tasks; ask the administrators for MaxArraySize",
    ),
    (
        ("unable to open", "permission denied", "chdir"),
        "The scheduler could not use the folder of the run; the home must be on a file system that all nodes share",
    ),
)
