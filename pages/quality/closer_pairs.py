"""Pairs of a check in the viewer: a synthetic image and its nearest real one, seen at the same place and window."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from engine.sampling.pools import Pool
from pages.components.format import plain
from pages.components.picture_viewer import Pane, place, turning, viewer

FEATURES, PIXELS = "Features", "Pixels"
"""What a neighbour is nearest by."""
VIEWER = "pair-viewer"


def beside(row: Mapping[Hashable, Any], by: str, pool: Pool, folder: Path) -> tuple[Path, str]:
    """The picture to hold a synthetic one beside, and what that is; of a repeat the one that it repeats."""
    if row["flag"] == "repeat":
        return pool.path / row["twin"], "Its twin in the pool"
    return folder / (row["neighbour"] if by == FEATURES else row["pixel_neighbour"]), "Nearest real"


@st.dialog("A synthetic image beside its neighbour", width="large", icon=":material/compare:")
def closer_pair(among: pd.DataFrame, path: str, by: str, pool: Pool, folder: Path) -> None:
    """Both pictures of a pair, linked; the viewer leads to the other pairs `among` these rows."""
    at = place(VIEWER, len(among), among["path"].tolist().index(path))
    row = among.iloc[at].to_dict()
    other, words = beside(row, by, pool, folder)
    panes = [
        Pane(file, name, f"{name} image of the class {row['class']}")
        for file, name in ((pool.path / row["path"], "Synthetic"), (other, words))
    ]
    viewer(panes, key=VIEWER, at=at, count=len(among), turn=turning(VIEWER), label="Pair")
    st.caption(facts(row, by))


def facts(row: Mapping[Hashable, Any], by: str) -> str:
    """What the check says of a pair, in a line."""
    told = [plain(f"{row['class']} {Path(row['path']).stem}"), f"ratio {row['ratio']:.2f}"]
    if by == PIXELS:
        moved = f", moved by {row['shift_x']}, {row['shift_y']}" if row["shift_x"] or row["shift_y"] else ""
        told.append(f"pixel distance {row['pixel_distance']:.3f}{moved}{', mirrored' if row['mirrored'] else ''}")
    if row["excluded"]:
        told.append(f"**excluded**: {plain(row['excluded'])}")
    return " · ".join(told)
