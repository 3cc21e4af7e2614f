"""What the columns of a CSV stand for: drop-downs of its header, filled by a guess that is said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import streamlit as st

from engine.datasets.reading.header import SETTINGS, Header
from engine.datasets.reading.tables.csv_header import key as plain_name
from pages.components.format import plain

GUESSED, NONE = "", "-"
WORDS = {
    "image_column": "Image column",
    "label_column": "Class column",
    "group_column": "Patient column",
    "split_column": "Split column",
}
HELP = {
    "image_column": "The column that names the image of each row.",
    "label_column": "The column with the class of each image.",
    "group_column": "The column whose equal values must stay in one split: the patient, else a case or a lesion.",
    "split_column": "The column that says train, valid or test, if the source is split already.",
}
LONGEST = 18
"""Characters of an example that are shown."""


def show_columns(
    header: Header,
    settings: Mapping[str, Any],
    by_folders: bool,
    form: str,
    choose: Callable[[Mapping[str, Any]], None],
) -> None:
    """A drop-down for each thing that a column can stand for; `choose` gets the setting that was changed.

    Where the folders are the classes, the CSV only adds patients and splits.
    """

    def chose(setting: str, widget: str) -> None:
        choose({setting: st.session_state[widget]})

    asked = SETTINGS[2:] if by_folders else SETTINGS
    st.markdown(f"**Columns of {plain(header.table)}**")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for setting in asked:
            widget = f"{form}-{setting}-chosen"
            options, now = choices(header, setting, str(settings.get(setting) or GUESSED))
            st.session_state[widget] = now
            st.selectbox(
                WORDS[setting],
                options,
                format_func=partial(told, header, setting),
                help=HELP[setting],
                key=widget,
                on_change=chose,
                args=(setting, widget),
                width=250,
            )
    st.caption(sentence(header, asked, settings, by_folders))


def choices(header: Header, setting: str, now: str) -> tuple[list[str], str]:
    """The guess, none where that is possible, and every column; and the one of them that the setting means."""
    same = next((name for name in header.columns if name == now), None) or next(
        (name for name in header.columns if plain_name(name) == plain_name(now)), now
    )
    options = [GUESSED, *([NONE] if setting in SETTINGS[2:] and NONE not in header.columns else []), *header.columns]
    return (options, same) if same in options else ([*options, same], same)


def told(header: Header, setting: str, option: str) -> str:
    """An option in words: a column with its first values."""
    if option == GUESSED:
        if guess := header.guesses.get(setting):
            return f"{guess} (guessed)"
        if setting == "label_column" and header.one_hot:
            return f"one column a class ({len(header.one_hot)}, guessed)"
        return "none found" if setting in SETTINGS[2:] else "not clear: choose"
    if option == NONE:
        return "none"
    if option not in header.columns:
        return f"{option} (not in this CSV)"
    values = ", ".join(value[:LONGEST] for value in header.columns[option] if value)
    return f"{option}: {values}" if values else option


def sentence(header: Header, asked: tuple[str, ...], settings: Mapping[str, Any], by_folders: bool) -> str:
    """What was guessed, from what, and what nothing was found for."""
    open_ones = [setting for setting in asked if not settings.get(setting)]
    found = [
        f"{_thing(setting)} `{plain(header.guesses[setting])}`" for setting in open_ones if header.guesses[setting]
    ]
    if "label_column" in open_ones and header.one_hot:
        found.append(f"the classes {len(header.one_hot)} columns of 0 and 1")
    missing = [_thing(setting) for setting in open_ones if not header.guesses[setting]]
    if "the class" in missing and header.one_hot:
        missing.remove("the class")
    parts = ["The folders are the classes; the CSV adds what follows."] if by_folders else []
    if found:
        parts.append(f"Guessed from the header and the cells: {', '.join(found)}.")
    if missing:
        parts.append(f"No column was found for {' or '.join(missing)}.")
    return " ".join([*parts, "Choose another where that is wrong."])


def _thing(setting: str) -> str:
    return f"the {WORDS[setting].split(' ')[0].lower()}"
