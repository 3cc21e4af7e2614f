"""Runs a command and ends everything that came of it, whoever dies first.

    python -m tests.cluster.keeper COMMAND...

`slurmd` starts each job step as a daemon of its own, in its own session, so that neither a process group nor the death
of `slurmd` reaches it. The keeper adopts such orphans (`PR_SET_CHILD_SUBREAPER`), so all of them stay its descendants.
It kills them when its standard input ends, which happens when the process that started it ends in whatever way, and
when the command ends by itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading

import psutil

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PR_SET_CHILD_SUBREAPER = 36


def main(command: list[str]) -> None:
    """Run the command; return when it and all its descendants are dead."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "this system has no subreapers")
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        # For a keeper that is itself killed with SIGKILL: at least the command dies with it
        preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0),
    )
    threading.Thread(target=_kill_at_end_of_input, daemon=True).start()
    # Reaps adopted orphans as they end, until the command itself has ended
    while True:
        pid, _ = os.waitpid(-1, 0)
        if pid == child.pid:
            break
    kill_descendants()


def _kill_at_end_of_input() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    kill_descendants()


def kill_descendants() -> None:
    """Kill until none is left: one may start another while we look."""
    while True:
        living = [process for process in psutil.Process().children(recursive=True) if _lives(process)]
        if not living:
            return
        for process in living:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(living, timeout=0.1)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    main(sys.argv[1:])
