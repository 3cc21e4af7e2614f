"""Two reviewers in two browsers play the same quiz at the same time, and no answer is lost."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.served import Dashboard
from engine.review.quiz import answers, list_quizzes
from engine.store.home import Home
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


def test_two_reviewers_at_once(dashboard: Dashboard, home: Home, chromium: Browser) -> None:
    fabricated.make_everything(home)
    ann, bo = Tab(chromium), Tab(chromium)
    page = ann.open(dashboard.url("review?reviewer=Ann"))
    page.get_by_role("spinbutton", name="Pictures").fill(str(PICTURES))
    page.get_by_role("spinbutton", name="Pictures").press("Tab")
    page.get_by_role("button", name="Draw the pictures").click()
    page.get_by_role("button", name="Begin").click()
    page.get_by_text(f"Picture 1 of {PICTURES}").wait_for()
    (quiz,) = list_quizzes(home)
    ann.screenshot("review-playing")
    link = dashboard.url(f"review?quiz={quiz.id}&reviewer=Bo")
    other = bo.open(link)
    other.get_by_role("button", name="Begin").click()
    for number in range(1, 5):
        say(page, number, "Real")
        say(other, number, "Synthetic")
    expect(other.get_by_text(f"Picture 5 of {PICTURES}")).to_be_visible()
    bo.close()  # and comes back to where he was
    bo = Tab(chromium)
    other = bo.open(link)
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
