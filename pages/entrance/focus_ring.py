"""A ring around what the keyboard has reached.

Streamlit marks links and small buttons by a faint background alone, and buttons by a ring of half the primary colour,
which stands out from the page less than WCAG asks (2.4.7, 1.4.11). The theme has no setting for it. This is therefore
the dashboard's one rule of style of its own; fields of text keep Streamlit's coloured border.
"""

from __future__ import annotations

import streamlit as st

COLOUR = "#1e7cab"
"""Stands out from the light and from the dark page alike, by at least 3 to 1."""
RULE = f"""<style>
:is(a, button, main, input[type=range], [role=tab], [role=radio], [role=option], [role=button]):focus-visible {{
  outline: 3px solid {COLOUR} !important;
  outline-offset: -2px;
}}
</style>"""


def focus_ring() -> None:
    """Add the rule to the page; it takes no room on it."""
    st.html(RULE)
