"""What people said is kept: many writers at once, versions, and damage said in a sentence."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from engine.review.comments import add_comment, change_comment, comments_on, recent_comments, take_back_comment
from engine.review.store import ANSWERS, add, checked_name, checked_reason, database, read
from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.read_only import READ_ONLY
from engine.store.runs import Run, create_run

WRITERS, EACH = 4, 25


def press(root: str, writer: int, gate: str) -> None:
    """One reviewer's process: answers as fast as it can, begun together with the others."""
    while not Path(gate).exists():
        time.sleep(0.005)
    for item in range(EACH):
        row = {"time": time.time(), "quiz": "q", "reviewer": f"r{writer}", "item": item, "answer": "real"}
        add(Home(Path(root)), ANSWERS, [{**row, "seconds": 1.0}])


def test_many_processes_at_once_lose_nothing(home: Home, tmp_path: Path) -> None:
    """They also all make the file: none is there when they begin."""
    gate = tmp_path / "gate"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=press, args=(str(home.root), n, str(gate))) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    gate.touch()
    for writer in writers:
        writer.join(120)
        assert writer.exitcode == 0
    rows = read(home, select(ANSWERS))
    assert {(row.reviewer, row.item) for row in rows} == {
        (f"r{n}", item) for n in range(WRITERS) for item in range(EACH)
    }
    assert len(rows) == WRITERS * EACH


def test_reading_makes_no_file(home: Home) -> None:
    assert read(home, select(ANSWERS)) == []
    assert not home.root.exists()


def test_a_demo_reads_and_leaves_no_trace(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    run = create_run(home, {"kind": "train"}, "train")
    add_comment(run, "Ada", "Look at the noses.")
    monkeypatch.setenv(READ_ONLY, "1")
    before = sorted(path.name for path in home.root.iterdir())
    assert [comment.text for comment in comments_on(run)] == ["Look at the noses."]
    with pytest.raises(ErsatzError, match="read-only demo"):
        add_comment(run, "Ada", "And at the ears.")
    assert sorted(path.name for path in home.root.iterdir()) == before


def test_a_damaged_file_is_one_sentence_and_stays(home: Home) -> None:
    home.root.mkdir()
    database(home).write_bytes(b"no database at all " * 100)
    before = database(home).read_bytes()
    run = create_run(home, {"kind": "train"}, "train")
    for action in (lambda: comments_on(run), lambda: add_comment(run, "Ada", "Hello")):
        with pytest.raises(ErsatzError, match="restore the file from a backup"):
            action()
    assert database(home).read_bytes() == before


@pytest.fixture
def run(home: Home) -> Run:
    return create_run(home, {"kind": "train"}, "train")


def test_comments_are_changed_and_taken_back_by_their_author_alone(run: Run) -> None:
    first = add_comment(run, " Ada  Lovelace ", "The noses are wrong. <b>All</b> of them.")
    second = add_comment(run, "Grace", "Not all.")
    assert [(c.author, c.text, c.changed) for c in comments_on(run)] == [
        ("Ada Lovelace", "The noses are wrong. <b>All</b> of them.", None),
        ("Grace", "Not all.", None),
    ]
    with pytest.raises(ErsatzError, match="by Ada Lovelace, and you are Grace"):
        change_comment(run.home, first.id, "Grace", "They are fine.")
    change_comment(run.home, first.id, "Ada Lovelace", "Most noses are wrong.")
    (changed, _) = comments_on(run)
    assert (changed.text, changed.written) == ("Most noses are wrong.", first.written)
    assert changed.changed is not None
    take_back_comment(run.home, second.id, "Grace")
    assert [c.id for c in recent_comments(run.home)] == [first.id]
    with pytest.raises(ErsatzError, match="taken back"):
        change_comment(run.home, second.id, "Grace", "Back again")
    with pytest.raises(ErsatzError, match="Write something"):
        add_comment(run, "Ada", "  ")


def test_names_and_reasons_are_plain_words() -> None:
    assert checked_name("  Dr. Anna-Lena O'Neill ") == "Dr. Anna-Lena O'Neill"
    assert checked_name("日本 太郎") == "日本 太郎"
    for name in ("", "   ", "x" * 61, "![](http://x)", "<b>"):
        with pytest.raises(ErsatzError, match="no name of a reviewer"):
            checked_name(name)
    assert checked_reason("  wrong\n![x](http://tracker) class") == "wrong ! x (http://tracker) class"
