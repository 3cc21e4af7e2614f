"""Every page of a full home in a real browser: screenshots, widths, and obstacles for screen readers and keyboards."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from benchmarks.served import Dashboard
from engine.store.home import Home
from tests import fabricated
from tests.e2e.conftest import Tab

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = {
    "overview": "",
    "datasets": "datasets",
    "datasets-import": "datasets?view=import",
    "train": "train",
    "train-new": "train?view=new",
    "generate": "generate",
    "generate-pool": "generate?view=Pools",
    "quality": "quality",
    "evaluate": "evaluate",
    "evaluate-new": "evaluate?view=New+sweep",
    "review": "review",
    "runs": "runs",
}
WIDTHS = {"light": (1280, 800), "dark": (1280, 1920)}
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}


def obstacles(tab: Tab) -> list[str]:
    """What breaks a rule of WCAG 2.1, level A or AA: names of inputs, words for pictures, contrast and more."""
    found = Axe().run(tab.page, options=RULES).response["violations"]
    return [f"{rule['id']}: {node['html'][:200]}" for rule in found for node in rule["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_read(dashboard: Dashboard, home: Home, chromium: Browser, scheme: str) -> None:
    """Screenshots to look at; no page says that something went wrong, is wider than its window, or shuts anybody out.

    Streamlit writes white on the primary colour and the primary colour on the page. On a dark page no colour is good
    for both: axe looks at the light one, which has the same elements, and the test of the theme at the dark colours.
    """
    fabricated.make_everything(home, quality=True)
    tab = Tab(chromium, scheme)
    found = {}
    for name, path in PAGES.items():
        page = tab.open(dashboard.url(path))
        expect(page.get_by_test_id("stException")).to_have_count(0)
        if scheme == "light":
            found[name] = obstacles(tab)
        for width in WIDTHS[scheme]:
            tab.resize(width)
            tab.screenshot(f"{name}-{scheme}" + (f"-{width}" if width != 1280 else ""))
            main = page.get_by_test_id("stMain")
            assert main.evaluate("main => main.scrollWidth - main.clientWidth") <= 1, f"{name} at {width} px"
    tab.close()
    assert {name: these for name, these in found.items() if these} == {}
    assert not tab.foreign, "the page asked other machines"


def test_the_keyboard_reaches_what_the_mouse_does(dashboard: Dashboard, home: Home, tab: Tab) -> None:
    fabricated.make_everything(home)
    page = tab.open(dashboard.url("evaluate"))
    wanted = page.get_by_test_id("stMain").locator("[role=combobox], [role=radio][aria-checked=true]").count()
    assert wanted
    reached = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "() => { const e = document.activeElement; return (e.getAttribute('role') || e.tagName).toLowerCase()"
                " + ' ' + (e.getAttribute('aria-label') || e.innerText || ''); }"
            )
        )
        if page.evaluate("document.activeElement === document.body"):
            break
    spoken = " ".join(reached)
    for name in ("Runs", "Tables", "Metric"):
        assert name in spoken, reached
