"""What a page shows before there is anything to show."""

from __future__ import annotations

import streamlit as st

from pages.components.navigation import script


def empty_state(sentence: str, icon: str, page: str, label: str) -> None:
    """What is missing and what to do next: a sentence, and the link that leads there."""
    with st.container(border=True, horizontal_alignment="center"):
        st.space("small")
        st.markdown(f"{icon} &ensp;{sentence}", width="content")
        st.page_link(script(page), label=label, icon=":material/arrow_forward:", width="content")
        st.space("small")
