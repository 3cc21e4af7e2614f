"""Which rows of a manifest count: data sets and pools alike say in the column `excluded` why an image is left out."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd


def is_usable(manifest: pd.DataFrame) -> pd.Series:
    """A mask of the rows that are not left out."""
    return manifest["excluded"] == ""


def usable(manifest: pd.DataFrame) -> pd.DataFrame:
    """The rows that are not left out, in their order and with their index."""
    return manifest[is_usable(manifest)]


def left_out(manifest: pd.DataFrame) -> pd.DataFrame:
    """The rows that are left out, by a remedy, a check, a reviewer or a person."""
    return manifest[~is_usable(manifest)]


def missing_images(folder: Path, manifest: pd.DataFrame) -> list[str]:
    """Paths in a manifest whose file is not below `folder`."""
    there: set[str] = set()
    for at, _, names in os.walk(folder / "images"):
        inside = Path(at).relative_to(folder).as_posix()
        there.update(f"{inside}/{name}" for name in names)
    return [path for path in manifest["path"] if path not in there]
