"""A home on a disk that is full in truth: a small file system in memory, filled up to the last bytes.

It is mounted in a name space of this process and its children, so that nothing of it stays.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.faults.trials import Bench, Trial

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
HOME_MIB = 64
ROOM = (0, 4, 12, 40, 100, 250, 600, 1500)
"""KiB that are free when a step begins."""
BALLAST = "ballast"


class NotPermitted(Exception):
    """This user may mount nothing here."""


def mount_small_disk(folder: Path, mib: int) -> None:
    """Mount an empty file system of that size on a folder, for this process and those it starts alone.

    Raises `NotPermitted` where that is forbidden.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWNS):
        if libc.unshare(CLONE_NEWNS | CLONE_NEWUSER):
            raise NotPermitted(os.strerror(ctypes.get_errno()))
        with suppress(OSError):
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"0 {user} 1")
            Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(folder)]
    for command in (["mount", "--make-rprivate", "/"], mount):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise NotPermitted(done.stderr.strip())


def fill(folder: Path, kib_left: int) -> Path:
    """Fill the disk of a folder but for so many KiB; returns the file that takes the room."""
    ballast = folder / BALLAST
    with ballast.open("wb", buffering=0) as file:
        with suppress(OSError):
            while file.write(b"\0" * 65_536):
                pass
        file.truncate(max(0, file.tell() - 1024 * kib_left))
    return ballast


def on_full_disk(bench: Bench, step: str, kib_left: int) -> Trial:
    """Take a step on a full disk, free the room, take it again, and compare."""
    bench.reset(step)
    ballast = fill(bench.root, kib_left)
    trial = Trial(step, f"{kib_left} KiB", "full disk")
    trial.sentences = (bench.take(step),)
    ballast.unlink()
    trial.reached = bool(trial.sentences[0])
    unlike = trial.sentences[0] and "is full" not in trial.sentences[0] and "No space" not in trial.sentences[0]
    trial = bench.again(trial)
    if unlike:
        trial.problems += (f"not the sentence of a full disk: {trial.sentences[0]}",)
    return trial
