"""What a program can find of obstacles for people with a screen reader or a keyboard, on every page of a full home."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from engine.store.home import Home
from tests import fabricated
from tests.e2e.conftest import Dashboard, Tab

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = (
    *("", "datasets", "datasets?view=import", "train", "train?view=new", "generate", "generate?view=Pools"),
    *("quality", "evaluate", "evaluate?view=New+sweep", "review", "runs"),
)
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}


def obstacles(tab: Tab, scheme: str) -> list[str]:
    """What breaks a rule of WCAG 2.1, level A or AA: names of inputs, words for pictures, contrast and more.

    Streamlit writes white on the primary colour and the primary colour on the page. On a dark page no colour is good
    for both, so that contrasts are held by axe on the light one alone, and on the dark one by the test of the theme.
    """
    found = Axe().run(tab.page, options=RULES).response["violations"]
    found = [rule for rule in found if scheme == "light" or rule["id"] != "color-contrast"]
    return [f"{rule['id']}: {node['html'][:200]}" for rule in found for node in rule["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_shuts_anybody_out(dashboard: Dashboard, home: Home, chromium: Browser, scheme: str) -> None:
    fabricated.make_everything(home, quality=True)
    tab = Tab(chromium, scheme)
    found = {}
    for path in PAGES:
        tab.open(dashboard.url(path))
        found[path] = obstacles(tab, scheme)
    tab.close()
    assert {path: these for path, these in found.items() if these} == {}


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
