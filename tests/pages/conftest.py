"""Pages opened without a browser, through the entrance as in the real thing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from engine.store.home import REPOSITORY, Home
from engine.store.locks import FileLock
from engine.store.runs import Run

OpenPage = Callable[..., AppTest]
ENTRY = REPOSITORY / "pages" / "entrance" / "entry.py"
"""The script that app.py serves."""


@pytest.fixture
def open_page(home: Home, monkeypatch: pytest.MonkeyPatch) -> OpenPage:
    """`open_page("train", run=...)`: the page after its first look at the home; it must not have crashed.

    With `user`, in the browser of somebody whom a provider says that of; `secrets` are those of the server.
    """
    monkeypatch.syspath_prepend(str(REPOSITORY))
    st.cache_data.clear()
    st.cache_resource.clear()

    def open_(
        page: str, /, user: dict[str, Any] | None = None, secrets: dict[str, Any] | None = None, **query: str
    ) -> AppTest:
        app = AppTest.from_file(str(ENTRY), default_timeout=30)
        app.user = dict(user or {})
        app.secrets.update(secrets or {})
        if page != "overview":
            # as `switch_page` does, but without drawing the Overview first, which would double the time of most tests
            app._page_hash = calc_hash(page)
        app.query_params.update(query)
        app.run()
        assert not app.exception, app.exception
        return app

    return open_


@pytest.fixture
def hold() -> Iterator[Callable[[Run], Run]]:
    """`hold(run)` keeps a run alive: its lock is the truth."""
    locks: list[FileLock] = []

    def take(run: Run) -> Run:
        lock = FileLock(run.lock_path)
        assert lock.acquire()
        locks.append(lock)
        return run

    yield take
    for lock in locks:
        lock.release()


def texts(app: AppTest) -> str:
    """All that the page says, in one string."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "info", "warning", "error", "success", "metric")
    found = [str(element.value) for kind in kinds for element in getattr(app, kind)]
    return "\n".join([*found, *(str(element.label) for element in app.button)])


def said_in_order(app: AppTest) -> list[str]:
    """Texts and the labels of buttons, from the top of the page to its end."""
    found = [element for element in app.main if element.type in ("markdown", "subheader", "button", "number_input")]
    return [str(element.label if element.type in ("button", "number_input") else element.value) for element in found]


def words(label: str) -> str:
    """What a reader sees of a label: a button that deletes is red, its icon too."""
    return label.removeprefix(":red[").removesuffix("]").removeprefix(":material/delete: ")


def press(app: AppTest, *labels: str) -> AppTest:
    """Press the buttons of these labels and wait for the page.

    A button in a dialog is pressed together with the one that opens it: AppTest knows whole runs only.
    """
    for label in labels:
        next(button for button in app.button if words(button.label) == label).click()
    app.run()
    assert not app.exception, app.exception
    return app
