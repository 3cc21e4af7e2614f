"""Any pictures in the viewer, and pictures and walls of them that open there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

from pages.components.format import breakable, plain
from pages.components.images import stored_url
from pages.components.picture_viewer import Pane, begin, place, turning, viewer
from pages.components.pressable import look_button, tile

VIEWER = "viewer"


@st.dialog("Picture", width="large", icon=":material/zoom_in:")
def look_closer(panes_at: Callable[[int], Sequence[Pane]], count: int = 1, first: int = 0) -> None:
    """`count` pictures, or linked ones, at first those at the place `first`; `panes_at` gives those at a place."""
    at = place(VIEWER, count, first)
    viewer(panes_at(at), key=VIEWER, at=at, count=count, turn=turning(VIEWER))


def pressable_picture(pane: Pane, key: str, width: int, offered: bool = True) -> bool:
    """A picture over the button that opens it; whether it was pressed, upon which the caller opens a dialog.

    In a live part, whose next turn would close a dialog, it is not `offered`: the picture is shown alone.
    """
    with tile(key, width=width, gap="xxsmall"):
        url = pane.picture
        if isinstance(url, Path):
            url = stored_url(url, url.stat().st_mtime, width)
        # a narrow screen makes the tile narrower, and the picture with it
        st.image(url, caption=breakable(plain(pane.name)), width="stretch", alt=pane.alt)
        if not offered:
            return False
        pressed = look_button("Look closer", key, icon=":material/zoom_in:")
    if pressed:
        begin(VIEWER)
    return pressed


def stored_pane(path: Path, caption: str) -> Pane:
    """A stored picture that its caption names."""
    return Pane(path, caption, f"Picture {caption}".strip())


def picture_of_wall(url: str, caption: str, alt: str, key: str, width: int) -> bool:
    """One picture of a wall over the button that opens it; whether it was pressed."""
    with tile(key, width=width, gap=None):
        st.image(url, width=width, alt=alt)
        pressed = look_button(breakable(plain(caption)) or "Look closer", key)
    if pressed:
        begin(VIEWER)
    return pressed


def pressable_wall(panes: Sequence[Pane], key: str, width: int = 128) -> None:
    """Pictures side by side, each over the button that opens it; one whose file is gone is left out."""
    there = [pane for pane in panes if isinstance(pane.picture, str) or pane.picture.is_file()]
    with st.container(horizontal=True, gap="small"):
        for number, pane in enumerate(there):
            url = pane.picture
            if isinstance(url, Path):
                url = stored_url(url, url.stat().st_mtime, width)
            if picture_of_wall(url, pane.name, pane.alt, f"{key}-{number}", width):
                look_closer(lambda at: [there[at]], len(there), number)
