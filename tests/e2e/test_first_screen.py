"""What is seen without scrolling: every page's picture or plot; and the ways back and on, a press each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from benchmarks.served import Dashboard
from engine.store.home import Home
from pages.entrance.loading_ahead import KINDS, programs
from tests import fabricated
from tests.e2e.conftest import Tab

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = ("", "datasets", "train", "generate", "quality", "evaluate", "runs")
"""Without Review: it asks for a name first, and a picture before that would end the blinding."""
WINDOWS = ((1280, 900), (1920, 1080))
LEAST = 0.6
"""Of the picture, measured from its top."""
SMALLEST = 60
"""Pixels; what is smaller is an icon."""
PICTURES = "img, .js-plotly-plot"
TABLES = {"runs": "[data-testid=stDataFrame]"}
"""What a page shows in the place of a picture: the table of all runs, with their curves in it."""
SHARE_SEEN = """([what, smallest]) => Math.max(0, ...[...document.querySelectorAll(what)]
    .map(one => one.getBoundingClientRect())
    .filter(box => Math.min(box.width, box.height) >= smallest && box.top >= 0)
    .map(box => Math.min(1, (window.innerHeight - box.top) / box.height)))"""


@pytest.fixture
def tab_of_all(dashboard: Dashboard, home: Home, chromium: Browser) -> Iterator[Tab]:
    """One tab for everything, over a home where each step was done."""
    fabricated.make_everything(home, quality=True)
    tab = Tab(chromium)
    yield tab
    tab.close()


def test_every_first_screen_holds_its_picture_and_back_takes_one_press(tab_of_all: Tab, dashboard: Dashboard) -> None:
    tab, page = tab_of_all, tab_of_all.page
    unseen = {}
    for path in PAGES:
        tab.open(dashboard.url(path))
        what = ", ".join(f"[data-testid=stMain] {one}" for one in TABLES.get(path, PICTURES).split(", "))
        for width, height in WINDOWS:
            page.set_viewport_size({"width": width, "height": height})
            try:
                page.wait_for_function(f"args => ({SHARE_SEEN})(args) >= {LEAST}", arg=[what, SMALLEST], timeout=8000)
            except PlaywrightTimeout:
                unseen[path or "overview", width] = round(page.evaluate(SHARE_SEEN, [what, SMALLEST]), 2)
    names = ("Datasets", "Train", "Generate", "Evaluate")
    tab.open(dashboard.url(""))
    seen = []
    for name in names:
        page.get_by_role("link", name=name, exact=True).first.click()
        page.wait_for_url(f"**/{name.lower()}?*")  # the address says what is shown
        tab.settle()
        seen.append(page.url)
    page.get_by_role("radio", name="Compare").or_(page.get_by_text("Compare", exact=True)).first.click()
    page.wait_for_url("**view=Compare**")
    tab.settle()
    for url in reversed(seen):
        page.go_back()
        page.wait_for_url(url)
        tab.settle()
        assert page.url == url, "it stays there"
    assert unseen == {}, "the share of the first screen's best picture or plot that is seen"


def test_what_draws_plots_and_tables_is_there_before_the_first_of_them(dashboard: Dashboard, chromium: Browser) -> None:
    """On a page of an empty home, which shows neither."""
    found = {name.partition(".")[0] for name in programs()}
    assert found == set(KINDS), "Streamlit calls its programs otherwise now"
    tab = Tab(chromium)
    tab.open(dashboard.url(""))
    assert not tab.page.locator("[data-testid=stPlotlyChart], [data-testid=stDataFrame]").count()
    loaded = "names => names.every(name => performance.getEntriesByType('resource').some(e => e.name.endsWith(name)))"
    tab.page.wait_for_function(loaded, arg=programs(), timeout=20_000)
    tab.close()
