"""No page runs but through the entrance, whichever address is asked for first, and Streamlit finds none by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from streamlit.navigation.page import Page
from streamlit.runtime.pages_manager import PagesManager

from engine.store.home import REPOSITORY, Home
from engine.store.roles import TEAM_FILE
from pages.components.navigation import ICONS, script
from pages.entrance import sign_in
from tests import fabricated
from tests.pages.conftest import ENTRY, OpenPage, texts

ADDRESS = "anna@clinic.example"
STRANGER: dict[str, Any] = {"is_logged_in": False}
SIGNED_IN: dict[str, Any] = {"is_logged_in": True, "email": ADDRESS, "email_verified": True}
PAGES = (*ICONS, "account")


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The scripts of the pages that have run."""
    found: list[Path] = []
    run = Page.run

    def noted(self: Page) -> None:
        assert isinstance(self._page, Path)
        found.append(self._page)
        run(self)

    monkeypatch.setattr(Page, "run", noted)
    monkeypatch.setattr(sign_in, "_browser", lambda: "")  # AppTest has no cookies
    return found


@pytest.mark.parametrize("page", PAGES)
def test_without_a_role_no_page_runs(open_page: OpenPage, home: Home, page: str, ran: list[Path]) -> None:
    """Not by the address of a page that a server is asked for before any other, either."""
    fabricated.make_dataset(home)
    for user in (STRANGER, SIGNED_IN):
        app = open_page(page, user=user, secrets={"auth": {"client_id": "ersatz"}})
        assert [title.value for title in app.title] == ["Ersatz"]
        assert [button.label for button in app.button] == ["Sign out" if user["is_logged_in"] else "Sign in"]
        assert "phantom" not in texts(app)
        assert ran == []


@pytest.mark.parametrize("page", PAGES)
def test_past_the_entrance_the_page_of_the_address_runs_alone(
    open_page: OpenPage, home: Home, page: str, ran: list[Path]
) -> None:
    fabricated.make_dataset(home)
    (home.root / TEAM_FILE).write_text(f'[roles]\nviewer = ["{ADDRESS}"]\n')
    open_page(page, user=SIGNED_IN)
    assert ran == [script(page)]


def test_streamlit_finds_no_page_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside a folder named `pages` it would show scripts in there without the entrance, until that has run once."""
    for beside, finds in ((REPOSITORY / "app.py", True), (ENTRY, False)):
        monkeypatch.setattr(PagesManager, "uses_pages_directory", None)
        PagesManager(str(beside))
        assert PagesManager.uses_pages_directory is finds


def test_every_page_has_a_folder_of_its_name() -> None:
    assert {path.parent.name for path in REPOSITORY.glob("pages/*/page.py")} == set(PAGES)
    assert [path.name for path in REPOSITORY.glob("pages/*.py")] == ["__init__.py"], "no script is a page by its place"
