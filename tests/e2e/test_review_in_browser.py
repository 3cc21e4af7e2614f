"""Two reviewers in two browsers play the same quiz at the same time, and no answer is lost."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.served import Dashboard
from engine.review.decisions import decisions
from engine.review.quiz import answers, list_quizzes
from engine.sampling.pools import Pool
from engine.store.home import Home
from engine.store.runs import list_runs
from tests import fabricated
from tests.e2e.conftest import Tab

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PICTURES = 8


def say(page: Page, number: int, word: str) -> None:
    """Answer the picture of this number."""
    expect(page.get_by_text(f"Picture {number} of {PICTURES}")).to_be_visible(timeout=30_000)
    # until all of it is there, a press would still belong to the picture before
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(state="attached")
    page.get_by_role("button", name=re.compile(rf"\b{word}\b")).click(no_wait_after=True)  # its key is named too
    expect(page.get_by_text("How sure are you?")).to_be_visible(timeout=30_000)
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(state="attached")
    page.keyboard.press("3")


def enter_name(page: Page, name: str) -> None:
    """Say who one is; no link does."""
    page.get_by_role("textbox", name="Your name").fill(name)
    page.get_by_role("textbox", name="Your name").press("Enter")
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(state="attached")


def closer_without_answer(page: Page, key: str) -> None:
    """Press on the picture, and in the viewer and beside it on a key that would answer for it on the page."""
    page.locator('[class*="st-key-tile-"] img').first.click()
    picture = page.get_by_role("dialog").locator("canvas").first
    expect(picture).to_have_attribute("data-zoom", "1", timeout=30_000)
    page.keyboard.press(key)
    page.get_by_role("dialog").get_by_role("button", name="Close").focus()
    page.keyboard.press(key)
    page.wait_for_timeout(1000)
    expect(picture).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_two_reviewers_at_once(dashboard: Dashboard, home: Home, chromium: Browser) -> None:
    fabricated.make_everything(home)
    ann, bo = Tab(chromium), Tab(chromium)
    page = ann.open(dashboard.url("review"))
    enter_name(page, "Ann")
    page.get_by_role("spinbutton", name="Pictures").fill(str(PICTURES))
    page.get_by_role("spinbutton", name="Pictures").press("Tab")
    page.get_by_role("button", name="Draw the pictures").click()
    page.get_by_role("button", name="Begin").click()
    page.get_by_text(f"Picture 1 of {PICTURES}").wait_for()
    (quiz,) = list_quizzes(home)
    ann.screenshot("review-playing")
    link = dashboard.url(f"review?quiz={quiz.id}")
    assert "Ann" not in page.url
    closer_without_answer(page, "ArrowLeft")
    assert answers(home, quiz).empty
    expect(page.get_by_text("How sure are you?")).to_have_count(0)
    other = bo.open(link)
    enter_name(other, "Bo")
    other.get_by_role("button", name="Begin").click()
    for number in range(1, 5):
        say(page, number, "Real")
        say(other, number, "Synthetic")
    expect(other.get_by_text(f"Picture 5 of {PICTURES}")).to_be_visible()
    bo.close()  # and comes back to where he was
    bo = Tab(chromium)
    other = bo.open(link)
    enter_name(other, "Bo")
    other.get_by_role("button", name="Go on with picture 5").click()
    for number in range(5, PICTURES + 1):
        say(page, number, "Real")
        say(other, number, "Synthetic")
    for each in (page, other):
        expect(each.get_by_text(f"You have seen all {PICTURES} pictures.")).to_be_visible()
        expect(each.get_by_test_id("stMetric").filter(has_text="Right")).to_contain_text("50 %")  # half of them are
    table = answers(home, quiz)
    assert table.groupby("reviewer")["answer"].unique().map(list).to_dict() == {"Ann": ["real"], "Bo": ["synthetic"]}
    assert table.groupby("reviewer")["item"].nunique().to_dict() == {"Ann": PICTURES, "Bo": PICTURES}
    page.get_by_role("button", name="All reviewers' results").click()
    ann.settle()
    expect(page.get_by_text("Bo").first).to_be_attached()
    ann.screenshot("review-results")
    for tab in (ann, bo):
        tab.close()
        assert not tab.foreign, "the page asked other machines"


def test_keys_accept_reject_and_undo(dashboard: Dashboard, home: Home, chromium: Browser) -> None:
    """R too, which Streamlit keeps for running the page again."""
    fabricated.make_everything(home)
    (pool,) = list_runs(home, "pool")
    tab = Tab(chromium)
    page = tab.open(dashboard.url(f"review?view=Accept+or+reject&run={pool.id}"))
    enter_name(page, "Ann")
    page.get_by_role("heading", name="Review").click()  # away from the field, in which a key is a letter
    paths = list(Pool.open(pool).manifest["path"])
    closer_without_answer(page, "a")
    assert decisions(home, pool.id).empty
    for number, (key, done) in enumerate((("a", 1), ("r", 2), ("u", 1), ("r", 2)), 1):
        page.keyboard.press(key)
        expect(page.get_by_text(f"you decided on {done}", exact=False)).to_be_visible(timeout=30_000)
        page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(state="attached")
        assert len(decisions(home, pool.id)) == done, number
    said = decisions(home, pool.id).set_index("path")["decision"]
    assert said.to_dict() == {paths[0]: "accept", paths[1]: "reject"}
    page.get_by_role("textbox", name="Your name").press("r")  # who writes an r rejects nothing
    page.wait_for_timeout(500)
    assert len(decisions(home, pool.id)) == 2
    tab.close()
    assert not tab.foreign, "the page asked other machines"
