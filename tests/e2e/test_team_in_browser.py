"""Several people, and a browser that hears late of what the server did: nobody acts on another run than is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, WebSocketRoute, expect

from benchmarks.served import Dashboard
from engine.jobs.submit import stop
from engine.store.home import Home
from engine.store.locks import FileLock
from engine.store.runs import Run, State, list_runs
from tests import fabricated
from tests.e2e.conftest import Tab

pytestmark = [pytest.mark.slow, pytest.mark.browser]
expect.set_options(timeout=60_000)
LATE = 8_000
"""Milliseconds: some turns of the live parts."""


class Line:
    """The way between the server and a tab, on which messages can be held up."""

    def __init__(self, tab: Tab):
        self.busy = self.cut = False
        self.held: list[str | bytes] = []
        self.to_browser: WebSocketRoute | None = None
        tab.page.route_web_socket(re.compile("_stcore/stream"), self._connect)

    def _connect(self, route: WebSocketRoute) -> None:
        self.to_browser = route
        server = route.connect_to_server()
        route.on_message(lambda message: None if self.cut else server.send(message))
        server.on_message(lambda message: self.held.append(message) if self.busy else route.send(message))

    def deliver(self) -> None:
        """Let the browser have everything, in its order, and ask for nothing more."""
        assert self.to_browser is not None
        self.busy, self.cut = False, True
        for message in self.held:
            self.to_browser.send(message)
        self.held = []


@pytest.fixture
def old(home: Home) -> Iterator[Run]:
    """A stopped training; the processor is taken, so that what is started waits, and everything live asks on."""
    fabricated.make_everything(home)
    run = fabricated.make_training(home, "bleed", State.STOPPED, done=3)
    taken = FileLock(home.locks / "slot-cpu")
    assert taken.acquire()
    yield run
    for other in list_runs(home):
        if other.state().is_active:
            stop(other)
    taken.release()


def shown(tab: Tab) -> str:
    """The run that the address names."""
    return tab.page.evaluate("new URL(location.href).searchParams.get('run')") or ""


def test_two_people_start_one_run_and_a_late_browser_shows_the_new_one(
    dashboard: Dashboard, home: Home, old: Run, chromium: Browser
) -> None:
    other = fabricated.make_training(home, "normal", State.STOPPED, done=3)
    before = {run.id for run in list_runs(home)}
    ann, bo = Tab(chromium), Tab(chromium)
    line = Line(ann)
    for tab in (ann, bo):
        tab.open(dashboard.url(f"runs?run={old.id}"))
    for tab in (ann, bo):
        tab.page.get_by_role("button", name="Run again", exact=True).click(no_wait_after=True)
    for tab in (ann, bo):
        expect(tab.page.get_by_text("waits for the processor")).to_be_visible()
        tab.settle()
    (made,) = {run.id for run in list_runs(home)} - before
    assert [shown(ann), shown(bo)] == [made, made]

    # while what the server says is on its way, the browser asks on with the old address
    ann.open(dashboard.url(f"runs?run={other.id}"))
    line.busy = True
    ann.page.get_by_role("button", name="Run again", exact=True).click(no_wait_after=True)
    ann.page.wait_for_timeout(LATE)
    line.deliver()
    (newest,) = {run.id for run in list_runs(home)} - before - {made}
    expect(ann.page.get_by_text(newest, exact=True)).to_be_visible()  # not the hidden cells of the table
    assert shown(ann) == newest
    for tab in (ann, bo):
        tab.close()
