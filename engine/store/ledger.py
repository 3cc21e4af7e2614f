"""The ledger of the test sets: what was read of them, sealed, revealed and planned, each in a line that stays.

<home>/ledger/
    events.jsonl            one JSON object a line; lines are added and never changed
    test_sets/<hash>.txt    the hashes of a test set's images, one a line, under their common hash

It lies beside data sets and runs, so that it outlives them. It is a record and no protection: whoever may write to the
home may edit it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from engine.store import disk
from engine.store.errors import ErsatzError
from engine.store.files import disk_errors, write_text
from engine.store.hashing import sha256_value
from engine.store.home import Home
from engine.store.locks import FileLock

Event = dict[str, Any]
"""`event` (reading, seal, reveal or plan), `time` (seconds since the epoch), `test_set`, and what belongs to it."""


def folder(home: Home) -> Path:
    return home.root / "ledger"


def events(home: Home) -> list[Event]:
    """All events in the order in which they were written.

    A line that a crash cut off is passed over: it is written before anything is done, so nothing was done.
    """
    return _read(folder(home) / "events.jsonl")


def add(home: Home, new: Callable[[list[Event]], list[Event]]) -> list[Event]:
    """Append what `new` makes of the events so far, one writer at a time; returns it.

    Events without a `time` get that of now. They are on the disk when this returns.
    """
    path = folder(home) / "events.jsonl"
    with FileLock(home.locks / "ledger"), disk_errors(path):
        disk.make_folder(path.parent)
        made = [{"time": time.time(), **event} for event in new(_read(path))]
        if made:
            lines = "".join(json.dumps(event) + "\n" for event in made)
            disk.append(path, (("" if _ends_whole(path) else "\n") + lines).encode(), flushed=True)
    return made


def keep_test_set(home: Home, images: Iterable[str]) -> str:
    """Record which images (by SHA-256) a test set holds; returns the hash that events name it by."""
    wanted = sorted(set(images))
    digest = sha256_value(wanted)
    path = _test_set(home, digest)
    if not path.is_file():
        write_text(path, "".join(f"{image}\n" for image in wanted))
    return digest


def images_of(home: Home, test_set: str) -> frozenset[str]:
    """The hashes of a test set's images; an `ErsatzError` where its file is missing or was changed."""
    return _images(_test_set(home, test_set), test_set)


@lru_cache(maxsize=256)
def _images(path: Path, digest: str) -> frozenset[str]:
    found = path.read_text().split() if path.is_file() else []
    if sha256_value(found) != digest:
        raise ErsatzError(
            f"{path} is missing or was changed; the ledger needs the test set that it recorded. Restore it from a "
            "backup."
        )
    return frozenset(found)


def _test_set(home: Home, digest: str) -> Path:
    return folder(home) / "test_sets" / f"{digest}.txt"


def _ends_whole(path: Path) -> bool:
    """Whether the last line is complete; an empty file has none that is not."""
    if not path.exists() or not path.stat().st_size:
        return True
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _read(path: Path) -> list[Event]:
    found = []
    for line in path.read_bytes().splitlines() if path.is_file() else []:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and "event" in event:
            found.append(event)
    return found
