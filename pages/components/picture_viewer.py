"""A viewer of pictures: zoom, pan, window and level, the previous and the next one, by mouse, touch and keyboard.

Several panes are linked: a synthetic picture and the real one beside it are always seen at the same place, as large,
and through the same window. What the reader set stays when the next picture comes.

The components for Streamlit that others keep show volumes or whole files (NIfTI, IIIF, PDF), or zoom alone; none has
linked panes, window and level, and a keyboard. This one is Streamlit's `components.v2` with three files of its own
beside this module. It asks no server for anything: pictures come to it as data URLs, drawn anew from their pixels, so
that neither an address nor a file's bytes tell where a picture is from. A quiz may show one, therefore, as long as its
`name` and `alt` give nothing away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image
from streamlit.components.v2.types import ComponentRenderer

from pages.components.images import picture_url

MOST = 2048
"""Pixels across; of a picture twice as wide or more, the mean of neighbouring pixels is shown."""
PLACE = "viewer-place"
SOURCES = Path(__file__).with_suffix("")


@dataclass(frozen=True)
class Pane:
    """One picture: its file or data URL, the words below it, and what it is for somebody who cannot see it. Texts are
    shown as they are, never as Markdown."""

    picture: Path | str
    name: str
    alt: str


def viewer(
    panes: Sequence[Pane],
    *,
    key: str,
    at: int = 0,
    count: int = 1,
    turn: Callable[[int], object] | None = None,
    label: str = "Picture",
) -> None:
    """Show linked pictures; `at` and `count` say which one of how many this is.

    `turn` is called, before the script runs again, with the place from 0 that somebody asks for. The keyboard stands on
    the viewer at once when it appears: it belongs into dialogs.
    """

    def turned() -> None:
        wanted = st.session_state[key].get("turn")
        # what a browser sends may be anything
        if turn is not None and isinstance(wanted, int) and 0 <= wanted < count:
            turn(wanted)

    shown = [{"url": _url(pane.picture), "name": pane.name, "alt": pane.alt} for pane in panes]
    told = f"{label}, {at + 1} of {count}" if count > 1 else label
    data = {"panes": shown, "at": at, "count": count if turn else 1, "label": told, "focus": True}
    _component()(key=key, data=data, on_turn_change=turned)


def begin(key: str) -> None:
    """What is opened now starts at the picture that was pressed, not where somebody turned to the last time."""
    st.session_state.pop(f"{PLACE}-{key}", None)


def place(key: str, count: int, first: int = 0) -> int:
    """The place, from 0, of the picture that somebody turned to, at first `first`."""
    return min(st.session_state.get(f"{PLACE}-{key}", first), count - 1)


def turning(key: str) -> Callable[[int], None]:
    """What a viewer calls to be shown the picture at another place."""

    def turn(wanted: int) -> None:
        st.session_state[f"{PLACE}-{key}"] = wanted

    return turn


@cache
def _component() -> ComponentRenderer:
    html, css, js = (SOURCES.with_suffix(ending).read_text(encoding="utf-8") for ending in (".html", ".css", ".js"))
    return st.components.v2.component("ersatz.picture-viewer", html=html, css=css, js=js)


def _url(picture: Path | str) -> str:
    """A picture as it is stored, as a data URL; empty when its file is gone."""
    if isinstance(picture, str):
        return picture
    try:
        return _whole_url(picture, picture.stat().st_mtime)
    except FileNotFoundError:
        return ""


@lru_cache(64)
def _whole_url(path: Path, written: float) -> str:
    with Image.open(path) as image:
        pixels = np.asarray(image)
    return picture_url(pixels, min(pixels.shape[1], MOST))
