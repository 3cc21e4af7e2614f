"""Which rows of a manifest count: data sets and pools alike say in the column `excluded` why an image is left out."""

from __future__ import annotations

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
