"""The samples of a training in the viewer, beside the real images, and from moment to moment."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from engine.store.runs import Run
from pages.components.format import amount
from pages.components.picture_viewer import Pane, begin, place, turning, viewer

VIEWER = "samples-viewer"
ASKED = "samples-asked"
"""The name of the grid that somebody pressed, until the dialog is there."""
REALS = "reals.png"


def ask_closer(grid: Path) -> None:
    """Draw the page again, which then opens the dialog: it has to stand outside of what is drawn every few seconds."""
    st.session_state[ASKED] = grid.name
    st.rerun()


def closer_if_asked(run: Run) -> None:
    """Open the dialog when a grid of samples was pressed."""
    if name := st.session_state.pop(ASKED, ""):
        begin(VIEWER)
        closer_samples(run, name)


@st.dialog("Samples", width="large", icon=":material/zoom_in:")
def closer_samples(run: Run, name: str) -> None:
    """The real images beside what is generated after so many images; the viewer leads from moment to moment."""
    folder = run.path / "samples"
    grids = sorted(folder.glob("fakes-*.png"))
    names = [grid.name for grid in grids]
    at = place(VIEWER, len(grids), names.index(name) if name in names else len(grids) - 1)
    kimg = int(grids[at].stem.split("-")[1]) / 1000
    told = f"Generated after {amount(kimg)} kimg"
    panes = [Pane(grids[at], told, told)]
    if (folder / REALS).is_file():
        panes.insert(0, Pane(folder / REALS, "Real training images", "Real training images"))
    viewer(panes, key=VIEWER, at=at, count=len(grids), turn=turning(VIEWER), label="Moment of the training")
    st.caption("The same latents at every moment: each image keeps its place, and can be followed as it comes about.")
