"""What is wrong with the folder of a run, in a sentence: one damaged run must hide no other.

A run is whole when its `config.json` and its `status.json` can be read and are what a run of its kind has. The store
knows of both that they are JSON of some form; what the settings and the result of a kind are, the table of the kinds
adds as a check of its own (`CHECKS`). Files are examined again only once they have changed, so that a list of 2,000
runs costs two looks at the folder of each.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from engine.store.errors import ErsatzError, Missing
from engine.store.files import read_json
from engine.store.versioned import Versioned

Check = Callable[[dict[str, Any], Any], None]
"""Raises `ErsatzError` for the content of `config.json` and `status.json` that cannot be a run's."""

CHECKS: list[Check] = []
CONFIG_FILE, STATUS_FILE = "config.json", "status.json"
MEMORY = 16384
"""Runs whose examination is remembered."""

Stamp = tuple[int, int, int, int]


def damage_of(folder: Path, status: type[Versioned]) -> str:
    """Why the run in this folder cannot be shown, in a sentence; empty for a whole one. `Missing` without a folder."""
    try:
        stamps = _stamp(folder / CONFIG_FILE), _stamp(folder / STATUS_FILE)
    except OSError as error:
        require_folder(folder)
        return f"{error.filename} cannot be read ({error.strerror}); {_ADVICE}"
    found = _examined(folder, status, stamps, tuple(CHECKS))
    if found:
        require_folder(folder)  # else it was deleted while it was read
    return found


_ADVICE = "restore it from a backup, or delete the run."


def require_folder(folder: Path) -> None:
    """Raise `Missing` unless there is a folder of that name."""
    try:
        there = folder.is_dir()
    except OSError:  # the folder above may not be looked into
        return
    if not there:
        raise Missing(
            f"There is no run {folder.name} in {folder.parent}; `python -m engine runs` lists those there are."
        )


def read_config(folder: Path) -> dict[str, Any]:
    """The content of `config.json`: an object with the kind of the run; `ErsatzError` when it is none."""
    path = folder / CONFIG_FILE
    try:
        values = read_json(path)
    except Missing as error:
        require_folder(folder)
        raise ErsatzError(f"{path} is missing; {_ADVICE}") from error
    if not isinstance(values, dict) or not isinstance(values.get("kind"), str):
        raise ErsatzError(f"{path} is no object with the settings of a run and their kind; {_ADVICE}")
    return values


def _stamp(path: Path) -> Stamp:
    facts = path.stat()
    return facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size, facts.st_ino  # ctime: permissions may change too


@lru_cache(MEMORY)
def _examined(folder: Path, status: type[Versioned], stamps: tuple[Stamp, Stamp], checks: tuple[Check, ...]) -> str:
    try:
        config, told = read_config(folder), status.read(folder / STATUS_FILE)
        for check in checks:
            check(config, told)
    except ErsatzError as error:
        return str(error)
    return ""
