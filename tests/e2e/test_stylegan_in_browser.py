"""StyleGAN2-ADA in a real browser: watched while it trains, stopped there, and explored."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from benchmarks.served import Dashboard
from engine.configs import StyleganConfig
from engine.jobs.submit import submit
from engine.store.home import Home
from engine.store.runs import Run, State
from tests import fabricated
from tests.e2e.conftest import Tab
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
        assert_that_a_zoom_lasts(page, run)
        page.get_by_role("button", name="Stop", exact=True).click()
        page.get_by_role("button", name="Stop the run").click()
        page.get_by_role("button", name="Resume").wait_for()
        assert run.state() is State.STOPPED
    finally:
        stop_all(home)


def assert_that_a_zoom_lasts(page: Page, run: Run) -> None:
    """Mark a part of the first figure, and find it still in view after new data has come."""
    for _ in range(5):  # new data may come in the middle of a drag
        box = page.evaluate(
            "() => { const part = document.querySelector('.js-plotly-plot .nsewdrag');"
            " part.scrollIntoView({block: 'center'}); return part.getBoundingClientRect().toJSON(); }"
        )
        page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.7 * box["height"], steps=4)
        page.mouse.up()
        page.wait_for_timeout(1500)
        if page.get_by_role("button", name="Show all").count():
            break
    page.get_by_role("button", name="Show all").wait_for()
    shown = "() => document.querySelector('.js-plotly-plot')._fullLayout.xaxis.range"
    points = "() => document.querySelector('.js-plotly-plot')._fullData[0].x.length"
    zoomed = page.evaluate(shown)
    page.wait_for_function(f"before => ({points})() > before", arg=page.evaluate(points))
    assert page.evaluate(shown) == zoomed
    assert max(zoomed) < run.read_metrics()[0][-1]["kimg"]


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
