"""The seam to the operating system: every write, rename, flush, lock and start of a process of the store passes here.

Tests put a `Fault` into `fault`, which sees each of these steps before and after it is done and may raise what a full
or broken disk would, cut off what was written, or end the process. Nothing else in the program sets it. So a test can
count the steps of a journey and let each of them fail (`tests/faults`); processes that a journey starts are reached
through `ERSATZ_PLUGINS`.

What is called *flushed* is on the disk once the function has returned, and survives a loss of power.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Literal, Protocol

Step = Literal["make folder", "create", "write", "append", "flush", "rename", "remove", "lock", "spawn"]
When = Literal["before", "after"]


class Fault(Protocol):
    """What is told of each step; raising an `OSError` makes the step fail."""

    def __call__(self, step: Step, path: Path, when: When) -> None: ...


fault: Fault | None = None
"""For tests alone."""


@contextmanager
def passing(step: Step, path: Path) -> Iterator[None]:
    """Tell of a step that the body does; "after" is told only of one that succeeded."""
    if fault is None:
        yield
        return
    fault(step, path, "before")
    yield
    fault(step, path, "after")


def make_folder(path: Path) -> None:
    """Make a folder and those above it, if they are missing."""
    if not path.is_dir():
        with passing("make folder", path):
            path.mkdir(parents=True, exist_ok=True)


def create(path: Path) -> None:
    """Make an empty file, readable as the umask says (mkstemp would shut out the rest of a team)."""
    with passing("create", path):
        path.touch(exist_ok=False)


def write(path: Path, content: bytes | memoryview) -> None:
    """Write a file that nobody else reads yet."""
    with passing("write", path):
        path.write_bytes(content)


def appended(path: Path) -> IO[bytes]:
    """A file opened for processes that append to it, such as a log."""
    with passing("append", path):
        return path.open("ab")


def overwrite(path: Path, content: bytes) -> None:
    """Write over a file in its own blocks, which a full disk permits, and flush it; a crash may leave half of it."""
    with passing("write", path), path.open("r+b") as file:
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def append(path: Path, content: bytes, flushed: bool = False) -> None:
    """Append to a file in one write; a crash may leave a part of it, which is then the file's end."""
    with passing("append", path), path.open("ab", buffering=0) as file:
        begun = file.tell()
        try:
            if file.write(content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        except OSError:
            with suppress(OSError):
                file.truncate(begun)
            raise
        if flushed:
            os.fsync(file.fileno())


def rename(source: Path, target: Path) -> None:
    """Give a file or folder another name; a file that has it already is replaced."""
    with passing("rename", target):
        source.replace(target)


def link(source: Path, target: Path) -> None:
    """The same file under a second name."""
    with passing("write", target):
        os.link(source, target)


def copy(source: Path, target: Path) -> None:
    """A copy that nobody else reads yet, with the times of the first."""
    with passing("write", target):
        shutil.copy2(source, target)


def remove(path: Path) -> None:
    """Remove a file, if it is there."""
    with passing("remove", path):
        path.unlink(missing_ok=True)


def remove_tree(path: Path) -> None:
    """Remove a folder with all in it, as far as that goes."""
    with passing("remove", path):
        shutil.rmtree(path, ignore_errors=True)


def flush(path: Path) -> None:
    """Wait until the content of a file is on the disk."""
    with passing("flush", path), path.open("r+b") as file:
        os.fsync(file.fileno())


def flush_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk. Windows has no call for that and keeps them itself."""
    if sys.platform == "win32":
        return
    with passing("flush", path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems over a network cannot
                raise
        finally:
            os.close(descriptor)


FEW = 64
"""Files up to which each is flushed by itself."""


def flush_tree(path: Path) -> None:
    """Wait until a folder with all in it is on the disk."""
    files = [Path(folder) / name for folder, _, names in os.walk(path) for name in names]
    if len(files) > FEW and sys.platform == "linux":
        with passing("flush", path):
            os.sync()  # a wait for each of 100,000 small files would take minutes; Linux returns when all is written
        return
    for file in files:
        flush(file)
    for folder, _, _ in os.walk(path, topdown=False):
        flush_folder(Path(folder))


def spawn(command: Sequence[str], **arguments: Any) -> subprocess.Popen[Any]:
    """`subprocess.Popen`."""
    with passing("spawn", Path(command[0])):
        return subprocess.Popen(command, **arguments)
