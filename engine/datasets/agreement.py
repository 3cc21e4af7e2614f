"""`manifest.csv` and `dataset.json` of a data set agree, wherever a process that writes them is killed.

Two files cannot be replaced in one step, so one of them decides: `dataset.json` names the hash of its manifest. A new
manifest is first written beside the old one, then `dataset.json` with its hash (from this moment the change has
happened), then the manifest is moved to its place. Who reads takes the file of the two that has the hash: killed before
the second step all is as before, killed after it all is as afterwards, and the next change finishes the third.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from engine.store import disk
from engine.store.files import clear_leftovers, disk_errors, move_into_place

MANIFEST = "manifest.csv"
NEXT = "manifest.next.csv"
"""The manifest that `dataset.json` names already, until it is moved to its place."""


def commit(folder: Path, write_manifest: Callable[[Path], None], write_info: Callable[[str], None]) -> None:
    """Replace both files: `write_manifest(path)`, then `write_info(hash)` of what was written there."""
    write_manifest(folder / NEXT)
    write_info(_hash((folder / NEXT).read_bytes()))
    move_into_place(folder / NEXT, folder / MANIFEST)


def manifest_bytes(folder: Path, sha256: str) -> tuple[bytes, bool]:
    """The content of the manifest with that hash, and whether it was found; without a hash (of before there was one),
    and where neither file has it, that of `manifest.csv`. Raises `OSError` when that is missing.
    """
    for name in (MANIFEST, NEXT, MANIFEST):  # another process may move the second to the first meanwhile
        try:
            content = (folder / name).read_bytes()
        except FileNotFoundError:
            continue
        if sha256 in ("", _hash(content)):
            return content, True
    return (folder / MANIFEST).read_bytes(), False


def tidy(folder: Path, sha256: str) -> None:
    """Finish or take back what a killed process left in the folder of a data set; call it with the data set's lock.

    `sha256` is the hash that `dataset.json` names.
    """
    with disk_errors(folder):
        clear_leftovers(folder.glob(".*"))
        pending = folder / NEXT
        if pending.is_file():
            if sha256 and _hash(pending.read_bytes()) == sha256:
                move_into_place(pending, folder / MANIFEST)
            else:
                disk.remove(pending)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
