"""Locks mean the same both ways: those of the operating system, and leases made of names of files."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.store import leases, lock_way, mounts
from engine.store.databases import in_wal_mode
from engine.store.errors import ErsatzError, LeaseLost
from engine.store.home import REPOSITORY, Home
from engine.store.lock_way import way_of
from engine.store.locks import FileLock, is_held
from engine.store.mounts import Mount
from engine.store.switching import switch_to_leases

HOLDER = """
import sys, time
from pathlib import Path
from engine.store.locks import FileLock
lock = FileLock(Path(sys.argv[1]))
print(lock.acquire(timeout=5.0), flush=True)
time.sleep(60)
"""
ADOPTER = """
import sys, time
from pathlib import Path
from engine.store.locks import FileLock
lock = FileLock.adopt(Path(sys.argv[1]), sys.argv[2])
print(True, flush=True)
time.sleep(60)
"""
TAKERS = """
import sys, time
from pathlib import Path
from engine.store.locks import FileLock
path, counter = Path(sys.argv[1]), Path(sys.argv[2])
for _ in range(20):
    lock = FileLock(path)
    assert lock.acquire(timeout=60.0)
    count = int(counter.read_text())
    time.sleep(0.002)
    counter.write_text(str(count + 1))
    lock.release()
"""


Python = Callable[..., subprocess.Popen[str]]


@pytest.fixture(params=["files", "leases"])
def lock_path(request: pytest.FixtureRequest, home: Home, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a lock in a home that locks this way."""
    monkeypatch.setenv("ERSATZ_LOCKS", request.param)
    return home.locks / "one"


@pytest.fixture
def leased(home: Home, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ERSATZ_LOCKS", "leases")
    return home.locks / "one"


@pytest.fixture
def python() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a script with arguments, once it has printed its first line; all are killed after the test."""
    started: list[subprocess.Popen[str]] = []

    def start(
        script: str, *arguments: str | Path, before: tuple[str, ...] = (), **options: object
    ) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), **options.pop("environment", {})}
        command = [*before, sys.executable, "-c", script, *map(str, arguments)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, **options)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_one_holder_at_a_time(lock_path: Path) -> None:
    assert not is_held(lock_path)
    one, other = FileLock(lock_path), FileLock(lock_path)
    assert one.acquire()
    assert is_held(lock_path)
    began = time.monotonic()
    assert not other.acquire(timeout=0.3)
    assert time.monotonic() - began >= 0.3
    one.release()
    assert not is_held(lock_path)
    assert other.acquire()
    other.release()


def test_a_killed_holder_frees_it(lock_path: Path, python: Python) -> None:
    holder = python(HOLDER, lock_path)
    assert said(holder) == "True"
    assert is_held(lock_path) and not FileLock(lock_path).acquire()
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert not is_held(lock_path)
    with FileLock(lock_path):
        assert is_held(lock_path)


def test_a_child_that_adopts_it_holds_it_on(lock_path: Path, python: Python) -> None:
    lock = FileLock(lock_path)
    assert lock.acquire()
    inherited = () if lock.is_lease else (lock.descriptor,)
    child = python(ADOPTER, lock_path, lock.key, pass_fds=inherited)
    assert said(child) == "True"
    lock.release()
    assert is_held(lock_path) and not FileLock(lock_path).acquire()
    child.kill()
    child.wait()
    assert not is_held(lock_path)


def test_many_at_once_never_share_it(lock_path: Path, tmp_path: Path, python: Python) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    takers = [python(TAKERS, lock_path, counter) for _ in range(4)]
    assert [taker.wait(60) for taker in takers] == [0] * 4
    assert counter.read_text() == "80"


def test_a_lease_of_the_dead_is_won_by_one(leased: Path, tmp_path: Path, python: Python) -> None:
    """Whoever breaks it at the same time as others."""
    holder = python(HOLDER, leased)
    assert said(holder) == "True"
    holder.kill()
    holder.wait()
    counter = tmp_path / "counter"
    counter.write_text("0")
    takers = [python(TAKERS, leased, counter) for _ in range(4)]
    assert [taker.wait(60) for taker in takers] == [0] * 4
    assert counter.read_text() == "80"


def elsewhere(lease: Path) -> Path:
    """The holder's file of a lease, as if another machine had written it."""
    (file,) = leases.folder_of(lease).iterdir()
    holder = leases.Holder.parse(file.name)
    assert holder is not None
    return file.rename(file.with_name(holder._replace(machine="0123456789abcdef", pid=1, started=1).file))


def test_a_lease_of_another_machine_ends_by_its_silence(leased: Path) -> None:
    lock = FileLock(leased)
    assert lock.acquire()
    file = elsewhere(leased)
    assert is_held(leased)  # its process is not looked for here
    silent = time.time() - leases.DEAD_SECONDS + 30
    os.utime(file, (silent, silent))
    assert is_held(leased)
    os.utime(file, (silent - 60, silent - 60))
    assert not is_held(leased)
    assert FileLock(leased).acquire()


def test_the_server_clock_counts_and_not_this_machines(leased: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = FileLock(leased)
    assert lock.acquire()
    elsewhere(leased)
    monkeypatch.setattr(time, "time", lambda: 4e9)  # this machine's clock is decades ahead
    assert is_held(leased)


def test_who_was_taken_for_dead_notices(leased: Path) -> None:
    lock = FileLock(leased)
    assert lock.acquire() and not lock.lost
    file = elsewhere(leased)
    os.utime(file, (0, 0))
    successor = FileLock(leased)
    assert successor.acquire()
    assert lock._lease is not None
    lock._lease.beat()
    assert lock.lost
    with pytest.raises(LeaseLost, match="taken for dead"):
        FileLock.adopt(leased, lock.key)


@pytest.mark.skipif(shutil.which("unshare") is None or os.geteuid() != 0, reason="needs namespaces, as root")
def test_a_machine_of_another_name_is_another_machine(leased: Path, python: Python) -> None:
    apart = (
        "unshare",
        "--uts",
        "--pid",
        "--fork",
        "--mount-proc",
        "--kill-child",
        "sh",
        "-c",
        'hostname other; exec "$0" "$@"',
    )
    holder = python(HOLDER, leased, before=apart)
    assert said(holder) == "True"
    assert is_held(leased) and not FileLock(leased).acquire()
    holder.kill()
    holder.wait()
    assert is_held(leased)  # nobody here can know yet
    (file,) = leases.folder_of(leased).iterdir()
    os.utime(file, (0, 0))
    assert not is_held(leased)


NO_LOCKS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/file.h>
int flock(int fd, int operation) { errno = ENOLCK; return -1; }
int lockf(int fd, int command, off_t size) { errno = ENOLCK; return -1; }
static int answer(const char *name, int fd, int command, void *argument) {
    if (command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW) {
        errno = ENOLCK; return -1;
    }
    return ((int (*)(int, int, void *))dlsym(RTLD_NEXT, name))(fd, command, argument);
}
int fcntl(int fd, int command, ...) {
    va_list list; va_start(list, command); void *argument = va_arg(list, void *); va_end(list);
    return answer("fcntl", fd, command, argument);
}
int fcntl64(int fd, int command, ...) {
    va_list list; va_start(list, command); void *argument = va_arg(list, void *); va_end(list);
    return answer("fcntl64", fd, command, argument);
}
"""


REVIEW_AND_CACHE = """
import time
import numpy as np
from sqlalchemy import select
from engine.features.cache import FeatureCache
from engine.review.store import ANSWERS, add, read
from engine.store.home import Home
from tests.features.test_cache import CountingBackbone, draw
home = Home.from_environment()
add(home, ANSWERS, [{"time": 1.0, "quiz": "q", "reviewer": "r", "item": 0, "answer": "real", "seconds": 1.0}])
images, hashes = draw(3)
first, again = CountingBackbone(), CountingBackbone()
one, other = FeatureCache(home, first).features(images, hashes), FeatureCache(home, again).features(images, hashes)
assert np.array_equal(one, other)
print(len(read(home, select(ANSWERS))), first.asked, again.asked)
"""


@pytest.fixture(scope="session")
def without_locks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of processes for which no file system can lock."""
    if shutil.which("gcc") is None or sys.platform != "linux":
        pytest.skip("needs gcc on Linux")
    folder = tmp_path_factory.mktemp("preload")
    (folder / "no_locks.c").write_text(NO_LOCKS)
    built = [*["gcc", "-shared", "-fPIC", "-o"], str(folder / "no_locks.so"), str(folder / "no_locks.c"), "-ldl"]
    subprocess.run(built, check=True)
    return {"LD_PRELOAD": str(folder / "no_locks.so")}


@pytest.mark.slow
def test_everything_works_where_no_file_can_be_locked(home: Home, without_locks: dict[str, str]) -> None:
    """An import, which is a run, to its end, and the list of the runs, from the command line."""

    def engine(*arguments: str) -> str:
        environment = {**os.environ, **without_locks, "ERSATZ_HOME": str(home.root)}
        command = [sys.executable, "-m", "engine", *arguments]
        done = subprocess.run(command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    engine("dataset", "import", "--name", "drawn", "--layout", "phantom")
    assert "finished" in engine("runs")
    assert "No locks available" in (home.locks / "leases").read_text()
    assert not in_wal_mode(home.database)
    assert not list(home.locks.glob("*.lease"))  # all were freed


@pytest.mark.slow
def test_reviews_and_features_are_kept_where_no_file_can_be_locked(home: Home, without_locks: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", REVIEW_AND_CACHE],
        env={**os.environ, **without_locks, "ERSATZ_HOME": str(home.root), "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.split() == ["1", "3", "0"], done.stdout + done.stderr
    for path in (home.root / "team.db", *home.cache.glob("features/*.sqlite")):
        assert not in_wal_mode(path)
    assert not list(home.locks.glob("*.lease"))


def test_a_home_is_switched_only_while_nothing_lives_in_it(home: Home) -> None:
    run = home.run("20260101-000000-one-00000000")
    run.mkdir(parents=True)
    assert not way_of(home.root).leases
    with FileLock(run / "lock"):
        with pytest.raises(ErsatzError, match="1 run is alive in this home"):
            switch_to_leases(home, "the home belongs to a cluster")
        assert not way_of(home.root, at_once=True).leases
    switch_to_leases(home, "the home belongs to a cluster")
    assert way_of(home.root, at_once=True).leases
    with FileLock(run / "lock") as lock:
        assert lock.is_lease


@pytest.mark.parametrize(
    ("kind", "network"),
    [("ext4", False), ("overlay", False), ("nfs4", True), ("lustre", True), ("fuse.sshfs", True), ("gpfs", True)],
)
def test_the_kind_of_mount_decides(kind: str, network: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        mounts, "_mounts", lambda: [(Path("/"), Mount("ext4", "disk")), (tmp_path, Mount(kind, "there"))]
    )
    lock_way._of_file_system_once.cache_clear()
    found = way_of(tmp_path, at_once=True)
    lock_way._of_file_system_once.cache_clear()
    assert found.leases is network
    assert ("leases instead of file locks, no WAL" in str(found)) is network
    assert not list(tmp_path.iterdir())  # a look writes nothing
