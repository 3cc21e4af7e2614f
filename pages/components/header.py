"""The head of a page in one row: its name, its views, and what it shows; pictures and plots come right below.

What the page is for is the help of its name. The row is made before anything is known of the page, and filled as
choices turn up: `with top: choose_view(...)`. Where it is too narrow for all of them, they wrap.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.dead_links import say_dead_links

CHOICE_WIDTH = 340
"""Pixels of a choice in the row: name, four views and one choice fit into 1280."""


def page_header(name: str, about: str, links: Sequence[str] = ()) -> DeltaGenerator:
    """The row with the page's name in it, to be filled with its views and choices.

    `links` are the parameters of the address that name runs: below the row it is said which of these are not here.
    """
    row = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    row.title(name, anchor=False, help=about, width="content")
    say_dead_links(links)
    return row
