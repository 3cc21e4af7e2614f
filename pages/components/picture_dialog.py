"""Any pictures in the viewer, and walls of pictures that open there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from pages.components.format import plain
from pages.components.images import stored_url
from pages.components.picture_viewer import Pane, begin, place, turning, viewer
from pages.components.pressable import listen, look_button, tile

VIEWER = "viewer"


@st.dialog("Picture", width="large", icon=":material/zoom_in:")
def look_closer(pictures: Sequence[Pane], first: int = 0) -> None:
    """Pictures one at a time, at first the one at the place `first`."""
    at = place(VIEWER, len(pictures), first)
    viewer([pictures[at]], key=VIEWER, at=at, count=len(pictures), turn=turning(VIEWER))


def pressable_wall(paths: Sequence[Path], captions: Sequence[str], key: str, width: int = 128) -> None:
    """Stored pictures side by side, each over the button that opens it; one whose file is gone is left out."""
    there = [(path, caption) for path, caption in zip(paths, captions, strict=True) if path.is_file()]
    panes = [Pane(path, caption, f"Picture {caption}".strip()) for path, caption in there]
    with st.container(horizontal=True, gap="small"):
        for number, pane in enumerate(panes):
            with tile(f"{key}-{number}", width=width, gap=None):
                st.image(stored_url(pane.path, pane.path.stat().st_mtime, width), width=width, alt=pane.alt)
                if look_button(plain(pane.name) or "Look closer", f"{key}-{number}"):
                    begin(VIEWER)
                    look_closer(panes, number)
        listen(key)
