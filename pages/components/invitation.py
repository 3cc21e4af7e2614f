"""An invitation: an address to copy or to point a phone at, which names nobody and shows nobody's results."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import segno
import streamlit as st

from pages.components.format import plain
from pages.components.people import login_is_on, read_only

LOCAL = ("localhost", "127.0.0.1", "::1")
QR_WIDTH = 232
"""Pixels of the code on the page."""
MODULE, QUIET = 6, 4
"""Pixels of a module, and modules of the white margin that the standard asks for (ISO/IEC 18004)."""


def invitation(label: str, page: str, query: Mapping[str, str], words: str, key: str) -> None:
    """A popover with the address of a view of this dashboard and its QR code; `words` say what it invites to."""
    with st.popover(label, icon=":material/qr_code_2:", key=key):
        address = address_of(page, query)
        st.markdown(words)
        st.code(address, language=None, wrap_lines=True)
        st.caption("The button at its right copies it. It holds no name: whoever opens it says who they are.")
        st.image(qr_code(address), width=QR_WIDTH, alt="QR code of this address")
        st.caption(who_can_open(address))


def address_of(page: str, query: Mapping[str, str]) -> str:
    """The address of a view, by the name under which this browser reaches the dashboard; only its path where none is
    known."""
    seen = urlsplit(st.context.url or "")
    folder = seen.path.rpartition("/")[0]
    return urlunsplit((seen.scheme, seen.netloc, f"{folder}/{quote(page)}", urlencode(query), ""))


@lru_cache(64)
def qr_code(address: str) -> str:
    """A QR code as a PNG in a data URL, black on white on every page, since phones read no other well.

    Error correction level Q: a quarter of it may be hidden or dirty.
    """
    return segno.make_qr(address, error="q").png_data_uri(scale=MODULE, border=QUIET)


def who_can_open(address: str) -> str:
    """Who gets how far with it."""
    host = urlsplit(address).hostname or ""
    if not host or host in LOCAL:
        return (
            "It opens on this machine alone. For others start the dashboard with `--address` and open it by the name "
            "that they will use (docs/team.md); then the invitation has that name."
        )
    if read_only():
        return f"Whoever reaches {plain(host)} may look at everything here, and change nothing."
    if login_is_on():
        return "Whoever opens it has to sign in, and may do what their role allows."
    return (
        f"Whoever reaches {plain(host)} may also change and delete everything: nobody has to sign in. docs/team.md "
        "says how to change that."
    )
