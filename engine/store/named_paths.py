"""Paths that somebody wrote into a field: asked about without an error of the operating system for what is no path."""

from __future__ import annotations

from pathlib import Path


def named_path(text: str) -> Path:
    """The path that is meant, `~` and `~name` too; a name of nobody stays as it is."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def is_there(path: Path) -> bool:
    """Whether there is such a file or folder; what is too long for a name is not."""
    try:
        return path.exists()
    except OSError:
        return False


def is_file_there(path: Path) -> bool:
    """As `is_there`, of a file."""
    try:
        return path.is_file()
    except OSError:
        return False
