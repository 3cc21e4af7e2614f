"""StyleGAN2-ADA in a real browser: watched while it trains, stopped there, and explored."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from engine.configs import StyleganConfig
from engine.jobs.submit import submit
from engine.store.home import Home
from engine.store.runs import State
from tests import fabricated
from tests.e2e.conftest import Dashboard, Tab
from tests.e2e.test_journey_in_browser import stop_all, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NARROW = {"channel_base": 128, "channel_max": 8, "z_dim": 16, "w_dim": 16, "batch": 8, "tick_kimg": 0.032}


def test_a_training_is_watched_and_stopped(dashboard: Dashboard, home: Home, tab: Tab) -> None:
    fabricated.make_dataset(home)
    config = StyleganConfig.build({**NARROW, "dataset": "phantom", "conditional": True, "kimg": 100.0})
    run = submit(home, config)
    try:
        wait_for(lambda: run.status().done > 0.05 or not run.state().is_active)
        page = tab.open(dashboard.url(f"train?run={run.id}"))
        expect(page.get_by_text("Augment p", exact=True)).to_be_visible()
        tab.screenshot("train-stylegan2-running")
        page.get_by_role("button", name="Stop", exact=True).click()
        page.get_by_role("button", name="Stop the run").click()
        page.get_by_role("button", name="Resume").wait_for()
        assert run.state() is State.STOPPED
    finally:
        stop_all(home)


def test_every_tool_of_the_latent_space_paints(dashboard: Dashboard, home: Home, tab: Tab) -> None:
    fabricated.make_dataset(home)
    run = fabricated.make_stylegan(home)
    page = tab.open(dashboard.url(f"generate?run={run.id}"))
    first = page.get_by_test_id("stImage").first.locator("img")
    before = first.get_attribute("src")
    page.get_by_role("slider", name="Truncation").focus()
    page.keyboard.press("ArrowLeft")
    expect(first).not_to_have_attribute("src", before or "")
    for view in ("Explore", "Morph", "Style mixing", "Neighbours", "Walk", "Projection"):
        page.get_by_role("radiogroup").first.get_by_text(view, exact=True).click()
        tab.settle()
        expect(page.get_by_test_id("stException")).to_have_count(0)
        if view == "Walk":
            page.get_by_role("button", name="Make the video").click()
            page.get_by_test_id("stVideo").wait_for()
        tab.screenshot(f"generate-{view.lower().replace(' ', '-')}")
    assert not tab.foreign, "the page asked other machines"
