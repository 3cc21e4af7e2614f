"""Comments on runs: by whom and when; their author may change them or take them back, and the history stays."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from sqlalchemy import func, select

from engine.review.store import COMMENTS, add, checked_name, read
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.runs import Run

LONGEST = 4000


@dataclass(frozen=True)
class Comment:
    """A comment as it stands now; times are seconds since the epoch."""

    id: str
    run: str
    author: str
    text: str
    written: float
    changed: float | None = None


def add_comment(run: Run, author: str, text: str) -> Comment:
    """Say something of a run."""
    if not run.exists():
        raise ErsatzError(f"There is no run {run.id} to comment on; it was deleted. Choose another.")
    comment = Comment(secrets.token_hex(8), run.id, checked_name(author), _checked(text), time.time())
    _write(run.home, comment, comment.text, comment.written)
    return comment


def change_comment(home: Home, comment_id: str, author: str, text: str) -> None:
    """Change the text of one's own comment."""
    _write(home, _own(home, comment_id, author), _checked(text), time.time())


def take_back_comment(home: Home, comment_id: str, author: str) -> None:
    """Take one's own comment back: it is hidden, and its versions stay in the file."""
    _write(home, _own(home, comment_id, author), "", time.time())


def comments_on(run: Run) -> list[Comment]:
    """The comments on a run, the oldest first."""
    return _comments(run.home, run.id)


def recent_comments(home: Home, limit: int = 50) -> list[Comment]:
    """The comments on all runs, the newest first."""
    return sorted(_comments(home), key=lambda comment: comment.written, reverse=True)[:limit]


def comment_counts(home: Home) -> dict[str, int]:
    """How many comments each run has; runs without any are left out."""
    counts: dict[str, int] = {}
    for comment in _comments(home):
        counts[comment.run] = counts.get(comment.run, 0) + 1
    return counts


def _comments(home: Home, run_id: str = "") -> list[Comment]:
    """Comments that were not taken back, in the order of their first version."""
    versions = select(
        func.min(COMMENTS.c.id).label("first"),
        func.max(COMMENTS.c.id).label("last"),
        func.min(COMMENTS.c.time).label("written"),
    ).group_by(COMMENTS.c.comment)
    if run_id:
        versions = versions.where(COMMENTS.c.run == run_id)
    spans = versions.subquery()
    statement = select(COMMENTS, spans.c.first, spans.c.written).join(spans, COMMENTS.c.id == spans.c.last)
    return [
        Comment(row.comment, row.run, row.author, row.text, row.written, None if row.id == row.first else row.time)
        for row in read(home, statement.where(COMMENTS.c.text != "").order_by(spans.c.first))
    ]


def _own(home: Home, comment_id: str, author: str) -> Comment:
    found = [comment for comment in _comments(home) if comment.id == comment_id]
    if not found:
        raise ErsatzError("This comment was taken back meanwhile; only one that stands can be changed.")
    if found[0].author != checked_name(author):
        raise ErsatzError(
            f"This comment is by {found[0].author}, and you are {author}; only its author may change it. "
            "Write one of your own."
        )
    return found[0]


def _checked(text: str) -> str:
    text = text.encode("utf-8", "replace").decode().strip()  # halves of characters cannot be stored
    if not 0 < len(text) <= LONGEST:
        raise ErsatzError(
            f"The comment has {len(text)} letters; 1 to {LONGEST} are expected. "
            + ("Shorten it." if text else "Write something.")
        )
    return text


def _write(home: Home, comment: Comment, text: str, moment: float) -> None:
    row = {"time": moment, "comment": comment.id, "run": comment.run, "author": comment.author, "text": text}
    add(home, COMMENTS, [row])
