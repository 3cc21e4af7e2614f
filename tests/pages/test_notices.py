"""A run that ends while a page is open is said there, once, whichever page it is."""

from __future__ import annotations

import time

import pytest

from engine.store.home import Home
from engine.store.locks import FileLock
from engine.store.runs import Alarm, Run, State
from pages.components import ended
from pages.components.ended import Watcher
from tests import fabricated
from tests.pages.conftest import OpenPage


@pytest.fixture(autouse=True)
def dataset(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended, "EVERY_SECONDS", 0.0)
    fabricated.make_dataset(home)


def held(run: Run) -> FileLock:
    lock = FileLock(run.lock_path)
    assert lock.acquire()
    return lock


def test_ends_are_told_once_each_and_none_of_before(home: Home) -> None:
    fabricated.make_training(home, "bleed")
    running = fabricated.make_training(home, "normal", State.RUNNING, done=3)
    lock = held(running)
    watcher = Watcher(home)
    assert (watcher.look(), watcher.active) == (0, 1)
    quick = fabricated.make_training(home, "bleed")
    copied = fabricated.make_training(home, "bleed")
    copied.update(ended=1.0)
    assert watcher.look() == 1 and [end.run for end in watcher.since(0)] == [quick]
    lock.release()
    assert watcher.look() == 2 and watcher.since(1)[0].state is State.INTERRUPTED
    assert (watcher.look(), watcher.active) == (2, 0), "nothing has changed"
    running.update(state=State.RUNNING, started=time.time())
    lock = held(running)
    assert (watcher.look(), watcher.active) == (2, 1), "it was resumed"
    fabricated.set_state(running, State.FINISHED)
    assert (watcher.look(), watcher.since(2)[0].run) == (3, running)
    lock.release()
    running.delete()
    assert watcher.look() == 3


def test_long_ago_is_forgotten(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended, "KEPT", 1)
    watcher = Watcher(home)
    watcher.look()
    first = fabricated.make_training(home, "bleed")
    second = fabricated.make_training(home, "normal")
    assert watcher.look() == 2
    assert [end.run for end in watcher.since(1)] == [max(first, second, key=lambda run: run.id)]
    assert watcher.since(2) == []


@pytest.mark.parametrize("page", ["runs", "review"])
def test_a_page_says_what_ended(open_page: OpenPage, home: Home, page: str) -> None:
    alarm = Alarm(name="collapse", sentence="All images look alike.", time=1.0)
    running = fabricated.make_training(home, "bleed", State.RUNNING, done=3)
    lock = held(running)
    app = open_page(page)
    assert not app.toast
    fabricated.set_state(running, State.FINISHED, alarms=(alarm,))
    lock.release()
    app.run()
    assert [toast.value for toast in app.toast] == ["Train phantom · bleed: finished, collapsed"]
    app.run()
    assert not app.toast and not app.exception
