"""Writes that leave the old file or the new one, never half of one."""

from __future__ import annotations

import errno
import json
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.store.errors import ErsatzError
from engine.store.read_only import refuse_writing


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a full disk or a missing permission below `path` into one sentence; a public demo permits nothing."""
    refuse_writing(path)
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ErsatzError(
                f"The disk that holds {path} is full; nothing was half-written. "
                "Free some space (delete old runs, or move the home with ERSATZ_HOME) and start again."
            ) from error
        if error.errno in (errno.EACCES, errno.EROFS):
            raise ErsatzError(
                f"{path} cannot be written ({error.strerror}); a writable folder is expected. "
                "Mend its permissions or choose another home with ERSATZ_HOME."
            ) from error
        raise


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` on success, remove it on failure."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        temporary.touch(exist_ok=False)  # readable as the umask says, where mkstemp would shut out the rest of the team
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def move_into_place(source: Path, target: Path) -> None:
    """Rename a file that is written whole over another one of the same folder, in one step."""
    with disk_errors(target):
        source.replace(target)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; it becomes `path` on success and vanishes on failure.

    Raises `ErsatzError` when `path` exists already.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            yield temporary
            if path.exists():
                raise _taken(path)
            temporary.chmod(0o755)
            try:
                temporary.rename(path)
            except OSError as error:  # another process was quicker
                if path.exists():
                    raise _taken(path) from error
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def is_leftover(path: Path) -> bool:
    """Whether `path` is what a killed process left of something half-written."""
    return re.fullmatch(r"\..+\.[a-z0-9_]{8}", path.name) is not None


def clear_leftovers(paths: Iterable[Path]) -> None:
    """Remove those of `paths` that a killed process left half-written; only for paths that nobody else writes now."""
    for path in list(paths):
        if is_leftover(path):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _taken(path: Path) -> ErsatzError:
    return ErsatzError(f"{path} exists already; a new name is expected. Choose another, or delete that folder.")


def write_bytes(path: Path, content: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    write_bytes(path, content.encode())


def write_json(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """The content of a JSON file of the home; an `ErsatzError` when it is missing or damaged."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError as error:
        raise ErsatzError(f"{path} is missing; was its folder deleted? Choose another, or make it again.") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ErsatzError(
            f"{path} is not readable as JSON ({error}); restore it from a backup or make it again."
        ) from error
