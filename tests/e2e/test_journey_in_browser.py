"""The whole journey in a real browser, with the tab closed and the server killed on the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import pytest
from playwright.sync_api import Browser, expect

from engine.configs import JourneyConfig
from engine.jobs.submit import stop, submit
from engine.store.home import Home
from engine.store.runs import Run, State, list_runs
from tests import fabricated
from tests.e2e.conftest import Dashboard, Tab

pytestmark = [pytest.mark.browser, pytest.mark.slow]

T = TypeVar("T")
SMALL = {
    "train": {"kimg": 4.0, "g_channels": 16, "d_channels": 16, "tick_kimg": 0.1, "snapshot_ticks": 5},
    "pool": {"images_per_class": 150},
    "sweep": {"steps": 10, "seeds": 2, "ratios": [0.5, 1.0]},
}


def wait_for(what: Callable[[], T], seconds: float = 120) -> T:
    """The first true answer of `what`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := what():
            return answer
        time.sleep(0.2)
    raise AssertionError("it did not happen in time")


def training_of(journey: Run) -> Run | None:
    """The journey's first training once it has begun; a journey that ended before is a failure."""
    assert journey.state().is_active, journey.status().error
    return next((run for run in list_runs(journey.home, "train") if run.status().done > 0), None)


def stop_all(home: Home) -> None:
    for run in list_runs(home):
        if run.state().is_active:
            stop(run)
    wait_for(lambda: not any(run.state().is_active for run in list_runs(home)))


def test_a_link_followed_right_after_the_start_shows_the_whole_dashboard(dashboard: Dashboard, tab: Tab) -> None:
    page = tab.open(dashboard.url("runs"))
    expect(page.get_by_test_id("stTopNav").get_by_role("link", name="Overview")).to_be_visible()
    expect(page.get_by_text("Nothing has run here yet")).to_be_visible()


def test_the_demo_starts_by_one_press_and_stops_after_asking(dashboard: Dashboard, home: Home, tab: Tab) -> None:
    page = tab.open(dashboard.url())
    try:
        page.get_by_role("button", name="Try the demo").click()
        page.get_by_role("button", name="Stop", exact=True).wait_for()
        expect(page.get_by_role("button", name="Try the demo")).to_have_count(0)
        assert len(list_runs(home, "journey")) == 1
        page.get_by_role("button", name="Stop", exact=True).click()
        page.wait_for_timeout(5000)  # more than two turns of the live part, which must not close the dialog
        page.get_by_role("button", name="Stop the run").click()
        page.get_by_role("button", name="Resume").wait_for()
    finally:
        stop_all(home)
    assert list_runs(home, "journey")[0].state() is State.STOPPED


def test_the_journey_survives_tab_and_server(dashboard: Dashboard, home: Home, chromium: Browser) -> None:
    tab = Tab(chromium)
    journey = submit(home, JourneyConfig(preset="demo", overrides=SMALL))
    try:
        page = tab.open(dashboard.url(f"?run={journey.id}"))
        expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()

        training = wait_for(lambda: training_of(journey))
        page = tab.open(dashboard.url(f"train?run={training.id}"))
        expect(page.get_by_text("Losses").first).to_be_visible()
        tab.screenshot("train-running")
        tab.close()
        before = training.status().done
        dashboard.kill()
        assert training.state() is State.RUNNING
        wait_for(lambda: training.status().done > before)
        dashboard.start()

        tab = Tab(chromium)
        page = tab.open(dashboard.url(f"train?run={training.id}"))
        expect(page.get_by_text("Losses").first).to_be_visible()
        wait_for(lambda: not journey.state().is_active, 400)
        assert journey.state() is State.FINISHED, journey.status().error
    finally:
        stop_all(home)
    result = journey.status().result
    assert [row["kimg"] for row in training.read_metrics()[0]] == sorted(
        {r["kimg"] for r in training.read_metrics()[0]}
    )

    page = tab.open(dashboard.url(f"evaluate?run={result['sweep']}"))
    expect(page.get_by_text(result["sentence"]).first).to_be_visible()
    tab.close()
    for scheme in ("light", "dark"):
        tab = Tab(chromium, scheme)
        for path in (
            "",
            "datasets",
            "train",
            "generate",
            f"generate?run={result['pool']}",
            "quality",
            "evaluate",
            "runs",
        ):
            page = tab.open(dashboard.url(path))
            expect(page.get_by_test_id("stException")).to_have_count(0)
            tab.screenshot(f"{path.replace('?run=' + result['pool'], '-pool') or 'overview'}-{scheme}")
        tab.close()
        assert not tab.foreign, "the page asked other machines"


def test_the_seed_slider_paints_at_once_and_lives_in_the_url(dashboard: Dashboard, home: Home, tab: Tab) -> None:
    fabricated.make_dataset(home)
    training = fabricated.make_training(home, "bleed")
    page = tab.open(dashboard.url(f"generate?run={training.id}"))
    picture = page.get_by_test_id("stImage").first.locator("img")
    before = picture.get_attribute("src")
    page.get_by_role("slider", name="Seed").focus()
    page.keyboard.press("ArrowRight")
    expect(picture).not_to_have_attribute("src", before or "")
    expect(page).to_have_url(dashboard.url(f"generate?run={training.id}&seed=1"))


def test_a_click_in_the_table_shows_the_run_and_its_link(dashboard: Dashboard, home: Home, tab: Tab) -> None:
    fabricated.make_dataset(home)
    older, _ = (fabricated.make_training(home, class_name) for class_name in fabricated.CLASSES)
    page = tab.open(dashboard.url("runs"))
    table = page.get_by_test_id("stDataFrame").bounding_box()
    assert table is not None
    page.mouse.click(table["x"] + 16, table["y"] + 35 + 1.5 * 35)  # the box of the second row; the table is a canvas
    expect(page).to_have_url(dashboard.url(f"runs?run={older.id}"))
    page.get_by_role("link", name="Open on its page").click()
    expect(page).to_have_url(dashboard.url(f"train?run={older.id}"))


def test_every_choice_counts_and_the_link_follows(dashboard: Dashboard, home: Home, tab: Tab) -> None:
    """One click each: a choice must not be lost because the link changed with the one before."""
    fabricated.make_everything(home)
    pool = list_runs(home, "pool")[0]
    bleed, normal = sorted(list_runs(home, "train"), key=lambda run: run.config()["class_name"])
    page = tab.open(dashboard.url(f"generate?run={bleed.id}"))
    for run, name in ((normal, "normal"), (bleed, "bleed"), (normal, "normal")):
        page.get_by_role("combobox", name="Generator").click()
        page.get_by_role("option", name=f"Train phantom · {name}").click()
        expect(page).to_have_url(dashboard.url(f"generate?run={run.id}"))
        expect(page.get_by_text(f"makes {name}")).to_be_visible()
    for _ in range(2):
        page.get_by_text("Pools", exact=True).click()
        expect(page).to_have_url(dashboard.url(f"generate?run={pool.id}"))
        page.get_by_text("Explore", exact=True).click()
        expect(page).to_have_url(dashboard.url(f"generate?run={normal.id}"))


def test_a_run_is_deleted_after_asking(dashboard: Dashboard, home: Home, tab: Tab) -> None:
    fabricated.make_dataset(home)
    training = fabricated.make_training(home, "bleed")
    page = tab.open(dashboard.url(f"runs?run={training.id}"))
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("This cannot be undone.")).to_be_visible()
    page.get_by_role("button", name="Keep it").click()
    page.get_by_text("This cannot be undone.").wait_for(state="detached")
    assert training.exists()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete it").click()
    page.get_by_text("Nothing has run here yet").wait_for()
    assert not training.exists()
