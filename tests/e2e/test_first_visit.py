"""A link opens what it names, also as the first thing that a server is ever asked for."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from benchmarks.served import Dashboard
from engine.store.home import Home
from tests import fabricated
from tests.e2e.conftest import Tab

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def test_a_link_to_a_server_just_started_opens_its_page(dashboard: Dashboard, home: Home, tab: Tab) -> None:
    """As the demo opens its verdict: no message says that there is no such page."""
    sweep = fabricated.make_everything(home)
    tab.page.add_init_script(
        "setInterval(() => { window.listed ||= !!document.querySelector('[data-testid=stSidebarNav]') }, 10)"
    )
    page = tab.open(dashboard.url(f"evaluate?run={sweep.id}"))
    expect(page.get_by_test_id("stMain").get_by_role("heading", name="Evaluate")).to_be_visible()
    expect(page).to_have_url(re.compile(rf"/evaluate\?(.*&)?run={sweep.id}"))
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert not page.evaluate("window.listed"), "no list of modules before the page is drawn"
