"""Faults at the seam of the store, asked for by the environment; `ERSATZ_PLUGINS` names this module to every process.

ERSATZ_FAULT    `<process>:<number>:<fault>`: at that step of the first process of that role (see `role`)
ERSATZ_FAULTS   a folder: `steps` lists every step that was taken, one a line; `done` says that the fault has happened
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from engine.store import disk
from engine.store.disk import Step, When

FAULT, FOLDER = "ERSATZ_FAULT", "ERSATZ_FAULTS"
ERRORS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EACCES": errno.EACCES}
FAULTS = (*ERRORS, "SHORT", "FULL", "KILL", "KILLED")
"""An error once; half of what was written, then a full disk; a disk that stays full; killed before and after a step."""
GROWING = {"make folder", "create", "write", "append"}
"""Steps that need room on the disk."""
MODULES = {
    "engine.jobs.supervisor": "supervisor",
    "engine.jobs.worker": "worker",
    "engine.jobs.rank": "rank",
    "multiprocessing.spawn": "helper",
}


class Place(NamedTuple):
    """Where a fault shall be: the `number`th step of a process."""

    process: str
    number: int
    fault: str

    def __str__(self) -> str:
        return f"{self.process}:{self.number}:{self.fault}"

    @classmethod
    def of(cls, text: str) -> Place:
        process, number, fault = text.split(":")
        return cls(process, int(number), fault)


def role() -> str:
    """What this process is: supervisor, worker, rank, helper of a sweep, or the command that started a run."""
    line = " ".join(sys.orig_argv)
    return next((name for module, name in MODULES.items() if module in line), "command")


@dataclass
class Faults:
    """`disk.fault`: notes every step and lets one of them fail."""

    folder: Path
    place: Place | None
    process: str
    count: int = field(default=0)

    def __call__(self, step: Step, path: Path, when: When) -> None:
        if when == "before":
            self.count += 1
            self._note("steps", f"{self.process}\t{self.count}\t{step}\t{path}")
        place = self.place
        if place is None:
            return
        if place.fault == "FULL" and step in GROWING and when == "before" and (self.folder / "done").exists():
            raise _error(errno.ENOSPC, path)
        if (self.process, self.count) != place[:2] or not self._is_moment(place.fault, step, path, when):
            return
        if not self._is_first():
            return
        if place.fault.startswith("KILL"):
            os.kill(os.getpid(), signal.SIGKILL)
        if place.fault == "SHORT":
            _cut(path)
        raise _error(ERRORS.get(place.fault, errno.ENOSPC), path)

    def _is_moment(self, fault: str, step: Step, path: Path, when: When) -> bool:
        if fault == "SHORT":
            return when == "after" and step in ("write", "append") and path.exists()
        if fault == "FULL":
            return when == "before" and step in GROWING
        return when == ("after" if fault == "KILLED" else "before")

    def _is_first(self) -> bool:
        try:
            os.close(os.open(self.folder / "done", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True

    def _note(self, name: str, line: str) -> None:
        descriptor = os.open(self.folder / name, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        os.write(descriptor, (line + "\n").encode())
        os.close(descriptor)


def _error(number: int, path: Path) -> OSError:
    return OSError(number, os.strerror(number), str(path))


def _cut(path: Path) -> None:
    """Leave the first half of a file, or of one of the files in a folder."""
    files = [path] if path.is_file() else sorted(found for found in path.rglob("*") if found.is_file())
    if files:
        os.truncate(files[-1], files[-1].stat().st_size // 2)


def begin(process: str) -> None:
    """Count and fail from here on, as the environment says."""
    folder = os.environ.get(FOLDER)
    place = os.environ.get(FAULT)
    disk.fault = Faults(Path(folder), Place.of(place) if place else None, process) if folder else None


begin(role())
