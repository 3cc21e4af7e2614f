"""Named views of the list of runs: which columns and filters somebody wants to see again.

<home>/views.json   {"version": 1, "views": {NAME: {FIELD: value}}}

A value is a text, a list of texts, or yes or no; what the fields mean is the affair of the list. Of a file that was
changed by hand those views count that are as they should be.
"""

from __future__ import annotations

from typing import Any

from engine.store.about import plain_words
from engine.store.errors import ErsatzError, Missing
from engine.store.files import read_json, write_json
from engine.store.home import Home
from engine.store.locks import FileLock

VIEWS_FILE = "views.json"
NAME_LENGTH = 40
MOST_VIEWS = 50
MOST_VALUES = 100
VALUE_LENGTH = 200
VERSION = 1

View = dict[str, str | bool | list[str]]


def run_views(home: Home) -> dict[str, View]:
    """The views by name, in the order of the alphabet; none where the file is missing or damaged."""
    try:
        found = read_json(home.root / VIEWS_FILE)
    except (Missing, ErsatzError):
        return {}
    views = found.get("views") if isinstance(found, dict) else None
    if not isinstance(views, dict):
        return {}
    whole = {name: view for name, view in views.items() if _is_view(view) and plain_words(name) == name}
    return dict(sorted(whole.items()))


def save_view(home: Home, name: str, view: View) -> str:
    """Keep a view under a name, in the place of one that had it; returns the name in plain words.

    Raises `ErsatzError` when the name is empty or too long, or there are too many views.
    """
    short = plain_words(name)
    if not 0 < len(short) <= NAME_LENGTH:
        raise ErsatzError(
            f"{name!r} cannot be the name of a view: 1 to {NAME_LENGTH} characters are expected. Choose another."
        )
    if not _is_view(view):
        raise ErsatzError("A view holds texts, lists of texts, and yes or no; save it from the list of runs.")
    with FileLock(home.locks / "views"):
        views = {**run_views(home), short: view}
        if len(views) > MOST_VIEWS:
            raise ErsatzError(f"There are {MOST_VIEWS} views already; one fewer is expected. Delete one first.")
        _write(home, views)
    return short


def delete_view(home: Home, name: str) -> None:
    """Forget a view; one that is gone already is no error."""
    with FileLock(home.locks / "views"):
        _write(home, {other: view for other, view in run_views(home).items() if other != name})


def _write(home: Home, views: dict[str, View]) -> None:
    write_json(home.root / VIEWS_FILE, {"version": VERSION, "views": views})


def _is_view(view: Any) -> bool:
    return (
        isinstance(view, dict)
        and len(view) <= MOST_VALUES
        and all(map(_is_text, view))
        and all(map(_is_value, view.values()))
    )


def _is_value(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) <= MOST_VALUES and all(map(_is_text, value))
    return isinstance(value, bool) or _is_text(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= VALUE_LENGTH
