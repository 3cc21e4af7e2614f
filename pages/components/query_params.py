"""What a page shows is what its address says, even before the browser has heard of a new address.

With everything that a browser sends goes the address that it shows at that moment. A live part asks every two seconds;
what is on its way while a page gives itself a new address carries the old one, and would bring the old run back: under
load for seconds, and with buttons that act on it. So what a page writes is remembered for a while, and the old address
is taken for the new one, unless somebody went back in the browser's history.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import streamlit as st
from streamlit.errors import StreamlitAPIException
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.components import quiet_address

MEMORY_SECONDS = 30.0
"""No message takes longer to arrive; after that the old address is somebody's wish."""
CHANGES = "address-changes"
PAGE = "address-page"
FORMER = ("reviewer",)
"""What addresses of before held and must not be kept: the name of a person. Nobody is taken for whom a link names."""
NOTHING, NAMELESS = "nothing", "without"
"""What the URL says of a choice of nothing, and of an option that has no name."""


@dataclass(frozen=True)
class Change:
    """A parameter of the address that the server changed, and when."""

    name: str
    old: str
    new: str
    time: float


def put(name: str, value: str) -> None:
    """Write a parameter into the address; an empty value takes it out."""
    old = st.query_params.get(name, "")
    if old == value:
        return
    _remember(name, old, value)
    _write(name, value)


def put_all(values: Mapping[str, str], without: Collection[str] = ()) -> None:
    """Write several at once, one step back for the browser; `without` what widgets held that are not shown any more."""
    shown = st.query_params.to_dict()
    changed = {name: value for name, value in values.items() if shown.get(name, "") != value}
    gone = {name for name in without if name in shown}
    if not changed and not gone:
        return
    for name, value in changed.items():
        _remember(name, shown.get(name, ""), value)
    wanted = {name: value for name, value in {**shown, **changed}.items() if value and name not in gone}
    try:
        st.query_params.from_dict(wanted)
    except StreamlitAPIException:  # a widget that stays holds some of it, which is its own to write
        for name in changed:
            if not changed[name]:
                _write(name, "")
        st.query_params.update({name: value for name, value in changed.items() if value})


def keep(page: str) -> None:
    """At the start of a page: put what was written lately in the place of what the browser had not yet heard of."""
    for name in FORMER:
        st.query_params.pop(name, None)
    context = get_script_run_ctx()
    if st.session_state.get(PAGE) != page:
        quiet_address.forget()
    if st.session_state.get(PAGE) != page or (context is not None and context.is_history_navigation):
        st.session_state[CHANGES] = []
    st.session_state[PAGE] = page
    st.session_state[CHANGES] = [change for change in _changes() if time.time() - change.time < MEMORY_SECONDS]
    for change in _changes():
        if st.query_params.get(change.name, "") == change.old:
            _write(change.name, change.new)


def whole_number(text: str) -> int | None:
    """The number that an address holds, 0 or above; None when it is none, or one that no seed or count can be."""
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else None


def several_in_url(
    label: str, options: Sequence[str], parameter: str, key: str, usual: Sequence[str], words: Callable[[str], str]
) -> list[str]:
    """Pills that the URL holds: the `usual` ones while it says nothing; without any, all `options` are meant."""
    named = {option or NAMELESS: option for option in options}
    asked = st.query_params.get(parameter, "")
    chosen = [named[name] for name in asked.split(",") if name in named]
    st.session_state[key] = chosen if chosen or asked == NOTHING else list(usual)

    def choose() -> None:
        names = ",".join(option or NAMELESS for option in options if option in st.session_state[key])
        put(parameter, "" if set(st.session_state[key]) == set(usual) else names or NOTHING)

    st.pills(label, options, selection_mode="multi", format_func=words, key=key, on_change=choose)
    return [option for option in options if option in st.session_state[key]] or list(options)


def heard() -> None:
    """In a live part: an address that the browser itself has sent is no news to it any more."""
    context = get_script_run_ctx()
    if context is not None and context.fragment_ids_this_run:
        st.session_state[CHANGES] = [
            change for change in _changes() if st.query_params.get(change.name, "") != change.new
        ]


def _changes() -> list[Change]:
    return st.session_state.get(CHANGES, [])


def _remember(name: str, old: str, new: str) -> None:
    """That `new` takes the place of `old`, and of whatever was there before that the browser may still show."""
    others = [change for change in _changes() if change.name != name]
    before = [replace(change, new=new) for change in _changes() if change.name == name and change.old != new]
    # whoever asks for the page without one, as its name in the navigation does, shall have it without
    told = [Change(name, old, new, time.time())] if old else []
    st.session_state[CHANGES] = [*others, *before, *told]


def _write(name: str, value: str) -> None:
    if value:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)
