"""SLURM's programs: whether they are there, and what they answer."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping

from engine.store.errors import ErsatzError

NEEDED = ("sbatch", "squeue", "scancel", "scontrol", "sinfo", "srun")
SECONDS = 10.0
"""How long the scheduler may take to answer."""
SILENT = (
    "unable to contact slurm controller",
    "unable to connect",
    "connection refused",
    "connection timed out",
    "socket timed out",
    "transport endpoint is not connected",
    "zero bytes were transmitted",
    "communication connection failure",
    "name or service not known",
    "could not establish a configuration source",
    "backup controller",
)
"""What SLURM's programs say, in lower case, when the scheduler does not answer."""


class NoAnswer(ErsatzError):
    """The scheduler does not answer now. It says nothing about jobs: they go on."""


class Refused(ErsatzError):
    """The scheduler does not accept what was asked of it."""


def find_tools() -> dict[str, str]:
    """Paths of the programs of SLURM that are there, by name."""
    found = {name: shutil.which(name) for name in NEEDED}
    return {name: path for name, path in found.items() if path is not None}


def require_slurm() -> None:
    """Raise `ErsatzError` where SLURM's programs are not there."""
    found = find_tools()
    if missing := [name for name in NEEDED if name not in found]:
        raise ErsatzError(
            f"There is no {', '.join(missing)} on this machine; the programs of SLURM are expected on the PATH. Run "
            "this where jobs are submitted (a login node), or choose the place here."
        )


def call(*command: str, stdin: str | None = None) -> str:
    """What a program of SLURM prints.

    Raises `NoAnswer` when the scheduler does not answer in time, `Refused` with what it said when it answers with an
    error, and `ErsatzError` where the program is not there.
    """
    finished = ask(*command, stdin=stdin)
    if finished.returncode != 0:
        raise Refused(f"The scheduler refused it: {said(finished.stderr)}.")
    return finished.stdout


def ask(*command: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """As `call`, for what may be refused."""
    try:
        finished = subprocess.run(
            command,
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            env={**_own_environment(), "LC_ALL": "C", "SLURM_TIME_FORMAT": "standard"},
        )
    except FileNotFoundError as error:
        require_slurm()
        raise ErsatzError(f"There is no {command[0]} on this machine; it is one of SLURM's programs.") from error
    except subprocess.TimeoutExpired as error:
        raise NoAnswer(f"The scheduler did not answer within {SECONDS:g} s ({command[0]}). {_LATER}") from error
    if finished.returncode != 0 and is_silence(finished.stderr):
        raise NoAnswer(f"The scheduler does not answer ({said(finished.stderr)}). {_LATER}")
    return finished


_LATER = "Jobs go on meanwhile; try again later."


def is_silence(told: str) -> bool:
    """Whether an error of SLURM's programs means that the scheduler does not answer."""
    return any(mark in told.lower() for mark in SILENT)


def said(told: str) -> str:
    """The last error that a program of SLURM printed, without what stands before every one."""
    lines = [_BEFORE.sub("", line.strip()) for line in told.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else "no reason was given"


_BEFORE = re.compile(r"^(\w+: )?((error|fatal): )?((Batch job submission failed|allocation failure): )?")


def _own_environment() -> Mapping[str, str]:
    """The environment without what a job that this process may be in says of its own output."""
    formats = ("SQUEUE_", "SINFO_", "SACCT_", "SBATCH_")
    return {name: value for name, value in os.environ.items() if not name.startswith(formats)}
