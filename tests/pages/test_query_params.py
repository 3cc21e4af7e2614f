"""What a page writes into its address, and what the browser says that had not heard of it yet."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from pages.components import query_params

Asked = Callable[..., str]


def page() -> None:
    """A page that writes the runs it is told to, and then lets a live part look when it is told so."""
    from types import SimpleNamespace

    import streamlit as st

    from pages.components import query_params

    query_params.keep("page")
    for run in st.session_state.pop("write", ()):
        query_params.put("run", run)
    if st.session_state.pop("live", False):
        before = query_params.get_script_run_ctx
        query_params.get_script_run_ctx = lambda: SimpleNamespace(fragment_ids_this_run=["live"])  # type: ignore[assignment]
        query_params.heard()
        query_params.get_script_run_ctx = before


@pytest.fixture
def asked() -> Asked:
    """The run that the page shows when a browser asks for one."""
    app = AppTest.from_function(page)

    def ask(run: str, *, write: tuple[str, ...] = (), live: bool = False) -> str:
        app.query_params["run"] = run
        app.session_state["write"], app.session_state["live"] = write, live
        app.run()
        assert not app.exception, app.exception
        shown = app.query_params["run"]
        return shown if isinstance(shown, str) else shown[0]

    return ask


def test_the_browsers_former_address_is_taken_for_the_new_one(asked: Asked) -> None:
    assert asked("old", write=("new",)) == "new"
    assert asked("old") == "new"


def test_every_address_in_between_leads_to_the_last_one(asked: Asked) -> None:
    assert asked("old", write=("first", "second", "first")) == "first"
    assert [asked(run) for run in ("old", "second", "first")] == ["first"] * 3


def test_an_address_that_the_browser_has_heard_of_stays(asked: Asked) -> None:
    """One generator for each class is started, the first one is shown: a press there is a press on the first one."""
    asked("old", write=("first", "second", "first"))
    assert asked("first", live=True) == "first"
    assert asked("first") == "first"
    assert asked("second") == "second", "somebody went there"


@pytest.mark.parametrize("text", ["", "-1", "1.0", "\u00b2", "9" * 5000, "0x1", " 1", "1\n"])
def test_what_is_no_number_of_an_address_is_none(text: str) -> None:
    assert query_params.whole_number(text) is None
    assert query_params.whole_number("017") == 17
