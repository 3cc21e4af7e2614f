"""A home with a cluster in a real browser: the choice of a place shuts nobody out, and a waiting run says for what."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from benchmarks.served import Dashboard
from engine.store.home import Home
from engine.store.locks import FileLock
from engine.store.runs import State
from tests import fabricated
from tests.e2e.conftest import Tab
from tests.e2e.test_every_page_in_browser import obstacles
from tests.fabricated.clusters import make_cluster, on_cluster

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = ("train?view=new", "generate?view=Pools", "evaluate?view=New+sweep", "runs")


def test_places_in_a_browser(dashboard: Dashboard, home: Home, chromium: Browser) -> None:
    fabricated.make_everything(home)
    run = on_cluster(fabricated.make_training(home, "bleed", State.QUEUED, done=0))
    lock = FileLock(run.lock_path)
    assert lock.acquire()
    make_cluster(home)
    tab = Tab(chromium)
    found = {}
    for path in PAGES:
        page = tab.open(dashboard.url(path))
        found[path] = obstacles(tab)
        for width in (1280, 800):
            tab.resize(width)
            main = page.get_by_test_id("stMain")
            assert main.evaluate("main => main.scrollWidth - main.clientWidth") <= 1, f"{path} at {width} px"
        tab.resize(1280)
    told = page.get_by_test_id("stCaptionContainer").get_by_text("Job 123 waits for a GPU of partition gpu.")
    told.first.wait_for()

    page = tab.open(dashboard.url("train?view=new"))
    start = page.get_by_role("button", name="Start training").bounding_box()
    assert start is not None and start["y"] + start["height"] < 900, "the start is seen without scrolling"
    page.get_by_text("The cluster: partition gpu").click()
    tab.settle()
    page.get_by_text("The same from the command line").click()
    page.get_by_text("--place slurm").first.wait_for()
    tab.close()
    lock.release()
    assert {path: these for path, these in found.items() if these} == {}
