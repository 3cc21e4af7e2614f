"""Any pictures in the viewer, and pictures and walls of them that open there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

from pages.components.format import plain
from pages.components.images import stored_url
from pages.components.picture_viewer import Pane, begin, place, turning, viewer
from pages.components.pressable import listen, look_button, tile

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
        st.image(url, caption=plain(pane.name), width=width, alt=pane.alt)
        if not offered:
            return False
        pressed = look_button("Look closer", key, icon=":material/zoom_in:")
        listen(key)
    if pressed:
        begin(VIEWER)
    return pressed


def pressable_wall(paths: Sequence[Path], captions: Sequence[str], key: str, width: int = 128) -> None:
    """Stored pictures side by side, each over the button that opens it; one whose file is gone is left out."""
    there = [(path, caption) for path, caption in zip(paths, captions, strict=True) if path.is_file()]
    panes = [Pane(path, caption, f"Picture {caption}".strip()) for path, caption in there]
    with st.container(horizontal=True, gap="small"):
        for number, ((path, caption), pane) in enumerate(zip(there, panes, strict=True)):
            with tile(f"{key}-{number}", width=width, gap=None):
                st.image(stored_url(path, path.stat().st_mtime, width), width=width, alt=pane.alt)
                if look_button(plain(caption) or "Look closer", f"{key}-{number}"):
                    begin(VIEWER)
                    look_closer(lambda at: [panes[at]], len(panes), number)
        listen(key)
