"""A real dashboard and a real Chromium."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright

from engine.store.home import REPOSITORY, Home

ARTEFACTS = REPOSITORY / "test-artefacts"
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run"),
)


class Dashboard:
    """`streamlit run app.py` on a free port, to be killed and started again."""

    def __init__(self, home: Home, log: Path, *options: str, **environment: str):
        self.home, self.log, self.options, self.environment = home, log, options, environment
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    def url(self, path: str = "") -> str:
        return f"http://127.0.0.1:{self.port}/{path}"

    def start(self) -> None:
        command = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={self.port}"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--server.headless=true", *self.options],
                cwd=REPOSITORY,
                env={**os.environ, "ERSATZ_HOME": str(self.home.root), **self.environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        for _ in range(300):
            try:
                with urllib.request.urlopen(self.url("_stcore/health"), timeout=1):
                    return
            except OSError:
                assert self.process.poll() is None, self.log.read_text()
                time.sleep(0.2)
        raise AssertionError(f"the dashboard does not answer: {self.log.read_text()}")

    def kill(self) -> None:
        """End it as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def dashboard(home: Home, tmp_path: Path) -> Iterator[Dashboard]:
    """A dashboard of an empty home."""
    served = Dashboard(home, tmp_path / "streamlit.log")
    served.start()
    yield served
    served.kill()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Headless Chromium of this machine."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("there is no Chromium on this machine; install the package chromium to drive one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


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
        """Make the window that wide."""
        self.width = width
        self.page.set_viewport_size({"width": width, "height": 900})

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
