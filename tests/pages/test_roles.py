"""Roles are laws: whoever may not change something cannot, whatever they press on whichever page."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from engine.review.decisions import decisions
from engine.store.home import REPOSITORY, Home
from engine.store.read_only import READ_ONLY, SENTENCE
from engine.store.roles import TEAM_FILE, Role
from engine.store.runs import State, list_runs
from pages.components import people
from pages.components.navigation import ICONS as PAGES
from pages.entrance import sign_in
from tests import fabricated
from tests.pages.conftest import OpenPage, texts
from tests.pages.writing import engine_methods, functions, imported, references, writers

ADDRESS = "anna@clinic.example"
SIGNED_IN: dict[str, Any] = {"is_logged_in": True, "email": ADDRESS, "email_verified": True}
HARMLESS = {"engine.sampling.video.write_video", "engine.store.unknown_errors.recorded"}
"""What writes to a temporary folder only; and the stack trace of an error that whoever opens a page may meet, of which
the newest 50 are kept."""
OF_THE_SERVER = REPOSITORY / "pages" / "entrance" / "attaching.py"
"""What the server does when it starts, at nobody's press; in a read-only demo it does nothing."""
KNOWN = {
    *("jobs.submit.submit", "jobs.submit.delete", "jobs.submit.move", "sampling.pools.Pool.exclude"),
    *("store.about.change_about", "review.comments.add_comment", "datasets.dataset.Dataset.freeze"),
}
"""Some that must be found."""
BEGINNING = ("demo",)
"""Keys of buttons that begin something, and act on nothing that is there."""


@pytest.fixture(autouse=True)
def no_cookies(monkeypatch: pytest.MonkeyPatch) -> None:
    """AppTest has none; tests/e2e follows them through a browser."""
    monkeypatch.setattr(sign_in, "_browser", lambda: "")


def named(home: Home, role: Role | None) -> None:
    """Give the person of these tests a role."""
    home.root.mkdir(exist_ok=True)
    (home.root / TEAM_FILE).write_text(f'[roles]\n{role.word} = ["{ADDRESS}"]\n' if role is not None else "")


def open_as(open_page: OpenPage, home: Home, role: Role | None, page: str = "overview", **query: str) -> AppTest:
    """The page in the browser of somebody who signed in and has this role."""
    named(home, role)
    return open_page(page, user=SIGNED_IN, **query)


def tree(home: Home, but: str = "") -> dict[Path, bytes | None]:
    """Everything below the home with its content, but for what lists the runs."""
    paths = [path for path in home.root.rglob("*") if not but or not path.name.startswith(but)]
    return {path: path.read_bytes() if path.is_file() else None for path in paths}


def test_everything_on_a_page_that_writes_asks_for_the_role_first() -> None:
    """A line with `require(...)` goes before it; the script of a page itself writes nothing."""
    methods = engine_methods()
    writing = writers() - HARMLESS
    assert {f"engine.{name}" for name in KNOWN} <= writing
    assert "engine.store.runs.list_runs" not in writing
    wrong = []
    for path in sorted(set(REPOSITORY.glob("pages/**/*.py")) - {OF_THE_SERVER}):
        module = ast.parse(path.read_text())
        names = imported(module)
        asking = {name for name, function in functions(module) if _asks_first(function)}
        wrong += [
            f"{path.relative_to(REPOSITORY)}:{part.lineno} {reference}"
            for part in _unasked(module.body, asking)
            for reference in sorted(set(references(part, names, methods)))
            if reference in writing
        ]
    assert not wrong


def _asks(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and ast.unparse(statement).startswith("require(Role.")


def _asks_first(function: ast.FunctionDef) -> bool:
    first = function.body[1 if ast.get_docstring(function) else 0]
    return _asks(first.body[0] if isinstance(first, ast.Try) else first)


def _unasked(block: list[ast.stmt], asking: set[str]) -> Iterator[ast.expr]:
    """The expressions of these statements that are reached without a `require(...)` before."""
    for statement in block:
        if _asks(statement):
            return
        if isinstance(statement, ast.Import | ast.ImportFrom):
            continue
        parts = [
            part for _, value in ast.iter_fields(statement) for part in (value if isinstance(value, list) else [value])
        ]
        yield from (_without_what_is_handed_to(asking, part) for part in parts if isinstance(part, ast.expr))
        for part in parts:
            if isinstance(part, ast.withitem):
                yield _without_what_is_handed_to(asking, part.context_expr)
            elif isinstance(part, ast.ExceptHandler | ast.match_case):
                yield from _unasked(part.body, asking)
        for name in ("body", "orelse", "finalbody"):
            yield from _unasked(getattr(statement, name, []), asking)


def _without_what_is_handed_to(asking: set[str], expression: ast.expr) -> ast.expr:
    """`save(lambda: pool.exclude(paths))` is fine when `save` asks first."""
    for call in ast.walk(expression):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in asking:
            call.args = [argument for argument in call.args if not isinstance(argument, ast.Lambda)]
    return expression


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_a_viewer_changes_nothing_whatever_is_pressed(
    open_page: OpenPage, home: Home, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Buttons that are greyed out too, as if a browser could be made to press them."""
    may = people.may
    monkeypatch.setattr(people, "may", lambda role: sys._getframe(1).f_code.co_name == "guarded" or may(role))
    sweep = fabricated.make_everything(home, quality=True)
    fabricated.make_training(home, "bleed", State.STOPPED, done=3)
    query = {"run": sweep.id} if page == "runs" else {}
    app = open_as(open_page, home, Role.VIEWER, page, **query)
    list_runs(home)  # which keeps an index from the first time on
    before = tree(home, but="ersatz.db")
    at_home = [title.value for title in app.title]
    refused: set[str] = set()

    def press(*buttons: Any) -> None:
        for button in buttons:
            button.click()
        app.run()
        assert not app.exception, button.label
        assert tree(home, but="ersatz.db") == before, f"{button.label} changed something"
        if "needs the role" in texts(app):
            refused.add(button.label)

    for view in _views(app, page):
        pressed: set[tuple[str, str]] = set()
        while left := [one for one in _shown(app, view).button if not one.disabled and _kind(one) not in pressed]:
            at_rest = {_kind(one) for one in app.button}
            opener = _kind(left[0])
            pressed.add(opener)
            press(left[0])
            while inside := [one for one in app.button if not one.disabled and _kind(one) not in at_rest | pressed]:
                pressed.add(_kind(inside[0]))
                press(*[one for one in app.button if _kind(one) == opener and not one.disabled][:1], inside[0])
            if [title.value for title in app.title] != at_home:  # it led to another page
                app = open_as(open_page, home, Role.VIEWER, page, **query)


def _views(app: AppTest, page: str) -> list[str]:
    """The options of the page's own control, under their own names; just one when it has none."""
    if page == "train":  # shows other names than it keeps
        return ["watch", "new"]
    return next((list(control.options) for control in app.segmented_control if control.label == "View"), [""])


def _shown(app: AppTest, view: str) -> AppTest:
    """The page as it is at rest, in this view."""
    app.run()
    for control in app.segmented_control:
        if control.label == "View" and view and control.value != view:
            control.set_value(view)
            app.run()
    for text in app.text_area:
        text.set_value("something to say")
    return app


def _kind(button: Any) -> tuple[str, str]:
    """What a button is, whichever run it belongs to."""
    return re.sub(r"\d+", "", button.label), re.sub(r"[0-9a-f-]{8,}|\d+", "", button.key or "")


def test_somebody_without_a_role_sees_nothing(open_page: OpenPage, home: Home) -> None:
    fabricated.make_everything(home)
    app = open_as(open_page, home, None, "datasets")
    assert f"`{ADDRESS}` has no role here" in texts(app)
    assert "phantom" not in texts(app)
    assert not app.dataframe
    assert [button.label for button in app.button] == ["Sign out"]
    app.user = {"is_logged_in": False}
    app.secrets["auth"] = {"client_id": "ersatz"}
    app.run()
    assert [button.label for button in app.button] == ["Sign in"]
    named(home, Role.EDITOR)
    app.user = {**SIGNED_IN, "email_verified": "false"}
    assert "without a confirmed e-mail address" in texts(app.run())
    (home.root / TEAM_FILE).write_text("default = 3")
    app.user = dict(SIGNED_IN)
    assert "team.toml gives nobody a role" in texts(app.run())


def test_a_demo_writes_nothing_and_says_so(open_page: OpenPage, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = fabricated.make_everything(home, quality=True)
    before = tree(home)
    monkeypatch.setenv(READ_ONLY, "1")
    for page in PAGES:
        app = open_page(page, **({"run": sweep.id} if page == "runs" else {}))
        assert "Read-only demo" in texts(app)
        assert tree(home) == before, page
    greyed_out = {button.label for button in app.button if button.disabled and button.help == SENTENCE}
    assert greyed_out >= {"Delete", "Archive", "Run again"}


def test_a_reviewer_judges_under_the_own_address_and_starts_nothing(open_page: OpenPage, home: Home) -> None:
    fabricated.make_everything(home)
    pool = list_runs(home, "pool")[0]
    app = open_as(open_page, home, Role.REVIEWER, "review", view="Accept or reject")
    next(button for button in app.button if button.label == "Accept").click().run()
    assert not app.exception
    assert list(decisions(home, pool.id)["reviewer"]) == [ADDRESS]
    app = open_as(open_page, home, Role.REVIEWER, "evaluate", view="New sweep")
    start = next(button for button in app.button if button.label == "Start sweep")
    assert (start.disabled, start.help) == (
        True,
        "This needs the role editor, and yours is reviewer. Ask whoever runs this dashboard.",
    )


def test_a_press_acts_on_what_was_shown() -> None:
    """The key of a button that changes something names what it changes; the browser sends it with the press.

    A form's buttons belong to the form, and what the form begins is what it says.
    """
    wrong = []
    deleting = REPOSITORY / "pages" / "components" / "deleting.py"  # its callers give the key
    for path in sorted({*REPOSITORY.glob("pages/**/*.py")} - {deleting}):
        for call in ast.walk(ast.parse(path.read_text())):
            if not isinstance(call, ast.Call) or ast.unparse(call.func) not in (
                *("st.button", "st.popover", "delete_button"),
            ):
                continue
            words = {keyword.arg: keyword.value for keyword in call.keywords}
            key = words.get("key")
            if ast.unparse(call.func) == "delete_button":
                key, words[None] = call.args[1], call.args[1]
            names_it = isinstance(key, ast.JoinedStr) or (
                isinstance(key, ast.Call) and ast.unparse(key.func) == "widget_key"
            )
            if None in words and not names_it and not (isinstance(key, ast.Constant) and key.value in BEGINNING):
                wrong.append(f"{path.relative_to(REPOSITORY)}:{call.lineno} {ast.unparse(call.args[0])}")
    assert not wrong
