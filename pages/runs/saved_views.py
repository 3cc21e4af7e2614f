"""Columns and order of the table, and views: columns, order and filters under a name, for everybody of this home.

What is chosen is in the address; a view's name is too (`?saved=`), and its link opens it in another browser.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from engine.store.run_views import NAME_LENGTH, View, delete_view, run_views, save_view
from pages.components.errors import keep, show_unsaved
from pages.components.format import plain
from pages.components.home import home
from pages.components.people import Role, guarded, require
from pages.components.place import has_cluster
from pages.components.query_params import put
from pages.components.widget_keys import widget_key

COLUMNS = {
    "state": "State",
    "what": "Run",
    "alarm": "Alarm",
    "difference": "Difference",
    "interval": "Interval",
    "kid": "KID",
    "outcome": "Result",
    "where": "Where",
    "progress": "Progress",
    "curve": "Trend",
    "journey": "Journey",
    "dataset": "Data set",
    "tags": "Tags",
    "archived": "Archived",
    "started": "Started",
    "duration": "Duration",
    "owner": "Owner",
    "run": "Id",
}
"""Every column by its name in the address, in the order of the table."""
HIDDEN = ("journey",)
"""Those that are shown only when somebody asks for them."""
ELSEWHERE = ("where",)
"""Those that only homes with a cluster have."""
LISTS = ("state", "kind", "dataset", "tag", "owner", "columns")
SWITCHES = ("archived", "grouped")
TEXTS = ("search",)
SAVED, RECALLED = "saved", "recalled-view"


def chosen_columns() -> tuple[list[str], bool]:
    """The columns to show, and whether runs stand with their journey; with the views to keep and to recall."""
    with st.container(horizontal=True, vertical_alignment="center", width="content"):
        by_journey = st.toggle("By journey", key="grouped", bind="query-params")
        with st.popover("Columns", icon=":material/view_column:", type="tertiary"):
            picked = st.pills(
                "Columns",
                offered_columns(),
                selection_mode="multi",
                default=usual_columns(),
                format_func=COLUMNS.__getitem__,
                key="columns",
                bind="query-params",
            )
        _views()
    show_unsaved()
    return [name for name in COLUMNS if name in picked] or usual_columns(), bool(by_journey)


def offered_columns() -> list[str]:
    """The columns that this home can fill."""
    return [name for name in COLUMNS if name not in ELSEWHERE or has_cluster()]


def usual_columns() -> list[str]:
    """Those that are shown unless somebody asks for others."""
    return [name for name in offered_columns() if name not in HIDDEN]


def recall_linked_view() -> None:
    """Before the widgets are drawn: the view that a link names, once for each time that it is asked for."""
    name = st.query_params.get(SAVED, "")
    if name == st.session_state.get(RECALLED, ""):
        return
    st.session_state[RECALLED] = name
    if (view := run_views(home()).get(name)) is not None:
        _set(view, but=st.query_params.to_dict())


def _views() -> None:
    views = run_views(home())
    shown = st.query_params.get(SAVED, "")
    with st.popover(
        f"Views: {plain(shown)}" if shown in views else "Views", icon=":material/bookmarks:", type="tertiary"
    ):
        if not views:
            st.caption("Keep columns and filters under a name, for everybody who works here.")
        for name, view in views.items():
            with st.container(horizontal=True, vertical_alignment="center"):
                st.button(
                    plain(name),
                    icon=":material/check:" if name == shown else ":material/bookmark:",
                    type="tertiary",
                    key=widget_key("recall", name, view),
                    on_click=recall,
                    args=(name, view),
                    width="stretch",
                )
                st.button(
                    "Delete",
                    icon=":material/delete:",
                    type="tertiary",
                    key=widget_key("forget", name, view),
                    on_click=keep,
                    args=(forget, name),
                    **guarded(Role.EDITOR),
                )
        with st.form("keep-view", border=False, clear_on_submit=True):
            st.text_input("Name", key="view-name", max_chars=NAME_LENGTH, placeholder="Sweeps of chest CT, …")
            st.form_submit_button(
                "Keep what is shown",
                icon=":material/bookmark_add:",
                on_click=keep,
                args=(save,),
                **guarded(Role.EDITOR),
            )


def recall(name: str, view: View) -> None:
    """Show a view: before the page is drawn."""
    st.session_state[RECALLED] = name
    put(SAVED, name)
    _set(view)


def save() -> None:
    """Keep the columns and filters that are shown under the name that was typed."""
    require(Role.EDITOR)
    name = save_view(home(), st.session_state.get("view-name", ""), _shown())
    st.session_state[RECALLED] = name
    put(SAVED, name)


def forget(name: str) -> None:
    """Delete a view."""
    require(Role.EDITOR)
    delete_view(home(), name)
    if st.query_params.get(SAVED) == name:
        put(SAVED, "")


def _shown() -> View:
    """What is chosen now, without what is as usual."""
    state = st.session_state
    lists: View = {key: list(state[key]) for key in LISTS if state.get(key)}
    if lists.get("columns") == usual_columns():
        del lists["columns"]
    switches: View = {key: True for key in SWITCHES if state.get(key)}
    return {**lists, **switches, **{key: str(state[key]) for key in TEXTS if state.get(key)}}


def _set(view: View, but: dict[str, Any] | None = None) -> None:
    """Let the widgets show a view; those that the address says something of, `but`, stay as it says."""
    for key in (*LISTS, *SWITCHES, *TEXTS):
        if key in (but or {}):
            continue
        value = view.get(key)
        if key in LISTS:
            usual, offered = (usual_columns(), offered_columns()) if key == "columns" else ([], [])
            texts = (
                [text for text in value if key != "columns" or text in offered] if isinstance(value, list) else usual
            )
            st.session_state[key] = texts
        elif key in SWITCHES:
            st.session_state[key] = value is True
        else:
            st.session_state[key] = value if isinstance(value, str) else ""
