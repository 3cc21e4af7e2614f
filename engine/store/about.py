"""Annotations of a run: a title, tags, owner, whether it is archived. They never change a result.

<run>/about.json   beside status.json, which only the run's own processes write
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from engine.store.errors import ErsatzError, RunDeleted
from engine.store.files import read_json, write_json
from engine.store.locks import FileLock
from engine.store.runs import Run, still_there

ABOUT_FILE = "about.json"
TAG_LENGTH = 40
MARKUP = re.compile(r"[\[\]<>`*$\\|]")
"""What a page would show as something else than itself: a link, a picture, a formula."""


@dataclass(frozen=True)
class About:
    """The content of `about.json`; empty fields were never set."""

    title: str = ""
    tags: tuple[str, ...] = ()
    archived: bool = False
    owner: str = ""


def about(run: Run) -> About:
    """The annotations of a run; the defaults when there are none."""
    path = run.path / ABOUT_FILE
    if not path.is_file():
        return About()
    values = read_json(path)
    try:
        found = About(**{**values, "tags": tuple(values["tags"])})
        texts = (found.title, found.owner, *found.tags)
        if not all(isinstance(text, str) for text in texts) or not isinstance(found.archived, bool):
            raise TypeError
        return found
    except (KeyError, TypeError) as error:
        raise ErsatzError(
            f"{path} has other fields than title, tags, archived and owner; it was changed by hand. "
            "Mend it, or remove it: the run is the same without it."
        ) from error


def change_about(run: Run, **changes: Any) -> About:
    """Change fields of `about.json`, on top of what others changed meanwhile; a title is kept in plain words."""
    if "title" in changes:
        changes["title"] = plain_words(changes["title"])
    return _changed(run, lambda said: replace(said, **changes))


def change_tags(run: Run, add: Iterable[str] = (), remove: Iterable[str] = ()) -> About:
    """Add and remove tags, each a short word; the others stay."""
    added, removed = [checked_tag(tag) for tag in add], set(remove)

    def change(said: About) -> About:
        kept = [tag for tag in said.tags if tag not in removed]
        return replace(said, tags=tuple(dict.fromkeys([*kept, *added])))

    return _changed(run, change)


def _changed(run: Run, change: Callable[[About], About]) -> About:
    with FileLock(run.home.locks / "about"):
        if not run.exists():
            raise RunDeleted(run.id)
        with still_there(run):
            changed = change(about(run))
            write_json(run.path / ABOUT_FILE, asdict(changed))
    return changed


def plain_words(text: str) -> str:
    """A line of words with single spaces and without markup, since pages show it to all users."""
    return " ".join(MARKUP.sub(" ", text).split())


def checked_tag(tag: str) -> str:
    """A tag in plain words; an `ErsatzError` when it is empty, too long, or has a comma."""
    short = plain_words(tag)
    if not 0 < len(short) <= TAG_LENGTH or "," in short:
        raise ErsatzError(
            f"{tag!r} cannot be a tag: expected 1 to {TAG_LENGTH} characters without a comma. Choose another word."
        )
    return short
