"""Take the pictures of the guide anew: `python -m docs.take_screenshots` after `make demo`.

Serves the dashboard read-only over the home that the demo has left, opens each page in Chromium and writes
`docs/pictures/<page>.png`. Needs requirements-dev.txt and Chromium.
"""

from __future__ import annotations

import io
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

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from engine.store.home import REPOSITORY, Home
from engine.store.runs import Run, State, list_runs

PICTURES = REPOSITORY / "docs" / "pictures"
WIDTH, MOST = 1280, 1500
"""Pixels of a picture; a page longer than `MOST` is cut off below."""
COLOURS = 256
"""A palette is enough for a page, and a third of the size."""


def newest(home: Home, kind: str) -> Run:
    """The newest finished run of a kind; the demo leaves one of each."""
    finished = [run for run in list_runs(home, kind) if run.state() is State.FINISHED]
    if not finished:
        raise SystemExit(f"There is no finished {kind} run in {home.root}; run `make demo` first.")
    return finished[0]


def views(home: Home) -> dict[str, str]:
    """Path and query of each picture."""
    ids = {kind: newest(home, kind).id for kind in ("train", "pool", "quality", "sweep")}
    dataset = newest(home, "train").config()["dataset"]
    return {
        "overview": "",
        "datasets": f"datasets?dataset={dataset}",
        "train": f"train?run={ids['train']}",
        "generate": f"generate?run={ids['train']}",
        "quality": f"quality?run={ids['quality']}",
        "evaluate": f"evaluate?run={ids['sweep']}",
        "review": "review",
        "runs": "runs",
    }


@contextmanager
def served(home: Home) -> Iterator[str]:
    """The dashboard of `home` on a free port, with the address it is at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}", "--server.headless=true"]
    with subprocess.Popen(command, cwd=REPOSITORY, env={**os.environ, "ERSATZ_HOME": str(home.root)}) as server:
        try:
            address = f"http://127.0.0.1:{port}/"
            for _ in range(200):
                try:
                    with urllib.request.urlopen(f"{address}_stcore/health", timeout=1):
                        break
                except OSError:
                    time.sleep(0.2)
            yield address
        finally:
            server.terminate()


def take(page: Page, url: str, path: Path) -> None:
    """One picture of the whole page once its script has run and its figures are drawn."""
    page.set_viewport_size({"width": WIDTH, "height": 900})
    page.goto(url)
    page.locator("[data-testid=stMain] h1").first.wait_for()
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(state="attached")
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": WIDTH, "height": min(max(height, 600), MOST)})
    page.wait_for_timeout(2000)  # figures fade in
    with Image.open(io.BytesIO(page.screenshot())) as shot:
        shot.convert("RGB").quantize(COLOURS).save(path, optimize=True)


def main() -> None:
    """Every picture of the guide, in light."""
    home = Home.from_environment()
    PICTURES.mkdir(exist_ok=True)
    with served(home) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(color_scheme="light")
        for name, path in views(home).items():
            take(page, address + path, PICTURES / f"{name}.png")
            print(PICTURES / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
