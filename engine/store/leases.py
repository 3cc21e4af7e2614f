"""Leases: exclusive locks made of nothing but names of files, for homes on network file systems.

A lease is the folder `<path>.lease` with one file for each process that holds it. It is taken by giving a folder that
was made beside it, with the taker's file in it, that name: a rename succeeds only where there is nothing, or an empty
folder, and is one step on the server. So the following holds without any guard, however many try at once:

* One taker wins: the folder of a lease is never without a holder, and no folder replaces one that has a holder.
* The last holder frees it: each removes its own file, and then the folder, which succeeds only once it is empty.
* A dead lease is broken by removing the files of its dead holders, each by a name that never comes again. Two that
  break it remove the same files, and neither can remove what a new holder has made.

The name of a holder's file says all that is asked of it: `<lease>-<holder>-<machine>-<pid>-<start of the process>`. Its
content is for people. A holder is dead

* on its own machine, when its process is gone. The same machine is the same boot of the same kernel under the same name
  with the same numbers of processes: containers share a kernel, but often neither name nor numbers;
* elsewhere, when its heartbeat is older than `DEAD_SECONDS`. The heartbeat is the time of the file, set every
  `BEAT_SECONDS` by the server's clock, and it is compared with the server's clock. (Where a file system takes the time
  of its clients instead, their clocks must agree to a minute.)

A machine that hangs for longer loses its leases to others; `Lease.lost` tells it so when it comes back.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import secrets
import shutil
import sys
import threading
import time
import uuid
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

import psutil

from engine.store import disk
from engine.store.errors import LeaseLost
from engine.store.lock_way import home_of

BEAT_SECONDS = 10.0
DEAD_SECONDS = 120.0
"""Far more than `BEAT_SECONDS` and the minute for which a client of NFS may believe what it knows of a file."""
CLOCK_SECONDS = 60.0
"""For so long the server's clock is not asked again."""

logger = logging.getLogger(__name__)


class Holder(NamedTuple):
    """One process that holds a lease; `lease` is the same for all that hold it, `started` in ticks of the machine."""

    lease: str
    holder: str
    machine: str
    pid: int
    started: int

    @property
    def file(self) -> str:
        return "-".join(map(str, self))

    @staticmethod
    def parse(file: str) -> Holder | None:
        """The holder whose file has this name; None for what no holder has made."""
        parts = file.split("-")
        if len(parts) != len(Holder._fields) or not (parts[3].isdecimal() and parts[4].isdecimal()):
            return None
        return Holder(parts[0], parts[1], parts[2], int(parts[3]), int(parts[4]))


class Lease:
    """A lease that this process holds; `take` and `join` make it."""

    def __init__(self, folder: Path, holder: Holder):
        self.folder = folder
        self.holder = holder
        self.lost = False
        """Whether others took this process for dead and broke the lease. Noticed at the next heartbeat."""
        _beating.add(self)

    @property
    def token(self) -> str:
        """What another process joins it by."""
        return self.holder.lease

    def release(self) -> None:
        """Stop holding it; others that hold it go on. A copy of this process made by `fork` releases nothing."""
        if self.holder.pid != os.getpid() or not _beating.discard(self):
            return
        with suppress(OSError):  # what cannot be removed now is that of a dead process soon
            disk.remove(self.folder / self.holder.file)
            _remove_dead(self.folder, look_elsewhere=False)
            _remove_empty(self.folder)

    def beat(self) -> None:
        """Say that this process is alive, by the server's clock."""
        try:
            os.utime(self.folder / self.holder.file)
            _note_clock(home_of(self.folder), self.folder / self.holder.file)
        except FileNotFoundError:
            if not _beating.has(self):  # released at this moment
                return
            self.lost = True
            logger.warning(f"The lease {self.folder} was broken by another process, which took this one for dead.")
        except OSError as error:  # the server is away, say: the next heartbeat may reach it
            logger.warning(f"The lease {self.folder} could not be renewed ({error.strerror}).")


def folder_of(path: Path) -> Path:
    """The folder that is the lease on `path`."""
    return path.with_name(f"{path.name}.lease")


def take(path: Path) -> Lease | None:
    """The lease on `path`, for this process alone; None while another holds it. Raises `OSError`."""
    folder = folder_of(path)
    if any(holder.machine != this_machine() for holder in _holders(folder)):
        _read_clock(home_of(path))
    if _alive(folder) or _remove_dead(folder):
        return None
    holder = _this_process(secrets.token_hex(8))
    made = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")  # a name that `doctor` clears away
    with disk.passing("lock", path):
        made.mkdir()
        try:
            _write(made / holder.file)
            with suppress(OSError):  # not empty: another was quicker. Windows and SMB replace no empty folder either
                _remove_empty(folder)
            try:
                made.rename(folder)
            except OSError:
                # The server may have done it although its answer got lost, and others may have been quicker.
                if not (folder / holder.file).exists():
                    if folder.exists() or not made.exists():
                        return None
                    raise
        finally:
            shutil.rmtree(made, ignore_errors=True)
    with suppress(OSError):
        _note_clock(home_of(path), folder / holder.file)
    return Lease(folder, holder)


def join(path: Path, token: str) -> Lease:
    """Hold the lease on `path` together with the processes that hold it already; `LeaseLost` when they do not."""
    folder, holder = folder_of(path), _this_process(token)
    try:
        with disk.passing("lock", path):
            _write(folder / holder.file)
        others = [other for other in _holders(folder) if other.lease != token]
    except FileNotFoundError:
        others = None
    if others is None or others:
        with suppress(OSError):
            disk.remove(folder / holder.file)
            _remove_empty(folder)
        raise LeaseLost(
            f"The lock {path} was to be handed on, but its holder was taken for dead and it is another's now. "
            "Look whether the work is done already, and start it again if not."
        )
    return Lease(folder, holder)


def is_leased(path: Path) -> bool:
    """Whether some process holds the lease on `path`."""
    return _alive(folder_of(path))


def _alive(folder: Path) -> bool:
    return any(not _is_dead(folder, holder) for holder in _holders(folder))


def _remove_dead(folder: Path, look_elsewhere: bool = True) -> bool:
    """Remove the files of dead holders; whether one lives. `look_elsewhere`: also of those on other machines."""
    alive = False
    for holder in _holders(folder):
        if (look_elsewhere or holder.machine == this_machine()) and _is_dead(folder, holder):
            logger.info(f"The lease {folder} of process {holder.pid} is freed, since that is dead.")
            disk.remove(folder / holder.file)
        else:
            alive = True
    return alive


def _holders(folder: Path) -> list[Holder]:
    """Those whose files are in a lease; none where there is no lease."""
    # A client of NFS asks the server again for what it knows of a folder when that is opened, and not before.
    if hasattr(os, "O_DIRECTORY"):
        with suppress(OSError):
            os.close(os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY))
    try:
        names = os.listdir(folder)  # noqa: PTH208  (names alone are asked for, many times a second)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [holder for name in names if (holder := Holder.parse(name))]


def _is_dead(folder: Path, holder: Holder) -> bool:
    if holder.machine == this_machine() and (lives := _process_lives(holder)) is not None:
        return not lives
    return _silent(folder / holder.file)


def _process_lives(holder: Holder) -> bool | None:
    """Whether the process of a holder on this machine lives; None where the system shows no other user's processes."""
    if not _exists(holder.pid):
        return False
    try:
        return started(holder.pid) == holder.started
    except (OSError, psutil.Error):
        return None if _exists(holder.pid) else False


def _exists(pid: int) -> bool:
    """Whether there is such a process. Not by /proc, which may hide those of other users."""
    if sys.platform == "win32":
        return psutil.pid_exists(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _silent(file: Path) -> bool:
    """Whether a holder's heartbeat is too old; a file that is gone belongs to nobody."""
    try:
        if _age(file, file.stat().st_mtime) <= DEAD_SECONDS:
            return False
        with file.open("rb") as opened:  # a client of NFS then asks the server for its time
            return _age(file, os.fstat(opened.fileno()).st_mtime) > DEAD_SECONDS
    except FileNotFoundError:
        return True


def _age(file: Path, beat: float) -> float:
    return _server_clock(home_of(file.parent)) - beat


_clocks: dict[Path, tuple[float, float]] = {}
"""By home: when the clock of its server was read, and that clock less `time.monotonic()`."""


def _server_clock(root: Path) -> float:
    """The time by the clock of the server that holds the home at `root`, in Unix seconds; nothing is written.

    It is read off the files that this process writes as a holder. Before it has written any, it is this machine's own
    time: a look may then be wrong by what the clocks differ, but nobody takes a lease by it (`_read_clock`).
    """
    return time.monotonic() + _clocks[root][1] if root in _clocks else time.time()


def _note_clock(root: Path, touched: Path) -> None:
    """Read the server's clock off a file that was touched just now."""
    now = time.monotonic()
    _clocks[root] = (now, touched.stat().st_mtime - now)


def _read_clock(root: Path) -> None:
    """Read the server's clock off a file made for that, unless it was read in the last minute."""
    if root in _clocks and time.monotonic() - _clocks[root][0] < CLOCK_SECONDS:
        return
    file = root / "locks" / f".clock.{secrets.token_hex(4)}"
    with suppress(OSError):
        disk.create(file)
        os.utime(file)
        _note_clock(root, file)
        disk.remove(file)


def _remove_empty(folder: Path) -> None:
    """Remove a lease without holders; an `OSError` when it has one."""
    with disk.passing("remove", folder):
        folder.rmdir()


def _write(file: Path) -> None:
    """The file of this process as a holder; its content tells people who that is."""
    content = {"host": platform.node(), "pid": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
    disk.write(file, (json.dumps(content) + "\n").encode())


def _this_process(lease: str) -> Holder:
    return Holder(lease, secrets.token_hex(8), this_machine(), os.getpid(), started(os.getpid()))


@cache
def this_machine() -> str:
    """What is the same for processes alone that can judge each other by their numbers, as a hash."""
    if sys.platform == "linux":
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        space = str(Path("/proc/self/ns/pid").readlink())
    else:
        boot, space = hex(uuid.getnode()), ""
    return hashlib.sha256(f"{platform.node()} {boot} {space}".encode()).hexdigest()[:16]


def started(pid: int) -> int:
    """When a process started, as a number that no later process of the same id has; 0 of one that has ended (a zombie).

    Raises `OSError` or `psutil.Error` when there is none, or none that this user may see.
    """
    if sys.platform == "linux":
        # After the name, which may hold anything, in parentheses: the state, ..., as the 20th the start (man 5 proc).
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return 0 if fields[0] in ("Z", "X") else int(fields[19])
    process = psutil.Process(pid)
    return 0 if process.status() == psutil.STATUS_ZOMBIE else int(process.create_time() * 1000)


class _Beating:
    """The leases that this process holds, and the thread that renews them while there are any."""

    def __init__(self) -> None:
        self._leases: set[Lease] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, lease: Lease) -> None:
        with self._lock:
            self._leases.add(lease)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
                self._thread.start()

    def has(self, lease: Lease) -> bool:
        with self._lock:
            return lease in self._leases

    def discard(self, lease: Lease) -> bool:
        """Whether it was held until now."""
        with self._lock:
            held = lease in self._leases
            self._leases.discard(lease)
            return held

    def _run(self) -> None:
        while True:
            time.sleep(BEAT_SECONDS)
            with self._lock:
                leases = [lease for lease in self._leases if not lease.lost]
            for lease in leases:
                if self.has(lease):
                    lease.beat()


_beating = _Beating()


def _after_fork() -> None:
    """A copy of this process holds nothing, and has no thread."""
    global _beating
    _beating = _Beating()
    _clocks.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
