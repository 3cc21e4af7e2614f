"""The whole journey in a real browser, from an empty home to a report, with the server killed on the way."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from benchmarks.served import Dashboard
from engine.jobs.submit import stop
from engine.store.home import Home
from engine.store.runs import State, list_runs
from tests import fabricated
from tests.e2e.conftest import Tab

pytestmark = [pytest.mark.browser, pytest.mark.slow]

T = TypeVar("T")
LONG_MS = 240_000
"""For what a run computes, on a busy machine."""


def wait_for(what: Callable[[], T], seconds: float = 120) -> T:
    """The first true answer of `what`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := what():
            return answer
        time.sleep(0.2)
    raise AssertionError("it did not happen in time")


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


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """What somebody brings along: a folder with a folder for each class."""
    for class_name in fabricated.CLASSES:
        folder = tmp_path / "heads" / class_name
        folder.mkdir(parents=True)
        for number in range(40):
            picture = fabricated.picture(number + 1000 * fabricated.CLASSES.index(class_name), class_name)
            Image.fromarray(picture).save(folder / f"head{number:02d}.png")
    return tmp_path / "heads"


@pytest.fixture
def plain_dashboard(home: Home, tmp_path: Path) -> Iterator[Dashboard]:
    """A dashboard on a machine without downloaded weights, where everything is computed from scratch."""
    served = Dashboard(home, tmp_path / "streamlit.log", TORCH_HOME=str(tmp_path / "torch"), ERSATZ_WEIGHTS="")
    served.start()
    yield served
    served.kill()


@pytest.mark.timeout(900)
def test_from_a_folder_of_images_to_a_report(
    plain_dashboard: Dashboard, home: Home, chromium: Browser, images: Path
) -> None:
    """An empty home and a browser, as somebody meets it who has read nothing; each step is offered by the one before.

    A colleague has the same page open and presses Start at the same moment, and the server is killed half-way.
    """
    tab, colleague = Tab(chromium), Tab(chromium)
    try:
        page = tab.open(plain_dashboard.url())
        page.get_by_role("button", name="Choose the images").click()
        page.get_by_role("textbox", name="Folder, CSV, ZIP").fill(str(images))
        page.keyboard.press("Enter")
        expect(page.get_by_text("What was found")).to_be_visible()
        expect(page.get_by_test_id("stMetric").filter(has_text="Images")).to_contain_text("80")
        assert not home.datasets.exists(), "something was written before the start"
        page.get_by_role("button", name="Start import").click()
        page.get_by_role("button", name="Freeze", exact=True).click()
        page.get_by_role("button", name="Freeze the split").click()
        page.get_by_role("button", name="Train on it").wait_for()
        tab.settle()  # nobody presses a button in the moment in which it appears
        page.get_by_role("button", name="Train on it").click()

        page.get_by_role("button", name="Start training").wait_for()
        other = colleague.open(page.url)
        for each in (page, other):
            each.get_by_role("spinbutton", name="Training length in kimg").fill("1")
            each.get_by_text("Snapshots", exact=True).click()
            each.get_by_role("spinbutton", name="Logging interval in kimg").fill("0.05")
            each.get_by_role("spinbutton", name="Logging interval in kimg").press("Tab")
        for each in (page, other):
            each.get_by_role("button", name="Start training").click(no_wait_after=True)
        for each in (page, other):
            each.get_by_role("button", name="Stop", exact=True).wait_for()
        trainings = list_runs(home, "train")
        assert sorted(run.config()["class_name"] for run in trainings) == list(fabricated.CLASSES), "started twice"
        assert page.url == other.url
        running = wait_for(lambda: next((run for run in trainings if run.status().done > 0), None))
        colleague.close()

        plain_dashboard.kill()
        before = running.status().done
        wait_for(lambda: running.status().done > before)
        plain_dashboard.start()
        page = tab.open(plain_dashboard.url(f"train?run={running.id}"))
        expect(page.get_by_text("Losses").first).to_be_visible()
        tab.screenshot("train-running")
        wait_for(lambda: not any(run.state().is_active for run in trainings), 240)
        assert {run.state() for run in trainings} == {State.FINISHED}
        ticks = [row["kimg"] for row in running.read_metrics()[0]]
        assert ticks == sorted(set(ticks)), "the curve went back or stood still"

        page.get_by_role("button", name="Generate with it").click()
        page.get_by_role("button", name="Save many as a pool").click()
        page.get_by_role("spinbutton", name="Images per class").fill("60")
        page.get_by_role("button", name="Save pool").click()
        page.get_by_role("button", name="Check its quality").click()
        page.get_by_role("button", name="Start check").click()
        # of so short a training the pool is a red one
        page.get_by_role("button", name="Evaluate with it all the same").click(timeout=LONG_MS)
        page.get_by_text("Quick look", exact=True).click()
        page.get_by_text("Training of the classifier").click()
        page.get_by_role("spinbutton", name="Training steps").fill("20")
        page.get_by_role("button", name="Start sweep").click()
        page.get_by_role("button", name="Report (HTML)").wait_for(timeout=LONG_MS)
        tab.settle()
        with page.expect_download() as download:
            page.get_by_role("button", name="Report (HTML)").click()
        shown = download.value.path()
        sweep = list_runs(home, "sweep")[0]
        expect(page.get_by_text(sweep.status().result["word"]).first).to_be_visible()
    except BaseException:
        tab.screenshot("journey-failed")
        raise
    finally:
        stop_all(home)
    report = tab.open_file(shown)
    expect(report.get_by_text(sweep.status().result["word"]).first).to_be_visible()
    expect(report.locator(".main-svg").first).to_be_visible()
    tab.close()
    assert not tab.foreign and not colleague.foreign, "a page or the report asked other machines"


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
        expect(page).to_have_url(re.compile(f"[?&]run={run.id}"))
        expect(page.get_by_text(f"makes {name}")).to_be_visible()
    for _ in range(2):
        page.get_by_text("Pools", exact=True).click()
        expect(page).to_have_url(re.compile(f"[?&]run={pool.id}"))
        page.get_by_text("Explore", exact=True).click()
        expect(page).to_have_url(re.compile(f"[?&]run={normal.id}"))


def test_a_run_is_deleted_after_asking(dashboard: Dashboard, home: Home, tab: Tab) -> None:
    fabricated.make_dataset(home)
    training = fabricated.make_training(home, "bleed")
    page = tab.open(dashboard.url(f"runs?run={training.id}"))
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Delete for good?")).to_be_visible()
    page.get_by_role("button", name="Keep it").click()
    page.get_by_text("Delete for good?").wait_for(state="detached")
    assert training.exists()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete it").click()
    page.get_by_text("Nothing has run here yet").wait_for()
    assert not training.exists()
