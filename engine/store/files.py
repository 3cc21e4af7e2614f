"""Writes that leave the old file or the new one, never half of one."""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.store import disk
from engine.store.errors import ErsatzError, Missing
from engine.store.read_only import refuse_writing


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a full or broken disk or a missing permission below `path` into one sentence.

    A public demo permits nothing. Libraries have errors of their own for a full disk, whose message then tells.
    """
    refuse_writing(path)
    try:
        yield
    except ErsatzError:
        raise
    except Exception as error:
        number = _number(error)
        if number in (errno.ENOSPC, errno.EDQUOT):
            raise ErsatzError(
                f"The disk that holds {path} is full; nothing was half-written. "
                "Free some space (delete old runs, or move the home with ERSATZ_HOME) and start again."
            ) from error
        if number in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise ErsatzError(
                f"{path} cannot be written ({os.strerror(number)}); a writable folder is expected. "
                "Mend its permissions or choose another home with ERSATZ_HOME."
            ) from error
        if number == errno.EIO:
            raise ErsatzError(
                f"The disk that holds {path} reported an error of its own ({os.strerror(number)}); nothing was "
                "half-written. Look at the disk's health, and start again on a sound one."
            ) from error
        raise


def _number(error: Exception) -> int | None:
    """The operating system's number of an error; safetensors and Arrow tell it in words alone."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    if told := re.search(r"\(os error (\d+)\)|\[errno (\d+)\]", str(error).lower()):
        return int(told[1] or told[2])
    return errno.ENOSPC if os.strerror(errno.ENOSPC).lower() in str(error).lower() else None


@contextmanager
def replacing(path: Path, flushed: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` on success, remove it on failure.

    The new content is on the disk when this returns, unless it was not to be `flushed`: progress is no promise, and of
    thousands of small files the folder is flushed once (`disk.flush_tree`).
    """
    with disk_errors(path):
        disk.make_folder(path.parent)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            disk.create(temporary)
            with disk.passing("write", temporary):
                yield temporary
            if flushed:
                disk.flush(temporary)
            disk.rename(temporary, path)
            if flushed:
                disk.flush_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def move_into_place(source: Path, target: Path) -> None:
    """Rename a file that is written whole over another one of the same folder, in one step."""
    with disk_errors(target):
        disk.rename(source, target)
        disk.flush_folder(target.parent)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; it becomes `path` on success and vanishes on failure.

    It is on the disk, with all in it, when this returns. Raises `ErsatzError` when `path` exists already.
    """
    with disk_errors(path):
        disk.make_folder(path.parent)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with disk.passing("make folder", temporary):
                temporary.mkdir(mode=0o700)
            with disk.passing("write", temporary):
                yield temporary
            if path.exists():
                raise _taken(path)
            temporary.chmod(0o755)
            disk.flush_tree(temporary)
            try:
                with disk.passing("rename", path):
                    temporary.rename(path)  # which does not replace a folder that has something in it
            except OSError as error:  # another process was quicker
                if path.exists():
                    raise _taken(path) from error
                raise
            disk.flush_folder(path.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def set_aside(path: Path) -> Path:
    """Give something damaged another name beside its own, `NAME.<hash>.damaged`, so that it can be made again."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.damaged")
    with disk_errors(path):
        disk.rename(path, aside)
    return aside


def is_leftover(path: Path) -> bool:
    """Whether `path` is what a killed process left of something half-written."""
    return re.fullmatch(r"\..+\.[a-z0-9_]{8}", path.name) is not None


def clear_leftovers(paths: Iterable[Path]) -> None:
    """Remove those of `paths` that a killed process left half-written; only for paths that nobody else writes now."""
    for path in list(paths):
        if is_leftover(path):
            refuse_writing(path)
            disk.remove_tree(path) if path.is_dir() else disk.remove(path)


def _taken(path: Path) -> ErsatzError:
    return ErsatzError(f"{path} exists already; a new name is expected. Choose another, or delete that folder.")


def write_bytes(path: Path, content: bytes, flushed: bool = True) -> None:
    """Write a file as `replacing` does."""
    with replacing(path, flushed) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str, flushed: bool = True) -> None:
    """Write a file in UTF-8 as `replacing` does."""
    write_bytes(path, content.encode(), flushed)


def write_json(path: Path, content: Any, flushed: bool = True) -> None:
    """Write a value as JSON as `replacing` does."""
    write_text(path, json.dumps(content, indent=2) + "\n", flushed)


def read_text(path: Path) -> str:
    """The content of a text file of the home; an `ErsatzError` when it is missing, damaged or must not be read."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise Missing(f"{path} is missing; was its folder deleted? Choose another, or make it again.") from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ErsatzError(
            f"{path} cannot be read ({reason}); a readable text file is expected. Mend its permissions, restore it "
            "from a backup, or make it again."
        ) from error


def read_json(path: Path) -> Any:
    """The content of a JSON file of the home; an `ErsatzError` when it is missing or damaged."""
    content = read_text(path)
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits, and nesting without end
        raise ErsatzError(
            f"{path} is not readable as JSON ({error}); restore it from a backup or make it again."
        ) from error
