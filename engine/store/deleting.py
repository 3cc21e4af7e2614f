"""Deleting folders of the home in one step, and finishing what a killed deletion left.

A folder that goes is first given a name that no reader looks at, `.NAME.<hash>.deleted`, so that no process sees half
of it. What a killed process left under such a name is removed by the next deletion beside it, and by `doctor --home`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from engine.store import disk
from engine.store.files import disk_errors

DELETED = re.compile(r"\..+\.deleted")
"""Names of what is going; earlier versions wrote no hash into them."""


def delete_folder(path: Path) -> None:
    """Remove a folder, or the link to one; what earlier deletions left beside it goes too."""
    trash = path.with_name(f".{path.name}.{secrets.token_hex(4)}.deleted")
    with disk_errors(path):
        disk.rename(path, trash)  # one step: no process sees half of it
        disk.flush_folder(trash.parent)
        remove(trash)
    finish_deletions(path.parent)


def finish_deletions(parent: Path) -> list[Path]:
    """Remove what killed deletions left in `parent`; returns what is gone."""
    gone = []
    for path in [path for path in listed(parent) if is_deleted(path)]:
        with suppress(OSError):  # what cannot be removed now, stays for the next time
            remove(path)
        if not _there(path):
            gone.append(path)
    return gone


def is_deleted(path: Path) -> bool:
    """Whether a path is what a deletion has not finished."""
    return DELETED.fullmatch(path.name) is not None


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all in it; folders that may not be written in are made so first."""
    if path.is_symlink() or not path.is_dir():
        disk.remove(path)
        return
    disk.remove_tree(path)
    if _there(path):
        for folder in [path, *path.rglob("*")]:
            with suppress(OSError):
                if folder.is_dir() and not folder.is_symlink():
                    folder.chmod(0o700)
        disk.remove_tree(path)


def listed(folder: Path) -> Iterator[Path]:
    """What is in a folder, by name; nothing of one that is missing, is no folder or may not be looked into."""
    try:
        found = sorted(folder.iterdir())
    except OSError:
        return
    yield from found


def _there(path: Path) -> bool:
    return path.is_symlink() or path.exists()
