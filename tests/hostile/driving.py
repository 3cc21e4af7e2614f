"""Reads every case in a process of its own, with limits on time and memory, and says how each ended.

One process loads the readers and is forked for each case, so that a case costs a few hundredths of a second.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import resource
import select
import signal
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.corpus import Case

SECONDS = 10
"""Of the processor, for one file; `PATIENCE` by the clock, since the machine may have other work."""
PATIENCE = 60.0
MEMORY = 2**30
"""Bytes that a reader may take on top of what the loaded program has."""
ADDRESSES = 6 * 2**30
"""Bytes that it may map besides, which is more: Arrow's allocator reserves gigabytes and touches none."""
GOOD = ("read", "refused")
OF_TORCH = f"torchinductor_{getpass.getuser()}"
"""A folder that torch makes in the place for temporary files when parts of it are first used."""


@dataclass(frozen=True)
class Ending:
    """How a case ended: `read`, `refused` (an `ErsatzError` of one line), or `crashed`, `too long`, `too large`,
    `killed`, `left files`."""

    case: Case
    outcome: str
    words: str
    seconds: float
    memory: int
    """Bytes at its peak, beyond what the loaded program has."""


def drive(cases: Iterable[Case]) -> Iterator[Ending]:
    """Read the cases one after the other."""
    import torch

    from engine.store.home import Home
    from tests.hostile.reading import READERS
    from tests.hostile.valid import VALID

    torch.set_num_threads(1)  # a forked process has none of the threads that its parent computed with
    warm: set[str] = set()
    for case in cases:
        if case.kind not in warm:  # what a library loads at its first use belongs to no case
            warm.add(case.kind)
            with tempfile.TemporaryDirectory(prefix="hostile-") as place, contextlib.suppress(Exception):
                (Path(place) / "given").mkdir()
                READERS[case.kind](VALID[case.kind](), Path(place) / "given", Home(Path(place) / "home"))
        with tempfile.TemporaryDirectory(prefix="hostile-") as place:
            yield _one(case, Path(place), READERS[case.kind])


def _one(case: Case, place: Path, read: object) -> Ending:
    for name in ("given", "temporary", "elsewhere"):
        (place / name).mkdir()
    listen, tell = os.pipe()
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(listen)
        _read(case, place, read, tell)
    os.close(tell)
    ready, _, _ = select.select([listen], [], [], PATIENCE)
    said = b""
    if ready:
        while piece := os.read(listen, 2**16):
            said += piece
    else:
        os.kill(child, signal.SIGKILL)
    os.close(listen)
    _, ended = os.waitpid(child, 0)
    outcome, _, rest = said.decode("utf-8", "replace").partition("\n")
    memory, _, words = rest.partition("\n")
    if not ready:
        outcome, words = "too long", f"more than {PATIENCE:g} s"
    elif os.WIFSIGNALED(ended) and os.WTERMSIG(ended) == signal.SIGXCPU:
        outcome, words = "too long", f"more than {SECONDS} s of the processor"
    elif not outcome:
        outcome, words = "killed", "the process died"
    elif outcome in GOOD and int(memory) > MEMORY:
        outcome, words = "too large", f"{int(memory) / 2**20:.0f} MiB"
    left = [path for name in ("temporary", "elsewhere") for path in (place / name).iterdir() if path.name != OF_TORCH]
    left += [path for path in place.rglob("*") if path.name == "pwned" or (path.name.startswith(".") and path.exists())]
    if left and outcome in GOOD:
        outcome, words = "left files", ", ".join(path.name for path in left)
    return Ending(case, outcome, words, time.monotonic() - start, int(memory or 0))


def _read(case: Case, place: Path, read: object, tell: int) -> None:
    """The forked process: it never returns."""
    from engine.store.errors import ErsatzError
    from engine.store.home import Home
    from tests.hostile.reading import check_sentence

    if not os.environ.get("HOSTILE_LOUD"):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
    tempfile.tempdir = str(place / "temporary")
    os.environ["TMPDIR"] = tempfile.tempdir
    os.chdir(place / "elsewhere")
    before = _size("VmRSS")
    limit = _size("VmSize") + ADDRESSES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    try:
        read(case.content, place / "given", Home(place / "home"))  # type: ignore[operator]
        outcome, words = "read", ""
    except ErsatzError as error:
        try:
            check_sentence(error)
            outcome, words = "refused", str(error)
        except (AssertionError, UnicodeError) as wrong:
            outcome, words = "crashed", f"{wrong} in {str(error)[:200]!r}"
    except BaseException:
        outcome, words = "crashed", traceback.format_exc()[-3000:]
    peak = max(0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before)
    os.write(tell, f"{outcome}\n{peak}\n{words}".encode("utf-8", "replace"))
    os._exit(0)


def _size(field: str) -> int:
    """Bytes of this process, of /proc."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024


def bad(endings: Iterable[Ending]) -> list[Ending]:
    """Those that did not end as they should."""
    return [ending for ending in endings if ending.outcome not in GOOD]
