"""The end of a page before its last line. Streamlit's own, `st.stop`, would also end what stands below every page."""

from __future__ import annotations

from typing import NoReturn


class PageEnded(Exception):
    """Nothing more of the page is drawn."""


def end_page() -> NoReturn:
    """Draw nothing more of this page; outside of fragments alone, which Streamlit calls by itself."""
    raise PageEnded
