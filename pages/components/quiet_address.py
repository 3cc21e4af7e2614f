"""What a page shows without having been asked for it, written into its address without a step in the browser's history.

Whoever opens a page sees its newest run, say, and the address shall name that one: the link that somebody copies then
shows the same tomorrow. Streamlit makes a step of the history of every change of the address that a script asks for.
Opening a page would take two, and its way back two presses, the first of which does nothing. So a script of the browser
replaces the address instead; it draws nothing.
"""

from __future__ import annotations

import streamlit as st

PENDING, SHOWN = "address-pending", "address-shown"
# The page may have been left before its browser gets here, or have been given another address by somebody's press.
SCRIPT = """
export default function ({ data }) {
  const address = new URL(window.location.href)
  if (!address.pathname.endsWith("/" + data.page)) return
  for (const [name, value] of Object.entries(data.shown)) {
    if (!address.searchParams.get(name) || address.searchParams.get(name) === data.instead[name]) {
      address.searchParams.set(name, value)
    }
  }
  if (address.href !== window.location.href) window.history.replaceState(window.history.state, "", address)
}
"""
_replaced = st.components.v2.component("address", js=SCRIPT)


def last_shown(key: str) -> str:
    """What the choice of this key showed at the last look at this page; empty at the first."""
    return st.session_state.get(SHOWN, {}).get(key, "")


def shown(key: str, parameter: str, value: str) -> None:
    """Remember what a choice shows, and let the address say so where it says nothing, or what is not there."""
    st.session_state.setdefault(SHOWN, {})[key] = value
    said = st.query_params.get(parameter, "")
    if said != value:
        st.session_state.setdefault(PENDING, {})[parameter] = (value, said)


def forget() -> None:
    """Another page was opened: it begins with what is usual for it."""
    st.session_state[SHOWN] = {}


def write(page: str) -> None:
    """At the end of a page's script: let the browser put into its address what the page of this name shows."""
    pending: dict[str, tuple[str, str]] = st.session_state.pop(PENDING, {})
    if pending:
        values = {name: value for name, (value, _) in pending.items()}
        instead = {name: said for name, (_, said) in pending.items()}
        _replaced(data={"page": page, "shown": values, "instead": instead}, key="address", height=0)
