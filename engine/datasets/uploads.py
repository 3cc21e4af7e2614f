"""Files that a browser sent: believed to be hostile, and kept below the home only until their reader ended."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from engine.datasets.reading.pictures.files import PICTURE_ENDINGS
from engine.store import disk
from engine.store.deleting import listed
from engine.store.errors import ErsatzError
from engine.store.files import new_folder
from engine.store.hashing import sha256_value
from engine.store.home import Home
from engine.store.read_only import refuse_writing
from engine.store.runs import Run, each, list_runs

FOLDER = "uploads"
ARCHIVES = (".zip", ".npz")
PICTURES = tuple(sorted(PICTURE_ENDINGS))
TABLES = (".csv", ".tsv")
SUFFIXES = (*ARCHIVES, *TABLES, *PICTURES)
"""Files of a data set."""
NETWORKS = (".pkl",)
MAX_FILES = 5000
MAX_DEPTH = 8
"""Folders within folders of an upload."""
MAX_BYTES = 2**29
"""The same as `server.maxUploadSize` of the dashboard, but for all files together."""
KEPT_SECONDS = 86_400.0
"""An upload that is not imported is removed after a day."""
READERS = {"import": "source", "network": "source", "projection": "image", "pool": "source"}
"""Kinds of runs that read uploads, and the setting that names the file or its folder."""


class Upload(Protocol):
    """A file as the browser sent it; its name is what the sender claims."""

    name: str
    size: int

    def getbuffer(self) -> memoryview: ...


def save_upload(home: Home, files: Sequence[Upload], suffixes: tuple[str, ...] = SUFFIXES) -> Path:
    """Write `files` below the home and return what an import takes as source: one archive, or a folder.

    Saving the same files again returns the same path. Files of a folder come with the folders in their names and keep
    them. Raises `ErsatzError` for names, kinds (other than `suffixes`), numbers or sizes that are not accepted; then
    nothing is written.
    """
    if not files:
        raise ErsatzError("No file was chosen; expected one ZIP or .npz, or images, with a CSV or without.")
    names = [safe_path(file.name) for file in files]
    _check(files, names, suffixes)
    digest = sha256_value(sorted([name, _digest(file)] for name, file in zip(names, files, strict=True)))
    folder = home.root / FOLDER / digest[:16]
    if not folder.exists():
        with new_folder(folder) as temporary:
            for name, file in zip(names, files, strict=True):
                disk.make_folder((temporary / name).parent)
                disk.write(temporary / name, file.getbuffer())
    return folder / names[0] if names[0].lower().endswith(ARCHIVES) else folder


def safe_path(name: str) -> str:
    """A claimed path below the folder that was sent, if all its parts can be plain names here, else an `ErsatzError`.

    A path that would lead out of the folder, or from the root of a disk, is cut down to its last part.
    """
    parts = name.replace("\\", "/").split("/")
    if ".." in parts or "" in parts[:-1] or len(parts) > MAX_DEPTH or ":" in parts[0]:
        parts = parts[-1:]
    return "/".join(safe_name(part) for part in parts if part != ".")


def safe_name(name: str) -> str:
    """The last part of a claimed file name if it can be a plain file here, else an `ErsatzError`."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1].strip()
    if not last or last.startswith(".") or len(last) > 200 or any(ord(sign) < 32 or sign in '<>:"|?*' for sign in last):
        raise ErsatzError(
            f"{name!r} is not accepted as a file name; expected up to 200 plain letters, digits, spaces, '.', '_' or "
            "'-', not beginning with a dot. Rename the file and upload it again."
        )
    return last


def remove_old_uploads(home: Home, dry_run: bool = False) -> list[Path]:
    """Remove uploads whose reader has finished, and those that no run is using since a day; returns them.

    A `dry_run` only says which these are.
    """
    uploads = home.root / FOLDER
    if not dry_run:
        refuse_writing(uploads)
    gone: list[Path] = []
    if not uploads.is_dir():
        return gone
    readers = [
        (run, str(config.get(field, "")))
        for kind, field in READERS.items()
        for run, config in each(list_runs(home, kind), Run.config)
    ]
    for folder in listed(uploads):
        of_folder = [run for run, source in readers if Path(source).is_relative_to(folder)]
        states = [state for _, state in each(of_folder, Run.state)]
        if any(state.is_active for state in states):
            continue
        with suppress(OSError):  # another server has just removed it
            if "finished" in states or time.time() - folder.stat().st_mtime > KEPT_SECONDS:
                gone.append(folder)
    for folder in () if dry_run else gone:
        disk.remove_tree(folder)
    return gone


def _check(files: Sequence[Upload], names: list[str], suffixes: tuple[str, ...]) -> None:
    total = sum(file.size for file in files)
    if len(files) > MAX_FILES or total > MAX_BYTES:
        raise ErsatzError(
            f"{len(files)} files of {total / 2**20:.0f} MiB were sent; at most {MAX_FILES} files of "
            f"{MAX_BYTES / 2**20:.0f} MiB are accepted. Copy them to this machine and import the folder by its path."
        )
    images = "images (PNG, JPEG, TIFF, DICOM, NIfTI, ...), a CSV, a ZIP or an .npz"
    expected = images if suffixes == SUFFIXES else ", ".join(suffixes)
    for name in names:
        if not name.lower().endswith(suffixes):
            raise ErsatzError(
                f"{name} is of a kind that is not accepted; expected {expected}. Leave it out, or send all "
                "files in one ZIP."
            )
    if len(names) > 1 and any(name.lower().endswith(ARCHIVES) for name in names):
        raise ErsatzError(
            f"{len(names)} files were sent with an archive among them; one ZIP or .npz alone is expected. "
            "Upload the archive alone, or the pictures without it."
        )
    twice = [name for name, count in Counter(name.lower() for name in names).items() if count > 1]
    if twice:
        raise ErsatzError(f"{twice[0]} was sent twice; different names are expected. Use a ZIP to keep folders apart.")


def _digest(file: Upload) -> str:
    return hashlib.sha256(file.getbuffer()).hexdigest()
