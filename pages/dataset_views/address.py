"""Which part of the page is shown: held in the URL, so that a link opens the same."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

PARTS = {
    "facts": "Facts",
    "findings": "Findings",
    "images": "Images",
    "split": "Split",
    "folds": "Cross-validation",
}
"""Views of one data set, by their word in the URL."""
ALL, IMPORT = "all", "import"


def go_to(view: str, **query: str) -> None:
    """Open another view of this page when the script runs next; `query` is all else that the URL then says."""
    st.query_params.from_dict({**query, "view": view})


def way_to(label: str, icon: str, view: str, **query: str) -> None:
    """A button that opens another view of this page; a link to the page that is open leaves the address as it was."""
    if st.button(label, icon=icon, key=f"to-{view}-{'-'.join(query.values())}"):
        go_to(view, **query)
        st.rerun()


def segmented(label: str, words: Mapping[str, str], shown: str, key: str) -> None:
    """Views to choose from; a choice changes the URL, and with it the page."""
    st.session_state[key] = shown

    def choose() -> None:
        chosen = st.session_state[key]
        kept = {name: st.query_params[name] for name in ("dataset",) if name in st.query_params}
        go_to(chosen, **kept)

    st.segmented_control(
        label,
        list(words),
        format_func=lambda word: words[word],
        required=True,
        label_visibility="collapsed",
        key=key,
        on_change=choose,
    )
