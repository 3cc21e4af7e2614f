"""Folders and archives of the server, to walk through instead of typing a path blindly. For editors only."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import streamlit as st

from engine.datasets.reading.pictures.files import is_picture
from pages.components.people import Role, require

FIELD = "import-path"
"""Key of the text field that a choice fills in."""
PLACE = "import-place"
SHOWN = 60
LOOKED_AT = 2000
"""Entries of a folder that are counted; a larger one says `2000+`."""
SOURCES = (".zip", ".npz", ".csv", ".tsv")


class Entry(NamedTuple):
    """A folder or a file that could be a source."""

    path: str
    is_folder: bool
    holds: str


def browser(last: str) -> None:
    """Walk through the folders; a press on one goes into it, on a file takes it as the source.

    It begins where the text field points to, else beside the `last` source.
    """
    require(Role.EDITOR)
    place = Path(st.session_state.get(PLACE) or beginning(st.session_state.get(FIELD, "") or last))
    with st.container(border=True):
        entries, more = listed(str(place), _changed(place))
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                "Up",
                icon=":material/arrow_upward:",
                key="browse-up",
                on_click=go,
                args=(str(place.parent),),
                disabled=place == place.parent,
            )
            st.markdown(f"`{place}`", width="stretch")
            st.button(
                "Use this folder",
                icon=":material/check:",
                key="browse-use",
                type="primary" if promising(place, entries) and not st.session_state.get(FIELD) else "secondary",
                on_click=take,
                args=(str(place),),
            )
        st.caption("Open the folder that holds one subfolder for each class (or a ZIP or a CSV), then use it.")
        if not entries:
            st.caption("Nothing here that can be opened; go up.")
        with st.container(height=230 if len(entries) > 6 else "content", border=False, gap="xxsmall"):
            for entry in entries:
                with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                    st.button(
                        Path(entry.path).name,
                        icon=":material/folder:" if entry.is_folder else ":material/description:",
                        type="tertiary",
                        key=f"browse-{entry.path}",
                        on_click=go if entry.is_folder else take,
                        args=(entry.path,),
                    )
                    st.caption(entry.holds, width="content")
        if more:
            st.caption(f"… and {more} more; type the path to get there.")


def promising(place: Path, entries: list[Entry]) -> bool:
    """Whether the folder looks like a source: it, or a folder in it, holds images."""
    return any("image" in kind for kind in (holds(str(place)), *(entry.holds for entry in entries)))


def go(path: str) -> None:
    """Show another folder."""
    st.session_state[PLACE] = path


def take(path: str) -> None:
    """Take a folder or file as the source."""
    st.session_state[FIELD] = path
    st.session_state[PLACE] = ""


def beginning(near: str) -> str:
    """The folder to begin with: as far as the path exists, else the person's own folder."""
    path = Path(near).expanduser().absolute().parent if near else Path.home()
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return str(path)


@st.cache_data(max_entries=64, ttl=30, show_spinner=False)
def listed(place: str, changed: float) -> tuple[list[Entry], int]:
    """The first entries of a folder that could be or hold a source, and how many more there are."""
    try:
        found = sorted(os.scandir(place), key=lambda entry: entry.name.lower())
    except OSError:
        return [], 0
    found = [entry for entry in found if not entry.name.startswith(".")]
    folders = [entry for entry in found if _is_folder(entry)]
    files = [entry for entry in found if entry.name.lower().endswith(SOURCES)]
    shown = [Entry(entry.path, True, holds(entry.path)) for entry in folders[:SHOWN]]
    shown += [Entry(entry.path, False, f"{entry.stat().st_size / 2**20:,.1f} MiB") for entry in files[:SHOWN]]
    return shown, max(0, len(folders) - SHOWN) + max(0, len(files) - SHOWN)


def holds(path: str) -> str:
    """What a folder holds, in a few words."""
    folders = pictures = tables = seen = 0
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                seen += 1
                if seen > LOOKED_AT:
                    break
                folders += _is_folder(entry)
                pictures += is_picture(entry.name)
                tables += entry.name.lower().endswith(SOURCES)
    except OSError:
        return "cannot be read"
    more = "+" if seen > LOOKED_AT else ""
    return ", ".join(_counted(((folders, "folder"), (pictures, "image"), (tables, "data file")), more)) or "empty"


def _counted(kinds: Iterable[tuple[int, str]], more: str) -> list[str]:
    return [f"{count}{more} {what}{'s' * (count != 1)}" for count, what in kinds if count]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _changed(place: Path) -> float:
    try:
        return place.stat().st_mtime
    except OSError:
        return 0.0
