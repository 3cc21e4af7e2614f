"""The pages by their names: a page's folder, its address and its title are the same word."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import Page

from pages.components.format import plain

ICONS = {
    "overview": ":material/home:",
    "datasets": ":material/photo_library:",
    "train": ":material/model_training:",
    "generate": ":material/auto_awesome:",
    "quality": ":material/fact_check:",
    "evaluate": ":material/query_stats:",
    "review": ":material/rate_review:",
    "runs": ":material/list_alt:",
}
"""Every page in the order of the navigation; the first one opens without an address."""
FOLDER = Path(__file__).parents[1]


def script(page: str) -> Path:
    """The script of a page, as `st.switch_page` and `st.page_link` ask for it."""
    return FOLDER / page / "page.py"


def pages(account: str = "") -> list[Page]:
    """The pages for `st.navigation`; with an `account`, the name of who signed in, also the page of that name."""
    first = next(iter(ICONS))
    listed = [
        st.Page(
            script(name),
            title=name.capitalize(),
            icon=icon,
            url_path="start" if name == first else name,  # Streamlit serves it without an address, and none but that
            default=name == first,
        )
        for name, icon in ICONS.items()
    ]
    listed.append(st.Page(_to_first, title=first.capitalize(), url_path=first, visibility="hidden"))
    if account:
        listed.append(
            st.Page(script("account"), title=plain(account), icon=":material/account_circle:", url_path="account")
        )
    return listed


def _to_first() -> None:
    """The first page by its name: who follows such a link gets there too."""
    st.switch_page(script(next(iter(ICONS))), query_params=st.query_params.to_dict())
