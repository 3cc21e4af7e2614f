"""People sign in with a real provider, in a real browser, and get the role that the team's file gives them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.served import Dashboard
from engine.store.home import Home
from engine.store.roles import TEAM_FILE
from engine.store.runs import list_runs
from tests import fabricated
from tests.e2e.conftest import Tab
from tests.e2e.provider import Provider, running_provider

pytestmark = [pytest.mark.slow, pytest.mark.browser]
expect.set_options(timeout=60_000)
TEAM = '[roles]\neditor = ["anna@clinic.example"]\nviewer = ["@clinic.example"]\n'


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running_provider() as found:
        yield found


@pytest.fixture
def dashboard(home: Home, tmp_path: Path, provider: Provider) -> Iterator[Dashboard]:
    """A dashboard that asks this provider who people are."""
    secrets = tmp_path / "secrets.toml"
    served = Dashboard(home, tmp_path / "streamlit.log", f"--secrets.files={secrets}")
    secrets.write_text(provider.secrets_toml(served.port))
    fabricated.make_everything(home)
    (home.root / TEAM_FILE).write_text(TEAM)
    served.start()
    yield served
    served.kill()


def sign_in(page: Page, email: str) -> None:
    page.get_by_role("button", name="Sign in").click()
    page.locator("input[name=email]").fill(email)
    page.get_by_role("button", name="Go").click()


def test_people_sign_in_and_may_do_what_their_role_says(
    dashboard: Dashboard, home: Home, provider: Provider, chromium: Browser, tab: Tab
) -> None:
    sweep = list_runs(home, "sweep")[0]
    tab.page.add_init_script(
        "setInterval(() => { window.listed ||= !!document.querySelector('[data-testid=stSidebarNav]') }, 10)"
    )
    page = tab.open(dashboard.url(f"runs?run={sweep.id}"))
    assert not page.evaluate("window.listed"), "no list of modules before the entrance is drawn"
    expect(page.get_by_text("Sign in to see its data sets")).to_be_visible()
    assert "phantom" not in page.content()
    tab.screenshot("sign-in")

    # a viewer lands where the link pointed, may look, and may not touch
    sign_in(page, "bo@clinic.example")
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    expect(page).to_have_url(re.compile(rf"/runs\?(.*&)?run={sweep.id}"))
    expect(page.get_by_role("button", name="Delete")).to_be_disabled()
    tab.open(dashboard.url())
    expect(page.get_by_role("button", name="Try the demo")).to_be_disabled()
    page.get_by_role("link", name="bo", exact=True).click()
    expect(page.get_by_text("You may not judge images")).to_be_visible()
    tab.settle()
    tab.screenshot("account")

    # somebody else, in another browser, at the same time, may
    other = Tab(chromium)
    sign_in(other.open(dashboard.url()), "anna@clinic.example")
    expect(other.page.get_by_role("button", name="Try the demo")).to_be_enabled()
    other.close()

    # a role that was taken away is gone with the next look
    (home.root / TEAM_FILE).write_text(TEAM.replace("@clinic", "@elsewhere"))
    tab.open(dashboard.url())
    expect(page.get_by_text("has no role here")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert provider.signed_out == 1

    # an address that the provider does not vouch for is nobody's
    (home.root / TEAM_FILE).write_text(TEAM)
    provider.claims["email_verified"] = False
    sign_in(page, "anna@clinic.example")
    expect(page.get_by_text("without a confirmed e-mail address")).to_be_visible()


def test_whoever_comes_first_meets_the_entrance(dashboard: Dashboard, chromium: Browser) -> None:
    """Several at once to a server that has shown nothing yet, each at the address of a page."""
    tabs = {address: Tab(chromium) for address in ("", "datasets", "overview", "runs", "account")}
    for address, tab in tabs.items():
        tab.page.goto(dashboard.url(address), wait_until="commit")
    for tab in tabs.values():
        expect(tab.page.get_by_role("button", name="Sign in")).to_have_count(1)
        tab.settle()
        assert [heading.inner_text() for heading in tab.page.get_by_role("heading", level=1).all()] == ["Ersatz"]
        assert "phantom" not in tab.page.content()
        assert not tab.foreign
        tab.close()
