"""Supervisors and workers as forks of a process that has imported the engine, instead of new interpreters.

A start of torch takes seconds and a fork milliseconds, so thousands of journeys can be disturbed. Everything else is as
it is: the same modules run as `__main__`, with their own sessions, locks, logs and environment. The process that is
forked must have run no operator of torch, whose threads a fork does not have.
"""

from __future__ import annotations

import ctypes
import gc
import os
import runpy
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, TextIO

from engine.store import disk
from tests.faults import plugin

PR_SET_CHILD_SUBREAPER, PR_SET_NAME = 36, 15
POLL_SECONDS = 0.002


class Forked:
    """What `subprocess.Popen` is asked for by submitters and supervisors, as a fork of this process."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdin: int,
        stdout: int | IO[bytes],
        stderr: int | IO[bytes],
        text: bool = False,
        pass_fds: Sequence[int] = (),
        start_new_session: bool = False,
    ) -> None:
        assert start_new_session
        module, arguments = command[command.index("-m") + 1], command[command.index("-m") + 2 :]
        reader, writer = os.pipe() if stdout == subprocess.PIPE else (-1, _descriptor(stdout))
        lifeline, held = os.pipe() if stdin == subprocess.PIPE else (os.open(os.devnull, os.O_RDONLY), -1)
        self.args, self.returncode = command, None
        self.pid = os.fork()
        if self.pid == 0:
            _become(module, arguments, cwd, env, lifeline, writer, _descriptor(stderr), pass_fds)
        os.close(lifeline)
        self.stdin = os.fdopen(held, "wb") if held >= 0 else None
        self.stdout = None
        if stdout == subprocess.PIPE:
            os.close(writer)
            self.stdout = os.fdopen(reader, "r" if text else "rb")

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            time.sleep(POLL_SECONDS)
        assert self.returncode is not None
        return self.returncode

    def poll(self) -> int | None:
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                self.returncode = 0
            else:
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def terminate(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)


def _descriptor(stream: int | IO[bytes]) -> int:
    return stream if isinstance(stream, int) else stream.fileno()


def _become(
    module: str,
    arguments: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    given: int,
    out: int,
    error: int,
    pass_fds: Sequence[int],
) -> None:
    """Be that module from here on; never returns."""
    status = 1
    try:
        os.setsid()
        os.chdir(cwd)
        for source, target in ((given, 0), (out, 1), (error, 2)):
            os.dup2(source, target)
        kept = sorted({0, 1, 2, *pass_fds})
        for low, high in zip(kept, [*kept[1:], 65_536], strict=True):
            os.closerange(low + 1, high)
        sys.stdout, sys.stderr = _stream(1), _stream(2)
        os.environ.clear()
        os.environ.update(env)
        sys.argv = [module, *arguments]
        gc.disable()  # objects of the parent hold numbers of files that are others' here
        warnings.simplefilter("ignore")
        _be_called(plugin.MODULES[module])
        plugin.begin(plugin.MODULES[module])
        runpy.run_module(module, run_name="__main__")
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        with suppress(OSError):
            traceback.print_exc()
    finally:
        _leave(status)


def _leave(status: int) -> None:
    """End at once: what the parent is in the midst of must not be tidied up here too."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _stream(number: int) -> TextIO:
    return open(number, "w", 1, closefd=False)


def _be_called(name: str) -> None:
    """The name that `psutil` and `ps` show."""
    ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode())


def fork_instead() -> None:
    """From here on this process, and its forks, fork what they would start."""
    for imported in ("engine.jobs.submit", "engine.jobs.supervisor", "engine.jobs.pipeline"):
        sys.modules[imported].POLL_SECONDS = 0.02  # type: ignore[attr-defined]
    disk.subprocess = _Subprocess()  # type: ignore[assignment]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)  # orphans come to this process, so that their end is seen


class _Subprocess:
    Popen = Forked


def forked(action: Callable[[], Any], settings: Mapping[str, str], process: str = "command") -> int:
    """The id of a fork that does `action` with these variables of the environment; it ends with 0, or 1 and a trace."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.environ.update(settings)
        _be_called(process)
        plugin.begin(process)
        action()
        status = 0
    except BaseException:
        with suppress(OSError):
            traceback.print_exc()
    finally:
        _leave(status)


def all_ended(seconds: float) -> bool:
    """Wait until this process has no child, grandchild or orphan any more; False when it took longer."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if not pid:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
