"""A served dashboard and this machine's Chromium: what benchmarks, browser tests and the guide's pictures drive."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from playwright.sync_api import Browser, sync_playwright

from engine.store.home import REPOSITORY, Home

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run"),
)
PATIENCE = 60.0
"""Seconds that a dashboard may take until it answers for the first time."""
NO_CHROMIUM = "there is no Chromium on this machine; install the package chromium to drive one"


class Dashboard:
    """`streamlit run app.py` of a home on a free port, which it keeps when it is ended and started again."""

    def __init__(self, home: Home, log: Path, *options: str, **environment: str):
        self.home, self.log, self.options, self.environment = home, log, options, environment
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    def url(self, path: str = "") -> str:
        return f"http://127.0.0.1:{self.port}/{path}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={self.port}"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--server.headless=true", *self.options],
                cwd=REPOSITORY,
                env={**os.environ, "ERSATZ_HOME": str(self.home.root), **self.environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        end = time.monotonic() + PATIENCE
        while not self._answers():
            if self.process.poll() is not None:
                raise RuntimeError(f"the dashboard ended: {self.log.read_text()}")
            if time.monotonic() > end:
                self.kill()
                raise RuntimeError(f"the dashboard does not answer: {self.log.read_text()}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.url("_stcore/health"), timeout=1):
                return True
        except OSError:
            return False

    def stop(self) -> None:
        """End it as whoever started it would."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)

    def kill(self) -> None:
        """End it as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def mebibytes(self) -> float:
        """Memory that the server holds."""
        return self._seen().memory_info().rss / 2**20

    def cpu_seconds(self) -> float:
        """Processor time that the server has taken so far."""
        return sum(self._seen().cpu_times()[:2])

    def _seen(self) -> psutil.Process:
        assert self.process is not None, "it was not started"
        return psutil.Process(self.process.pid)


def chromium_here() -> str | None:
    """Where the Chromium of this machine is; None when there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def chromium() -> Iterator[Browser]:
    """It, without a window."""
    path = chromium_here()
    if path is None:
        raise SystemExit(NO_CHROMIUM)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()
