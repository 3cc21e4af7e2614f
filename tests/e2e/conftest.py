"""A real dashboard and a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request

from benchmarks import served
from benchmarks.served import Dashboard
from engine.store.home import REPOSITORY, Home

ARTEFACTS = REPOSITORY / "test-artefacts"


@pytest.fixture
def dashboard(home: Home, tmp_path: Path) -> Iterator[Dashboard]:
    """A dashboard of an empty home."""
    started = Dashboard(home, tmp_path / "streamlit.log")
    started.start()
    yield started
    started.kill()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Headless Chromium of this machine."""
    if served.chromium_here() is None:
        pytest.skip(served.NO_CHROMIUM)
    with served.chromium() as browser:
        yield browser


class Tab:
    """A browser tab that remembers what went wrong in it."""

    def __init__(self, browser: Browser, scheme: str = "light", width: int = 1280):
        self.width = width
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.foreign: list[str] = []
        self.page.on("request", self._note)

    def _note(self, request: Request) -> None:
        if not request.url.startswith(("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:", "file:")):
            self.foreign.append(request.url)

    def open(self, url: str) -> Page:
        """Go there and wait until the page's script has run."""
        self.page.goto(url)
        self.page.locator("[data-testid=stMain] h1").first.wait_for()
        self.settle()
        return self.page

    def settle(self) -> None:
        self.page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(state="attached")
        self.page.wait_for_timeout(500)

    def open_file(self, path: Path) -> Page:
        """A page of the disk, in a tab of its own."""
        page = self.context.new_page()
        page.on("request", self._note)
        shown = path.rename(path.with_suffix(".html"))  # a download has no ending
        page.goto(shown.as_uri())
        return page

    def resize(self, width: int) -> None:
        """Make the window that wide, and wait until tables, which follow a moment later, are too."""
        self.width = width
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.wait_for_timeout(500)

    def screenshot(self, name: str) -> None:
        """The whole page, below `test-artefacts/`."""
        height = self.page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
        self.page.set_viewport_size({"width": self.width, "height": min(max(height + 10, 600), 4000)})
        self.page.wait_for_timeout(500)
        ARTEFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTEFACTS / f"{name}.png")
        self.page.set_viewport_size({"width": self.width, "height": 900})

    def close(self) -> None:
        self.context.close()


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Tab]:
    """A tab that must never ask another machine for anything."""
    opened = Tab(chromium)
    yield opened
    opened.close()
    assert not opened.foreign, "the page asked other machines"
