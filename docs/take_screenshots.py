"""Take the pictures of the guide anew: `python -m docs.take_screenshots` after `make demo`.

Serves the dashboard over the home that the demo has left, opens each page in Chromium and writes
`docs/pictures/<page>.png`. Needs requirements-dev.txt and Chromium.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from benchmarks.served import Dashboard, chromium
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
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        server = Dashboard(home, Path(folder) / "streamlit.log")
        server.start()
        try:
            page = browser.new_page(color_scheme="light")
            for name, path in views(home).items():
                take(page, server.url(path), PICTURES / f"{name}.png")
                print(PICTURES / f"{name}.png")
        finally:
            server.stop()


if __name__ == "__main__":
    main()
