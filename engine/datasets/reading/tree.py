"""Files of a folder or a ZIP under their relative names. A ZIP is read in place; nothing of it is ever unpacked."""

from __future__ import annotations

import io
import os
import re
import stat
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from engine.datasets.reading.items import BadPicture
from engine.datasets.reading.whole_numbers import by_size
from engine.datasets.reading.zip_names import zip_names
from engine.store.archives import ZIP_ERRORS
from engine.store.errors import ErsatzError

BOMB_RATIO = 100
BOMB_BYTES = 32 * 2**20
"""A ZIP entry, or a whole ZIP, that unpacks to more than this and to `BOMB_RATIO` times its size is refused."""
LONGEST_NAME, DEEPEST = 4096, 64
"""Characters of a name and folders in each other that a ZIP may have; file systems allow no longer path."""
MOST_FILES = 1_000_000
"""Of a folder: one with more is a disk rather than a set of images, and would be read through for minutes."""
LEFT_BEHIND = frozenset({"Thumbs.db", "desktop.ini"})


class Tree(Protocol):
    """Named files; `open` raises `BadPicture`."""

    path: Path
    names: list[str]

    def open(self, name: str) -> BinaryIO: ...

    def close(self) -> None: ...


class SourceTree(Tree, Protocol):
    """All files of the source of an import."""

    folders: list[str]
    """All visible folders, empty ones too."""
    notes: list[str]
    """Sentences on how the names were read."""


class FolderTree:
    """All visible files below a folder."""

    def __init__(self, path: Path):
        self.path = path
        self.names: list[str] = []
        self.folders: list[str] = []
        self.notes: list[str] = []
        for folder, files in _walk(path):
            inside = folder.relative_to(path).as_posix()
            if inside != ".":
                self.folders.append(inside)
            before = "" if inside == "." else f"{inside}/"
            self.names += [before + name for name in files if _is_own(name) and name not in LEFT_BEHIND]
            if len(self.names) > MOST_FILES:
                raise ErsatzError(
                    f"{path} holds more than {MOST_FILES:,} files; a folder of images is expected. Name the folder in "
                    "which the images are."
                )
        self.names.sort(key=natural)

    def open(self, name: str) -> BinaryIO:
        if not (self.path / name).is_file():  # a broken link, or a pipe, which would wait for ever
            raise BadPicture("cannot be opened (there is no file behind the name)")
        try:
            return (self.path / name).open("rb")
        except OSError as error:
            raise BadPicture(f"cannot be opened ({error.strerror})") from error

    def close(self) -> None:
        """Nothing is held open."""


def _walk(path: Path) -> Iterator[tuple[Path, list[str]]]:
    """All visible folders below `path` with their files, those in linked folders too, and dangling links, which are
    reported as unreadable."""

    def refuse(error: OSError) -> None:
        raise ErsatzError(
            f"{error.filename} cannot be read ({error.strerror}); a readable folder is expected. Mend its permissions."
        ) from error

    seen = set()
    for folder, below, names in os.walk(path, onerror=refuse, followlinks=True):
        yield Path(folder), names
        seen.add(Path(folder).resolve())
        below[:] = [name for name in below if _is_own(name) and (Path(folder) / name).resolve() not in seen]


class ZipTree:
    """All visible files in a ZIP that passed `_check`."""

    def __init__(self, path: Path):
        self.path = path
        self._zip = open_zip(path)
        names, encoding = zip_names(self._zip)
        files = [(name, info) for name, info in zip(names, self._zip.infolist(), strict=True) if not info.is_dir()]
        self._entries = {name: info for name, info in files if is_visible(name)}
        self.names = sorted(self._entries, key=natural)
        folders = {name.rstrip("/") for name in names if name.endswith("/")}
        folders |= {parent.as_posix() for name in self.names for parent in PurePosixPath(name).parents}
        self.folders = [name for name in folders if is_visible(name)]
        self.notes = []
        if encoding and (shown := next((name for name in self.names if not name.isascii()), "")):
            self.notes = [
                f"The names in the ZIP do not say their encoding and were read as {encoding} (such as {shown})."
            ]

    def open(self, name: str) -> BinaryIO:
        try:
            return io.BytesIO(self._zip.read(self._entries[name]))
        except ZIP_ERRORS as error:
            raise BadPicture(f"is damaged inside the ZIP ({error})") from error

    def close(self) -> None:
        self._zip.close()


def open_zip(path: Path) -> zipfile.ZipFile:
    """A ZIP (or .npz, which is one) without unsafe names, links, passwords and bombs; else an `ErsatzError`."""
    try:
        archive = zipfile.ZipFile(path)
    except ZIP_ERRORS as error:
        raise ErsatzError(
            f"{path} cannot be read as a ZIP ({error}); a complete archive is expected. Download or pack it again."
        ) from error
    try:
        _check(archive, path)
    except BaseException:
        archive.close()
        raise
    return archive


def _check(archive: zipfile.ZipFile, path: Path) -> None:
    entries = archive.infolist()
    names = zip_names(archive)[0]
    for info, name in zip(entries, names, strict=True):
        if not info.filename:
            raise ErsatzError(f"{path} holds an entry without a name; a name is expected. Pack the images again.")
        if ".." in PurePosixPath(name).parts or name.startswith("/") or re.match(r"[A-Za-z]:", name):
            raise ErsatzError(
                f"{path} holds the entry {name!r}, which points outside the archive; relative names without "
                "'..' are expected. Pack the images again, and do not trust where it came from."
            )
        if len(name) > LONGEST_NAME or name.count("/") > DEEPEST:
            raise ErsatzError(
                f"{path} holds an entry with a name of {len(name)} characters and {name.count('/')} folders "
                f"({name[:40]!r}...); at most {LONGEST_NAME} and {DEEPEST} are expected. Pack the images again under "
                "shorter names."
            )
        if stat.S_ISLNK(info.external_attr >> 16):
            raise ErsatzError(
                f"{path} holds the symbolic link {info.filename!r}; only files are expected. "
                "Pack the images again with the files themselves (zip without -y)."
            )
        if info.flag_bits & 1:
            raise ErsatzError(f"{path} is protected by a password; an open ZIP is expected. Unpack and pack it again.")
        _check_ratio(f"{path}, entry {info.filename!r},", info.file_size, info.compress_size)
    _check_ratio(str(path), sum(info.file_size for info in entries), sum(info.compress_size for info in entries))
    if len(set(names)) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise ErsatzError(f"{path} holds {twice!r} twice; names that differ are expected. Pack the images again.")


def _check_ratio(what: str, unpacked: int, packed: int) -> None:
    if unpacked > BOMB_BYTES and unpacked > BOMB_RATIO * max(packed, 1):
        raise ErsatzError(
            f"{what} unpacks from {packed} to {unpacked} bytes, {unpacked // max(packed, 1)} times its size, as a "
            f"decompression bomb does; at most {BOMB_RATIO} times is expected. If you trust it, unpack it and import "
            "the folder."
        )


def is_visible(name: str) -> bool:
    """Not hidden, and not what operating systems leave behind."""
    parts = PurePosixPath(name).parts
    return bool(parts) and all(map(_is_own, parts)) and parts[-1] not in LEFT_BEHIND


def _is_own(part: str) -> bool:
    """Whether a file or folder of this name is the user's."""
    return not part.startswith(".") and part != "__MACOSX"


def natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key that puts 2.png before 10.png."""
    parts = filter(None, re.split(r"(\d+)", name))
    return [(0, *by_size(part)) if part.isdecimal() else (1, 0, part) for part in parts]
