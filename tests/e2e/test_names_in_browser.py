"""A name that somebody gave a file reaches a real browser as words alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from benchmarks.served import Dashboard
from tests.e2e.conftest import Tab

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_picture_in_the_name_of_a_file_is_not_loaded(dashboard: Dashboard, tab: Tab) -> None:
    name = "![x](https:/elsewhere.example/x.png)"
    page = tab.open(dashboard.url("datasets?view=import"))
    field = page.get_by_role("textbox", name="Folder, CSV, ZIP")
    field.fill(f"/scans/{name}")
    field.press("Enter")
    error = page.get_by_test_id("stAlert").filter(has_text=name)
    expect(error).to_be_visible(timeout=30_000)
    expect(error.locator("img")).to_have_count(0)
    tab.settle()  # `tab` says whether another machine was asked
