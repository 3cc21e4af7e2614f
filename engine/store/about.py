"""What people add to a run: a title, tags, whether it is archived, and whose it is. It never changes a result.

<run>/about.json   beside status.json, which only the run's own processes write
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from engine.store.errors import RunDeleted
from engine.store.files import read_json, write_json
from engine.store.locks import FileLock
from engine.store.runs import Run

ABOUT_FILE = "about.json"


@dataclass(frozen=True)
class About:
    """The content of `about.json`; empty fields say that nobody said anything."""

    title: str = ""
    tags: tuple[str, ...] = ()
    archived: bool = False
    owner: str = ""


def about(run: Run) -> About:
    """What people said of a run; nothing when they did not."""
    path = run.path / ABOUT_FILE
    if not path.is_file():
        return About()
    values = read_json(path)
    return About(**{**values, "tags": tuple(values["tags"])})


def change_about(run: Run, **changes: Any) -> About:
    """Change fields of `about.json`, after whatever somebody else changed meanwhile."""
    with FileLock(run.home.locks / f"about-{run.id}"):
        if not run.exists():
            raise RunDeleted(run.id)
        changed = replace(about(run), **changes)
        write_json(run.path / ABOUT_FILE, asdict(changed))
    return changed
